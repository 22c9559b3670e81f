"""Outcomes on their way through the server: what it refuses, what it hands on, and what it says when it can't."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sluice_server import feedback
from sluice_server.app import create_app
from sluice_server.engine import Engine
from sluice_server.settings import Settings
from sluice_server.units import unit_name
from werkzeug.test import TestResponse

from tests.unit.sluice_server.collecting import Collector, free_port
from tests.unit.sluice_server.running import GOOD_ROW, ask, start, until

EXPERIMENT = "team-a/penguins-7"
ROUTED = {"x-sluice-assignment": "random", "x-sluice-experiment": EXPERIMENT, "x-sluice-unit": "header:x-user-id"}
USER = {"x-user-id": "u-5"}
GOOD = {"metric": "conversion", "value": 1, "request": "r-1"}


@pytest.fixture
def client(classifier: Engine, collector: Collector, tmp_path: Path) -> FlaskClient:
    return create_app(classifier, Settings(collector_url=collector.url, runtime_dir=tmp_path)).test_client()


def feed(client: FlaskClient, *outcomes: Any, **headers: str) -> TestResponse:
    return client.post("/feedback", json={"outcomes": outcomes}, headers=ROUTED | headers)


def said(answer: TestResponse) -> str:
    message: str = json.loads(answer.data)["message"]
    return message


def test_an_outcome_of_a_prediction_is_handed_on(client: FlaskClient, collector: Collector) -> None:
    collector.says = b'{"accepted": 1, "duplicates": 2, "unknown": 3}'
    answer = feed(client, GOOD)
    assert (answer.status_code, answer.json) == (202, {"accepted": 1, "duplicates": 2, "unknown": 3})
    assert collector.kept["outcomes"] == [
        {"experiment": EXPERIMENT, "metric": "conversion", "value": 1.0, "request": "r-1", "key": ""}
    ]


def test_an_outcome_without_a_prediction_is_the_users(client: FlaskClient, collector: Collector) -> None:
    feed(client, {"metric": "revenue", "value": -0.5, "key": "order-1"}, **USER)
    unit = unit_name(EXPERIMENT, "u-5")
    assert collector.kept["outcomes"] == [
        {"experiment": EXPERIMENT, "metric": "revenue", "value": -0.5, "unit": unit, "key": "order-1"}
    ]


def test_an_outcome_of_a_prediction_may_come_from_anybody(client: FlaskClient, collector: Collector) -> None:
    assert feed(client, GOOD | {"key": "k"}, GOOD | {"key": None}, **{"x-request-id": "own"}).status_code == 202
    assert [(told["request"], told["key"]) for told in collector.kept["outcomes"]] == [("r-1", "k"), ("r-1", "")]


def test_any_content_type_will_do(client: FlaskClient) -> None:
    """A browser's sendBeacon says text/plain."""
    body = json.dumps({"outcomes": [GOOD]})
    assert client.post("/feedback", data=body, content_type="text/plain", headers=ROUTED).status_code == 202


@pytest.mark.parametrize(
    "headers",
    [{}, {"x-sluice-assignment": "random"}, {"x-sluice-experiment": "nonsense"}, {"x-sluice-outcomes": "nonsense"}],
)
def test_without_an_experiment_there_is_no_need_for_outcomes(
    client: FlaskClient, collector: Collector, headers: dict[str, str]
) -> None:
    answer = client.post("/feedback", json={"outcomes": [GOOD]}, headers=headers)
    assert (answer.status_code, collector.calls) == (409, 0)
    assert "No A/B test is going on" in said(answer)


def test_outcomes_are_taken_while_nobody_is_exposed(client: FlaskClient, collector: Collector) -> None:
    """The candidate has no ready pod: what came of earlier predictions counts all the same, of both versions."""
    headers = {"x-sluice-outcomes": EXPERIMENT, "x-sluice-unit": "header:x-user-id"} | USER
    fed = {"outcomes": [GOOD, {"metric": "revenue", "value": 2, "key": "order-1"}]}
    assert client.post("/feedback", json=fed, headers=headers).status_code == 202
    assert [told["experiment"] for told in collector.kept["outcomes"]] == [EXPERIMENT, EXPERIMENT]
    assert collector.kept["outcomes"][1]["unit"] == unit_name(EXPERIMENT, "u-5")


