"""Durations: what counts, from when, in which cells."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sluice_server import durations
from sluice_server.durations import EDGES

from tests.unit.sluice_server.running import FAILING_ROW, GOOD_ROW, Running, predict, start

BUCKET = 'sluice_request_duration_seconds_bucket{assignment="random",le="%s"}'
COUNT = 'sluice_request_duration_seconds_count{assignment="random"}'


@pytest.fixture(scope="module")
def running(classifier_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    directory = tmp_path_factory.mktemp("durations")
    server = start(classifier_dir, directory, SLUICE_WORKERS="2", SLUICE_WARM_UP_SECONDS="0")
    yield server
    server.stop()


def counted(server: Running) -> float:
    return server.metrics()[COUNT]


def test_two_cells_are_twenty_per_cent() -> None:
    for edge, second in zip(EDGES, EDGES[2:], strict=False):
        assert second / edge == pytest.approx(1.2, rel=1e-5)
    assert EDGES[0] < 0.0005 < EDGES[1] * 1.1
    assert EDGES[-1] > 60
    assert 1.0 in EDGES


def test_predictions_assigned_at_random_are_timed_and_nothing_else(running: Running) -> None:
    before = counted(running)
    with running.connect() as connection:
        for _ in range(10):
            assert predict(connection, GOOD_ROW, x_sluice_assignment="random").status == 200
            assert predict(connection, GOOD_ROW, x_sluice_assignment="targeted").status == 200
            assert predict(connection, FAILING_ROW, x_sluice_assignment="random").status == 500
            assert predict(connection, {"length": 1.0}, x_sluice_assignment="random").status == 400
    assert counted(running) - before == 10


def test_cells_add_up_across_workers(running: Running) -> None:
    before = counted(running)

    def client(_number: int) -> None:
        with running.connect() as connection:
            for _ in range(10):
                predict(connection, GOOD_ROW, x_sluice_assignment="random")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(client, range(8)))
    page = running.metrics()
    cells = [page[BUCKET % edge] for edge in (*map(repr, EDGES), "+Inf") if BUCKET % edge in page]
    assert len(cells) == len(EDGES) + 1
    assert cells == sorted(cells)
    assert cells[-1] == page[COUNT] == before + 80


def test_only_requests_at_random_and_their_users_have_cells(running: Running) -> None:
    names = [name for name in running.metrics() if name.startswith("sluice_request_duration")]
    for assignment in ("random", "user"):
        assert len([name for name in names if f'assignment="{assignment}"' in name]) == len(EDGES) + 3
    assert len(names) == 2 * (len(EDGES) + 3)


def test_the_first_seconds_of_a_worker_do_not_count(server: Running) -> None:
    """The other server runs with the default."""
    before = server.requests()["random", "ok"]
    server.predict(GOOD_ROW, x_sluice_assignment="random")
    assert server.requests()["random", "ok"] == before + 1
    assert server.metrics()[COUNT] < before + 1


class _Recorded:
    def __init__(self) -> None:
        self.seconds: list[float] = []

    def labels(self, assignment: str) -> Any:
        assert assignment == "random"
        return self

    def observe(self, seconds: float) -> None:
        self.seconds.append(seconds)


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    histogram = _Recorded()
    monkeypatch.setattr(durations, "_seconds", histogram)
    monkeypatch.setattr(durations, "_warm_up", durations._WarmUp())
    return histogram.seconds


def test_what_arrives_during_the_warm_up_does_not_count_even_when_answered_later(recorded: list[float]) -> None:
    durations.worker_began(3600)
    assert durations.answered("random", 200, began=time.monotonic()) is None
    assert recorded == []
    assert durations.answered("random", 200, began=time.monotonic() + 3601) == 0.0
    assert recorded == [0.0]


def test_the_wait_before_a_thread_was_free_belongs_to_the_request(recorded: list[float]) -> None:
    durations.seen(time.monotonic() - 100)
    durations.answered("random", 200, began=durations.begun())
    assert recorded[0] >= 100


def test_one_requests_wait_is_not_counted_for_the_next(recorded: list[float]) -> None:
    durations.seen(1.0)
    assert durations.begun() == 1.0
    assert durations.begun() > 1.0


@pytest.mark.parametrize("since", [None, 1.0])
def test_the_worker_hands_on_when_a_request_became_readable(monkeypatch: pytest.MonkeyPatch, since: object) -> None:
    from gunicorn.workers.gthread import ThreadWorker
    from sluice_server.worker import Worker

    class Connection:
        initialized = since is not None
        data_ready = False
        readable_since: float | None = None
        server = ("127.0.0.1", 8080)

    connection: Any = Connection()
    monkeypatch.setattr(ThreadWorker, "enqueue_req", lambda *_: None)
    monkeypatch.setattr(ThreadWorker, "handle_request", lambda *_: durations.begun())
    worker = object.__new__(Worker)
    before = time.monotonic()
    worker.enqueue_req(connection)
    queued = time.monotonic()
    handled = worker.handle_request(None, connection)
    # A connection that is new may be silent for a while: its first request is timed from when it has been read.
    assert before <= handled <= queued if since else handled >= queued
