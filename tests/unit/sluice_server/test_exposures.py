"""What the collector is told of who was answered by which version, by the real server."""

import os
import signal
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from sluice_server.exposures import CHANNEL
from sluice_server.units import unit_name

from tests.unit.sluice_server.collecting import Collector, collecting, free_port
from tests.unit.sluice_server.running import FAILING_ROW, GOOD_ROW, Running, predict, start, until

EXPERIMENT = "team-a/penguins-1a2b3c4d-7"
ROUTED = {
    "x_sluice_assignment": "random", "x_sluice_experiment": EXPERIMENT, "x_sluice_unit": "header:x-user-id",
}  # fmt: skip


@pytest.fixture(scope="module")
def started(classifier_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, Collector]]:
    mirror, directory = str(free_port()), tmp_path_factory.mktemp("exposures")
    with collecting() as collector:
        server = start(classifier_dir, directory, SLUICE_COLLECTOR_URL=collector.url, SLUICE_MIRROR_PORT=mirror)
        server.mirror_port = int(mirror)
        yield server, collector
        server.stop()


@pytest.fixture
def running(started: tuple[Running, Collector]) -> Running:
    return started[0]


@pytest.fixture
def collector(started: tuple[Running, Collector]) -> Collector:
    for kept in started[1].kept.values():
        kept.clear()
    return started[1]


def test_every_answer_of_an_experiment_is_told_whatever_its_status(running: Running, collector: Collector) -> None:
    rows: dict[str, dict[str, Any]] = {"a": GOOD_ROW, "b": GOOD_ROW, "c": FAILING_ROW, "d": {"length": 1.0}}
    for name, row in rows.items():
        running.predict(row, x_request_id=name, x_user_id="u-5", **ROUTED)
    until(lambda: len(collector.kept["exposures"]) == 4)
    unit = unit_name(EXPERIMENT, "u-5")
    assert collector.kept["exposures"] == [
        {"experiment": EXPERIMENT, "unit": unit, "revision": "6d8f", "request": name} for name in rows
    ]
    assert "u-5" not in running.log.read_text()


def test_without_a_user_the_request_is_the_unit(running: Running, collector: Collector) -> None:
    running.predict(GOOD_ROW, x_request_id="a", **ROUTED)
    until(lambda: collector.kept["exposures"])
    assert collector.kept["exposures"][0]["unit"] == unit_name(EXPERIMENT, "request:a")


def test_nothing_is_told_of_other_requests(running: Running, collector: Collector) -> None:
    for number, changes in enumerate((
        {"x_sluice_experiment": ""},
        {"x_sluice_experiment": "", "x_sluice_window": f"{EXPERIMENT}/1"},
        {"x_sluice_assignment": "probe"},
        {"x_sluice_assignment": "targeted"},
        {"x_sluice_assignment": "mirror"},
        {"x_sluice_assignment": ""},
    )):  # fmt: skip
        running.predict(GOOD_ROW, x_request_id=f"r{number}", x_user_id="u", **ROUTED | changes)
    running.predict(GOOD_ROW, x_user_id="u", **ROUTED)
    with closing(HTTPConnection("127.0.0.1", running.mirror_port, timeout=30)) as connection:
        assert predict(connection, GOOD_ROW, x_request_id="copy", x_user_id="u", **ROUTED).status == 200
    running.predict(GOOD_ROW, x_request_id="last", x_user_id="u", **ROUTED)
    until(lambda: collector.kept["exposures"])
    assert [told["request"] for told in collector.kept["exposures"]] == ["last"]


def test_answers_and_exposures_are_told_apart(running: Running, collector: Collector) -> None:
    compared = {"x_sluice_compare": f"{EXPERIMENT};100"}
    running.predict(GOOD_ROW, x_request_id="a", x_user_id="u", **ROUTED, **compared)
    until(lambda: collector.kept["exposures"] and collector.told)


def test_a_collector_that_is_away_harms_no_answer(classifier_dir: Path, tmp_path: Path) -> None:
    server = start(classifier_dir, tmp_path, SLUICE_COLLECTOR_URL=f"http://127.0.0.1:{free_port()}")
    for number in range(20):
        assert server.predict(GOOD_ROW, x_request_id=f"r{number}", x_user_id="u", **ROUTED).status == 200
    page = server.metrics()
    assert page['sluice_users_total{outcome="seen"}'] == 1
    assert page['sluice_exposures_total{fate="sent"}'] == page['sluice_exposures_total{fate="refused"}'] == 0
    assert server.stop() == 0


def test_what_waits_when_the_server_ends_is_told(classifier_dir: Path, tmp_path: Path, collector: Collector) -> None:
    server = start(classifier_dir, tmp_path, SLUICE_COLLECTOR_URL=collector.url)
    names = [f"r{number}" for number in range(30)]
    with server.connect() as connection:
        for name in names:
            predict(connection, GOOD_ROW, x_request_id=name, x_user_id="u", **ROUTED)
    assert server.stop() == 0
    assert [told["request"] for told in collector.kept["exposures"]] == names


def test_what_waits_when_a_worker_ends_is_told_and_another_takes_its_place(
    classifier_dir: Path, tmp_path: Path, collector: Collector
) -> None:
    server = start(classifier_dir, tmp_path, SLUICE_COLLECTOR_URL=collector.url)
    server.predict(GOOD_ROW, x_request_id="first", x_user_id="u", **ROUTED)
    until(lambda: collector.kept["exposures"])  # a pause begins
    (worker,) = server.workers()
    server.predict(GOOD_ROW, x_request_id="last", x_user_id="u", **ROUTED)
    os.kill(worker, signal.SIGTERM)
    until(lambda: server.workers() not in ([worker], []))
    assert [told["request"] for told in collector.kept["exposures"]] == ["first", "last"]
    server.stop()


def test_more_of_them_may_wait_than_are_sent_in_one_call() -> None:
    assert CHANNEL.capacity >= 10 * CHANNEL.batch