def test_a_copy_is_not_handed_on(classifier: Engine, collector: Collector, tmp_path: Path) -> None:
    settings = Settings(collector_url=collector.url, runtime_dir=tmp_path, mirror_port=8081)
    copied = create_app(classifier, settings).test_client()
    answer = copied.post("/feedback", json={"outcomes": [GOOD]}, headers=ROUTED, base_url="http://localhost:8081")
    assert (answer.status_code, collector.calls) == (409, 0)


def test_without_a_collector_it_says_what_to_install(classifier: Engine, tmp_path: Path) -> None:
    answer = feed(create_app(classifier, Settings(runtime_dir=tmp_path)).test_client(), GOOD)
    assert (answer.status_code, json.loads(answer.data)["error_code"]) == (501, "NOT_IMPLEMENTED")
    assert "collector.enabled=true" in said(answer)
    assert "Retry-After" not in answer.headers


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        ("x", "outcomes[1]: write an object"),
        ({}, "outcomes[1].metric"),
        (GOOD | {"metric": "Conversion"}, "outcomes[1].metric"),
        (GOOD | {"metric": "a" * 64}, "outcomes[1].metric"),
        (GOOD | {"metric": 1}, "outcomes[1].metric"),
        ({"metric": "a", "request": "r"}, "outcomes[1].value: write a number"),
        (GOOD | {"value": True}, "outcomes[1].value: write a number"),
        (GOOD | {"value": "1"}, "outcomes[1].value: write a number"),
        (GOOD | {"value": 1.1e12}, "outcomes[1].value: write a number from -1e12 to 1e12"),
        (GOOD | {"value": 10**400}, "outcomes[1].value: write a number"),
        (GOOD | {"value": float("nan")}, "outcomes[1].value: write a number"),
        (GOOD | {"value": float("-inf")}, "outcomes[1].value: write a number"),
        (GOOD | {"request": ""}, "outcomes[1].request: write the x-request-id"),
        (GOOD | {"request": 5}, "outcomes[1].request: write the x-request-id"),
        (GOOD | {"request": "a b"}, "outcomes[1].request: write the x-request-id"),
        (GOOD | {"key": "a" * 129}, "outcomes[1].key: write at most 128"),
        (GOOD | {"key": 0}, "outcomes[1].key: write at most 128"),
        (GOOD | {"unit": "0" * 32}, "outcomes[1].unit: there is no such field"),
        ({"metric": "a", "value": 1}, "outcomes[1].request: it is missing, and this request names no user"),
    ],
    ids=str,
)
def test_an_outcome_that_is_wrong_is_refused_with_what_to_write(
    client: FlaskClient, collector: Collector, outcome: Any, words: str
) -> None:
    answer = feed(client, GOOD, outcome)
    assert (answer.status_code, collector.calls) == (400, 0)
    assert words in said(answer)


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"{", 400, "not valid JSON"),
        (b"\xff", 400, "not valid JSON"),
        (b"[" * 100_000, 400, "not valid JSON"),
        (b"[]", 400, "1 to 1000 outcomes"),
        (b"{}", 400, "1 to 1000 outcomes"),
        (b'{"outcomes": []}', 400, "1 to 1000 outcomes"),
        (b'{"outcomes": {}}', 400, "1 to 1000 outcomes"),
        (b'{"outcomes": [{}], "more": 1}', 400, "and nothing else"),
        (json.dumps({"outcomes": [GOOD] * 1001}).encode(), 400, "send at most 1000"),
        (b" " * (feedback.MOST_BYTES + 1), 413, "larger than 1 MiB"),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_body_that_is_wrong_is_refused(
    client: FlaskClient, collector: Collector, body: bytes, status: int, words: str
) -> None:
    answer = client.post("/feedback", data=body, headers=ROUTED)
    assert (answer.status_code, collector.calls) == (status, 0)
    assert words in said(answer)


