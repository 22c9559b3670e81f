"""What the collector answers over HTTP of A/B tests."""

from __future__ import annotations

import json
from typing import Any

import pytest
from flask.testing import FlaskClient
from sluice_collector.experiments.ledger import Limits
from sluice_collector.metrics import Metrics
from sluice_collector.sweeper import sweep

from tests.unit.sluice_collector.experiments.histories import NAME, unit
from tests.unit.sluice_collector.postgres import Postgres
from tests.unit.sluice_collector.test_app import metrics
from tests.unit.sluice_collector.worlds import World

EXPOSURE = {"experiment": NAME, "unit": unit("ann"), "revision": "penguins-1a2b", "request": "r1"}
OUTCOME = {"experiment": NAME, "metric": "conversion", "value": 2.5, "request": "r1"}
QUERY = {"metric": "conversion", "aggregate": "sum", "window": "600"}


def send(client: FlaskClient, what: str, *items: object) -> Any:
    return client.post(f"/v1/{what}", data=json.dumps({what: items}))


def test_users_and_outcomes_come_back_as_sums(world: World) -> None:
    client = world.client()
    assert send(client, "exposures", EXPOSURE, EXPOSURE).json == {"accepted": 1, "duplicates": 1}
    by_user = OUTCOME | {"unit": unit("ann"), "key": "order-1", "value": 1}
    by_user.pop("request")
    early = OUTCOME | {"request": "r2", "key": "whatever"}
    assert send(client, "outcomes", OUTCOME, OUTCOME, by_user, early).json == {
        "accepted": 2, "duplicates": 1, "unknown": 1
    }  # fmt: skip
    world.clock.now += 601
    answered = client.get(f"/v1/experiments/{NAME}", query_string=QUERY)
    assert answered.status_code == 200
    assert answered.json == {
        "versions": {"penguins-1a2b": {"units": 1, "matured": 1, "total": 3.5, "squares": 12.25, "crossed": 0}},
        "incomplete": False,
        "missed": 0,
    }


def test_an_unknown_experiment_has_no_versions(world: World) -> None:
    answered = world.client().get("/v1/experiments/nobody/nothing.at-all", query_string=QUERY)
    assert (answered.status_code, answered.json) == (200, {"versions": {}, "incomplete": False, "missed": 0})


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"experiment": "penguins"}, "exposures[1].experiment: write NAMESPACE/NAME of the RolloutRecord."),
        ({"unit": "ann"}, "exposures[1].unit: write 32 hexadecimal digits in lower case."),
        ({"unit": unit("ann").upper()}, "exposures[1].unit: write 32 hexadecimal digits in lower case."),
        ({"revision": ""}, "exposures[1].revision: write the name of the version's revision."),
        ({"request": "a b"}, "exposures[1].request: write 1 to 128 visible characters of ASCII, without spaces."),
        ({"user": "ann"}, "exposures[1].user: there is no such field, leave it out."),
    ],
)
def test_malformed_exposures_are_refused_with_a_sentence(fields: dict[str, object], sentence: str) -> None:
    client = World("sqlite:////nowhere/x.db").client()  # no database is asked
    answered = send(client, "exposures", EXPOSURE, EXPOSURE | fields)
    assert (answered.status_code, answered.json) == (400, {"error": sentence})


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (
            {"metric": "Conversion"},
            "outcomes[1].metric: write 1 to 63 lower-case letters, digits, hyphens, dots and underscores.",
        ),
        (
            {"metric": "x" * 64},
            "outcomes[1].metric: write 1 to 63 lower-case letters, digits, hyphens, dots and underscores.",
        ),
        ({"value": "1"}, "outcomes[1].value: input should be a valid number."),
        ({"value": True}, "outcomes[1].value: input should be a valid number."),
        ({"value": float("nan")}, "outcomes[1].value: input should be a finite number."),
        ({"value": float("inf")}, "outcomes[1].value: input should be a finite number."),
        ({"value": 1.1e12}, "outcomes[1].value: input should be less than or equal to 1000000000000."),
        ({"value": -1.1e12}, "outcomes[1].value: input should be greater than or equal to -1000000000000."),
        ({"unit": unit("ann")}, "outcomes[1]: write either request or unit."),
        ({"request": None}, "outcomes[1]: write either request or unit."),
        ({"request": ""}, "outcomes[1].request: write 1 to 128 visible characters of ASCII, without spaces."),
        ({"key": "x" * 129}, "outcomes[1].key: write at most 128 visible characters of ASCII."),
    ],
)
def test_malformed_outcomes_are_refused_with_a_sentence(fields: dict[str, object], sentence: str) -> None:
    answered = send(World("sqlite:////nowhere/x.db").client(), "outcomes", OUTCOME, OUTCOME | fields)
    assert (answered.status_code, answered.json) == (400, {"error": sentence})


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"metric": None}, "metric: it is missing."),
        ({"metric": "A"}, "metric: write 1 to 63 lower-case letters, digits, hyphens, dots and underscores."),
        ({"aggregate": "median"}, "aggregate: input should be 'sum' or 'mean'."),
        ({"window": "10m"}, "window: input should be a valid number, unable to parse string as a number."),
        ({"window": "nan"}, "window: input should be less than or equal to 3888000."),
        ({"window": "-1"}, "window: input should be greater than or equal to 0."),
        ({"window": "1e9"}, "window: input should be less than or equal to 3888000."),
        ({"since": "1"}, "since: there is no such field, leave it out."),
    ],
)
def test_malformed_questions_are_refused_with_a_sentence(fields: dict[str, str | None], sentence: str) -> None:
    query = {name: value for name, value in (QUERY | fields).items() if value is not None}
    answered = World("sqlite:////nowhere/x.db").client().get(f"/v1/experiments/{NAME}", query_string=query)
    assert (answered.status_code, answered.json) == (400, {"error": sentence})


