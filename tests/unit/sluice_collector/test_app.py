"""What the collector answers over HTTP."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sluice_collector.ledger import Limits
from sluice_collector.metrics import Metrics
from sluice_collector.sweeper import sweep

from tests.unit.sluice_collector.postgres import Postgres
from tests.unit.sluice_collector.running import as_sent
from tests.unit.sluice_collector.worlds import NAME, World, answer, both

GOOD = as_sent(answer("r1", "stable"))


@pytest.fixture
def client(world: World) -> FlaskClient:
    return world.client()


def send(client: FlaskClient, *answers: object) -> Any:
    return client.post("/v1/answers", data=json.dumps({"answers": answers}))


def metrics(client: FlaskClient) -> dict[str, float]:
    lines = client.get("/metrics").get_data(as_text=True).splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if line[0] != "#")}


def test_pairs_come_back_as_counts(client: FlaskClient) -> None:
    pairs = [*both("r1", "Adelie", "Gentoo"), *both("r2", 1.0, 3.0), *both("r3", "Adelie", "Adelie")]
    assert send(client, *map(as_sent, pairs)).json == {"accepted": 6, "duplicates": 0}
    assert send(client, as_sent(pairs[0])).json == {"accepted": 0, "duplicates": 1}
    found = client.get(f"/v1/comparisons/{NAME}").json
    assert found is not None
    assert (found["pairs"], found["disagreements"]) == (3, 2)
    assert found["classes"] == [
        {"stable": "Adelie", "candidate": "Adelie", "count": 1},
        {"stable": "Adelie", "candidate": "Gentoo", "count": 1},
    ]
    assert found["numeric"] == {"count": 1, "meanDelta": 2.0, "meanAbsDelta": 2.0, "maxAbsDelta": 2.0}
    assert found["latency"]["stable"]["count"] == 3


def test_an_unknown_comparison_is_zeros(client: FlaskClient) -> None:
    answered = client.get("/v1/comparisons/nobody/nothing.at-all")
    assert answered.status_code == 200
    assert answered.json is not None
    assert answered.json["pairs"] == 0


NUMBER = "a number from -1e100 to 1e100, a string of at most 64 characters, true, false or null."


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"comparison": "penguins"}, "answers[0].comparison: write NAMESPACE/NAME of the RolloutRecord."),
        ({"comparison": "a/b/c"}, "answers[0].comparison: write NAMESPACE/NAME of the RolloutRecord."),
        ({"comparison": "A/b"}, "answers[0].comparison: write NAMESPACE/NAME of the RolloutRecord."),
        ({"request": ""}, "answers[0].request: write 1 to 128 visible characters of ASCII, without spaces."),
        ({"request": "x" * 129}, "answers[0].request: write 1 to 128 visible characters of ASCII, without spaces."),
        ({"request": "a\x00"}, "answers[0].request: write 1 to 128 visible characters of ASCII, without spaces."),
        ({"side": "shadow"}, "answers[0].side: input should be 'stable' or 'candidate'."),
        ({"status": "200"}, "answers[0].status: input should be a valid integer."),
        ({"status": 99}, "answers[0].status: input should be greater than or equal to 100."),
        ({"seconds": -0.1}, "answers[0].seconds: input should be greater than or equal to 0."),
        ({"seconds": None}, "answers[0].seconds: input should be a valid number."),
        ({"predictions": [[1]]}, f"answers[0].predictions[0]: write {NUMBER}"),
        ({"predictions": ["ok", "x" * 65]}, f"answers[0].predictions[1]: write {NUMBER}"),
        ({"predictions": [float("nan")]}, f"answers[0].predictions[0]: write {NUMBER}"),
        ({"predictions": [float("inf")]}, f"answers[0].predictions[0]: write {NUMBER}"),
        ({"predictions": [-1.1e100]}, f"answers[0].predictions[0]: write {NUMBER}"),
        ({"predictions": [1] * 65}, "answers[0].predictions: write at most 64 predictions."),
        ({"predictions": "Adelie"}, "answers[0].predictions: input should be a valid array."),
        ({"digest": "0" * 64}, "answers[0]: write either predictions or a digest."),
        ({"digest": "short", "predictions": None},
         "answers[0].digest: write a hash of 8 to 128 letters, digits and -_+/=:."),
        ({"tolerance": -1}, "answers[0].tolerance: input should be greater than or equal to 0."),
        ({"inputs": [1]}, "answers[0].inputs: there is no such field, leave it out."),
    ],
)  # fmt: skip
def test_malformed_answers_are_refused_with_a_sentence(fields: dict[str, object], sentence: str) -> None:
    client = World("sqlite:////nowhere/x.db").client()  # no database is asked
    answered = send(client, as_sent(answer("fine", "stable")), GOOD | fields)
    assert (answered.status_code, answered.json) == (400, {"error": sentence.replace("answers[0]", "answers[1]")})


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("", "the body: invalid JSON: EOF while parsing a value at line 1 column 0."),
        ("[]", "the body: input should be an object."),
        ("{}", "answers: it is missing."),
        ('{"answers": {}}', "answers: input should be a valid array."),
        ('{"answers": [], "sender": "x"}', "sender: there is no such field, leave it out."),
        ('{"answers": [1]}', "answers[0]: input should be an object."),
        ('{"answers": [{"request": "\\ud800"}]}', "the body: invalid JSON: "),
        (b'{"answers": ["\xff"]}', "the body: invalid JSON: "),
        (json.dumps({"answers": [GOOD] * 1001}), "answers: write at most 1000 answers."),
        (json.dumps({"answers": [GOOD | {"seconds": -1}] * 3}),
         "answers[0].seconds: input should be greater than or equal to 0 (2 more like this)."),
    ],
)  # fmt: skip
def test_malformed_bodies_are_refused_with_a_sentence(body: str | bytes, sentence: str) -> None:
    client = World("sqlite:////nowhere/x.db").client()
    answered = client.post("/v1/answers", data=body)
    assert answered.status_code == 400
    assert answered.json is not None
    assert answered.json["error"].startswith(sentence)


def test_a_body_that_is_too_large_is_refused_with_a_sentence(client: FlaskClient) -> None:
    answered = client.post("/v1/answers", data=b" " * (8 * 1024**2 + 1))
    sentence = "The body is larger than 8 MiB: send at most 1000 answers in a call."
    assert (answered.status_code, answered.json) == (413, {"error": sentence})
    assert metrics(client)['sluice_collector_refused_total{reason="too_large"}'] == 1


def test_the_largest_batch_that_is_allowed_fits(client: FlaskClient) -> None:
    names = {"comparison": f"{'n' * 63}/{'r' * 253}"}
    largest = [
        as_sent(answer(f"{number:0>128}", "stable", *["\x01" * 64] * 64, **names)) | {"tolerance": 1e-6}
        for number in range(200)
    ]
    assert send(client, *largest).json == {"accepted": 200, "duplicates": 0}


def test_metrics_have_no_label_that_senders_choose(world: World) -> None:
    world.limits = Limits(waiting=1)
    counters = Metrics()
    client = world.client(counters)
    before = metrics(client)
    send(client, *map(as_sent, both("r1", "Adelie", "Gentoo")), as_sent(answer("r2", "stable")))
    assert send(client, as_sent(answer("r3", "candidate"))).status_code == 200
    send(client, {})
    after = metrics(client)
    assert set(before) == {name for name in after if "_created" not in name} | {n for n in before if "_created" in n}
    assert after["sluice_collector_waiting"] == 0  # one was too many, and both came in the same moment
    assert after['sluice_collector_pairs_total{verdict="disagree"}'] == 1
    assert after['sluice_collector_answers_total{result="accepted"}'] == 4
    assert after['sluice_collector_unpaired_total{reason="full",side="stable"}'] == 1
    assert after['sluice_collector_refused_total{reason="malformed"}'] == 1
    send(client, as_sent(answer("r4", "stable")))
    world.clock.now += 1000
    sweep(world.open(), world.retention(), counters)
    assert metrics(client)['sluice_collector_unpaired_total{reason="late",side="stable"}'] == 1


def test_without_its_database_it_lives_says_so_and_recovers(
    postgres: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(postgres.database().replace("postgres@", "postgres:hunter2@"))
    client = world.client()
    assert send(client, GOOD).json == {"accepted": 1, "duplicates": 0}
    postgres.stop()
    try:
        for _ in range(2):
            refused = send(client, GOOD)
            assert refused.status_code == 503
            assert refused.headers["Retry-After"] == "1"
            assert refused.json is not None
            assert "nothing of it is counted twice" in refused.json["error"]
        assert client.get("/readyz").status_code == 503
        assert client.get("/healthz").status_code == 200
    finally:
        postgres.run()
    assert client.get("/readyz").status_code == 200
    assert send(client, GOOD).json == {"accepted": 0, "duplicates": 1}
    assert metrics(client)["sluice_collector_database_errors_total"] == 3
    assert "the database failed" in caplog.text
    assert "hunter2" not in caplog.text
    assert "Adelie" not in caplog.text
    world.close()


def test_a_volume_that_is_not_there_yet_is_waited_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    world = World(f"sqlite:///{tmp_path}/volume/collector.db")
    client = world.client()
    with caplog.at_level(logging.ERROR):
        assert client.get("/readyz").status_code == 503
    assert "unable to open database file" in caplog.text
    (tmp_path / "volume").mkdir()
    assert client.get("/readyz").status_code == 200
    world.close()


def test_other_addresses_are_refused_in_json(client: FlaskClient) -> None:
    assert client.get("/v1/nothing").status_code == 404
    assert client.get("/v1/answers").status_code == 405
    assert client.get("/v1/answers").json is not None


def test_a_sweep_that_the_database_fails_is_counted(tmp_path: Path, new_url: Callable[[], str]) -> None:
    world = World(f"sqlite:///{tmp_path}/nowhere/x.db")
    counters = Metrics()
    sweep(world.open(), world.retention(), counters)
    with_database = World(new_url())
    page = with_database.client(counters)
    assert metrics(page)["sluice_collector_database_errors_total"] == 1
    with_database.close()