def test_a_thousand_of_the_longest_outcomes_fit(client: FlaskClient, collector: Collector) -> None:
    longest = {"metric": "a" * 63, "value": -123456789012.34567, "request": '"' * 128, "key": "\\" * 128}
    assert feed(client, *[longest] * 1000).status_code == 202
    assert len(collector.kept["outcomes"]) == 1000


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_collector_in_trouble_is_asked_again_later(client: FlaskClient, collector: Collector, status: int) -> None:
    collector.statuses = [status]
    answer = feed(client, GOOD)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert "nothing is counted twice" in said(answer)
    assert feed(client, GOOD).status_code == 202


@pytest.mark.parametrize("says", [b"", b"[]", b"{}", b'{"accepted": "1", "duplicates": 0, "unknown": 0}'])
def test_an_answer_that_makes_no_sense_is_none(client: FlaskClient, collector: Collector, says: bytes) -> None:
    collector.says = says
    assert feed(client, GOOD).status_code == 503


def test_a_collector_that_is_away_is_asked_again_later(classifier: Engine, tmp_path: Path) -> None:
    settings = Settings(collector_url=f"http://127.0.0.1:{free_port()}", runtime_dir=tmp_path)
    answer = feed(create_app(classifier, settings).test_client(), GOOD)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    assert "does not answer" in said(answer)


def test_what_the_collector_refuses_is_said_in_its_words(client: FlaskClient, collector: Collector) -> None:
    collector.statuses, collector.says = [400], b'{"error": "outcomes[0].metric: no."}'
    answer = feed(client, GOOD)
    assert (answer.status_code, said(answer)) == (400, "The collector refuses the outcomes: outcomes[0].metric: no.")


def test_a_collector_that_knows_no_outcomes_has_to_be_upgraded(client: FlaskClient, collector: Collector) -> None:
    collector.statuses = [404]
    answer = feed(client, GOOD)
    assert answer.status_code == 501
    assert "upgrade" in said(answer)


@pytest.fixture
def stuck(collector: Collector, client: FlaskClient) -> Iterator[FlaskClient]:
    """Calls of feedback that wait for a collector, as many as may."""
    collector.hold.clear()
    with ThreadPoolExecutor(feedback.AT_ONCE) as pool:
        app = client.application
        waiting = [pool.submit(lambda: feed(app.test_client(), GOOD).status_code) for _ in range(feedback.AT_ONCE)]
        until(lambda: collector.calls == feedback.AT_ONCE)
        yield client
        collector.hold.set()
        assert {one.result(30) for one in waiting} <= {202, 503}


def test_a_slow_collector_holds_up_a_few_calls_and_no_prediction(stuck: FlaskClient, collector: Collector) -> None:
    refused = feed(stuck, GOOD)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "1")
    assert "hands on 4 calls" in said(refused)
    assert stuck.post("/invocations", json={"dataframe_records": [GOOD_ROW]}).status_code == 200
    assert collector.calls == feedback.AT_ONCE


def test_a_collector_that_does_not_answer_is_given_up(
    classifier: Engine, collector: Collector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sluice_server.feedback.TIMEOUT_SECONDS", 0.1)
    collector.hold.clear()
    client = create_app(classifier, Settings(collector_url=collector.url, runtime_dir=tmp_path)).test_client()
    assert feed(client, GOOD).status_code == 503
    collector.hold.set()


def test_the_real_server_hands_on_and_counts_calls_but_no_requests(
    classifier_dir: Path, tmp_path: Path, collector: Collector
) -> None:
    server = start(classifier_dir, tmp_path, SLUICE_COLLECTOR_URL=collector.url, SLUICE_WORKERS="2")
    with server.connect() as connection:
        for outcome, status in ((GOOD, 202), ({}, 400)):
            body = json.dumps({"outcomes": [outcome]}).encode()
            assert ask(connection, "POST", "/feedback", body, **ROUTED | USER).status == status
    page = server.metrics()
    fates = {fate: page[f'sluice_feedback_total{{fate="{fate}"}}'] for fate in feedback.FATES}
    assert fates == {"taken": 1, "refused": 1, "unavailable": 0}
    assert page['sluice_users_total{outcome="seen"}'] == sum(server.requests().values()) == 0
    assert server.stop() == 0