@pytest.mark.parametrize("what", ["exposures", "outcomes"])
def test_what_is_too_much_at_once_is_refused_with_a_sentence(what: str) -> None:
    client = World("sqlite:////nowhere/x.db").client()
    item = EXPOSURE if what == "exposures" else OUTCOME
    assert send(client, what, *[item] * 1001).json == {"error": f"{what}: write at most 1000 {what}."}
    answered = client.post(f"/v1/{what}", data=b" " * (8 * 1024**2 + 1))
    sentence = f"The body is larger than 8 MiB: send at most 1000 {what} in a call."
    assert (answered.status_code, answered.json) == (413, {"error": sentence})


def test_the_largest_batches_that_are_allowed_fit(world: World) -> None:
    client = world.client()
    name = f"{'n' * 63}/{'r' * 253}"
    numbers = [f"{number:0>128}" for number in range(1000)]
    exposures = [
        EXPOSURE | {"experiment": name, "request": one, "unit": unit(one), "revision": "r" * 253} for one in numbers
    ]
    outcomes = [OUTCOME | {"experiment": name, "request": one, "metric": "m" * 63, "key": "k" * 128} for one in numbers]
    assert send(client, "exposures", *exposures).json == {"accepted": 1000, "duplicates": 0}
    assert send(client, "outcomes", *outcomes).json == {"accepted": 1000, "duplicates": 0, "unknown": 0}


def test_metrics_say_what_became_of_users_and_outcomes(world: World) -> None:
    world.bounds = Limits(units=1)
    counters = Metrics()
    client = world.client(counters)
    before = metrics(client)
    other = {"experiment": "team-b/other"}
    send(client, "exposures", EXPOSURE, EXPOSURE, EXPOSURE | {"request": "r2", "unit": unit("bob")})
    send(client, "outcomes", OUTCOME, OUTCOME, OUTCOME | {"request": "r2"}, OUTCOME | other)
    client.get(f"/v1/experiments/{NAME}", query_string=QUERY)
    world.clock.now += 601
    send(client, "outcomes", OUTCOME | {"metric": "late"})
    after = metrics(client)
    assert set(before) == {name for name in after if "_created" not in name} | {n for n in before if "_created" in n}
    expected = {
        'exposures_total{result="accepted"}': 2,
        'exposures_total{result="duplicate"}': 1,
        'exposures_dropped_total{reason="full"}': 1,
        'outcomes_total{result="accepted"}': 3,
        'outcomes_total{result="duplicate"}': 1,
        'outcomes_total{result="unknown"}': 1,
        'outcomes_dropped_total{reason="full"}': 1,
        'outcomes_dropped_total{reason="late"}': 1,
        'outcomes_dropped_total{reason="unknown"}': 0,
        "outcomes_waiting": 1,
        "experiment_rows": 5,
    }
    assert {name: after[f"sluice_collector_{name}"] for name in expected} == expected
    sweep(world.open(), world.retention(), counters)
    assert metrics(client)['sluice_collector_outcomes_dropped_total{reason="unknown"}'] == 1


def test_without_its_database_it_says_so_and_names_no_user(
    postgres: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    world = World(postgres.database())
    client = world.client()
    send(client, "exposures", EXPOSURE)
    postgres.stop()
    try:
        for what, item in (("exposures", EXPOSURE), ("outcomes", OUTCOME)):
            refused = send(client, what, item)
            assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
        assert client.get(f"/v1/experiments/{NAME}", query_string=QUERY).status_code == 503
    finally:
        postgres.run()
    assert send(client, "exposures", EXPOSURE).json == {"accepted": 0, "duplicates": 1}
    assert send(client, "outcomes", OUTCOME).json == {"accepted": 1, "duplicates": 0, "unknown": 0}
    assert unit("ann") not in caplog.text
    world.close()
