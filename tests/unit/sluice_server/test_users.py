"""Users of an experiment: counted once by all workers of the real server, and by whom they were failed."""

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sluice_server.unanswered import PLACES, Unanswered, Waiting, left_by
from sluice_server.units import Unit, unit_name
from sluice_server.users import Users

from tests.unit.sluice_server.running import FAILING_ROW, GOOD_ROW, Running, predict, start, until

TIMED = 'sluice_request_duration_seconds_count{assignment="user"}'
ROUTED = {"x_sluice_assignment": "random", "x_sluice_unit": "header:x-user-id"}


@pytest.fixture(scope="module")
def running(classifier_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    directory = tmp_path_factory.mktemp("users")
    server = start(classifier_dir, directory, SLUICE_WORKERS="3", SLUICE_WARM_UP_SECONDS="0")
    yield server
    server.stop()


def users(server: Running) -> tuple[float, float, float]:
    """Seen, failed, timed."""
    page = server.metrics()
    seen, failed = (page[f'sluice_users_total{{outcome="{outcome}"}}'] for outcome in ("seen", "failed"))
    return seen, failed, page[TIMED]


def requests(server: Running) -> tuple[float, float]:
    """With a user's id, and without."""
    page = server.metrics()
    with_id, without = (page[f'sluice_user_requests_total{{id="{known}"}}'] for known in ("sent", "missing"))
    return with_id, without


def since(before: tuple[float, float, float], server: Running) -> list[float]:
    return [now - then for now, then in zip(users(server), before, strict=True)]


def test_series_exist_from_the_start(running: Running) -> None:
    assert len(users(running)) == 3
    assert len(requests(running)) == 2


def test_each_user_counts_once_whichever_workers_answer(running: Running) -> None:
    before, (with_id, without), answered = users(running), requests(running), running.requests()

    def client(number: int) -> None:
        with running.connect() as connection:
            for user in range(20):
                headers = ROUTED | {"x_sluice_experiment": "team-a/one-1", "x_user_id": f"u{user}"}
                row = FAILING_ROW if user < 5 and number == 3 else GOOD_ROW
                assert predict(connection, row, x_request_id=f"{number}-{user}", **headers).status in (200, 500)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(client, range(8)))
    assert since(before, running) == [20, 5, 20]
    assert running.requests()["random", "ok"] - answered["random", "ok"] == 8 * 20 - 5
    assert requests(running) == (with_id + 8 * 20, without)


def test_the_same_users_count_again_in_the_next_window_of_a_canary(running: Running) -> None:
    before = users(running)
    with running.connect() as connection:
        for window, visit, user in [(1, 1, 1), (1, 1, 2), (1, 2, 1), (2, 1, 1), (2, 1, 2), (1, 3, 1), (2, 2, 2)]:
            headers = ROUTED | {"x_sluice_window": f"team-a/canary-1/{window}", "x_user_id": f"u{user}"}
            row = FAILING_ROW if (window, visit, user) == (2, 2, 2) else GOOD_ROW
            predict(connection, row, x_request_id=f"w{window}-{visit}-{user}", **headers)
    assert since(before, running) == [4, 1, 4]


def test_the_same_users_count_again_in_the_next_experiment(running: Running) -> None:
    before = users(running)
    for experiment in ("team-a/two-1", "team-a/two-2", "team-a/two-1"):
        running.predict(GOOD_ROW, x_sluice_experiment=experiment, x_user_id="u", **ROUTED)
    assert since(before, running) == [2, 0, 2]


def test_requests_without_a_user_are_users_of_their_own(running: Running) -> None:
    before, (with_id, without) = users(running), requests(running)
    for number in range(3):
        running.predict(GOOD_ROW, x_sluice_experiment="team-a/three-1", x_request_id=f"r{number}", **ROUTED)
    running.predict(FAILING_ROW, x_sluice_experiment="team-a/three-1", x_request_id="r", **ROUTED)
    assert since(before, running) == [4, 1, 3]
    assert requests(running) == (with_id, without + 4)


def test_an_error_is_not_timed_and_the_next_answer_is(running: Running) -> None:
    before = users(running)
    for row in (FAILING_ROW, GOOD_ROW, GOOD_ROW, FAILING_ROW):
        running.predict(row, x_sluice_experiment="team-a/four-1", x_user_id="u", **ROUTED)
    assert since(before, running) == [1, 1, 1]


@pytest.mark.parametrize(
    "headers",
    [
        {"x_sluice_assignment": "random"},
        {"x_sluice_assignment": "random", "x_sluice_experiment": "nonsense"},
        {"x_sluice_assignment": "probe", "x_sluice_experiment": "team-a/five-1"},
        {"x_sluice_assignment": "targeted", "x_sluice_experiment": "team-a/five-1"},
        {"x_sluice_assignment": "mirror", "x_sluice_experiment": "team-a/five-1"},
        {"x_sluice_experiment": "team-a/five-1"},
    ],
    ids=str,
)
def test_nobody_else_counts(running: Running, headers: dict[str, str]) -> None:
    before = users(running)
    sent = {"x_sluice_unit": "header:x-user-id", "x_user_id": "u", "x_request_id": "r"}
    assert running.predict(GOOD_ROW, **headers, **sent).status == 200
    assert since(before, running) == [0, 0, 0]


def test_a_user_whose_request_dies_with_its_worker_has_failed(running: Running) -> None:
    known = {"x_sluice_experiment": "team-a/six-1", **ROUTED}
    running.predict(GOOD_ROW, x_user_id="known", **known)
    before, (with_id, without), workers = users(running), requests(running), running.workers()
    in_progress = 'sluice_requests_in_progress{assignment="random"}'
    with running.connect() as first, running.connect() as second, running.connect() as third:
        for connection, user in ((first, "known"), (second, "new"), (third, "")):
            connection.putrequest("POST", "/invocations")
            connection.putheader("Content-Length", "100")
            connection.putheader("x-request-id", "r")
            for name, value in (known | ({"x_user_id": user} if user else {})).items():
                connection.putheader(name.replace("_", "-"), value)
            connection.endheaders(b"{")
        until(lambda: running.metrics()[in_progress] == 3)
        for worker in workers:
            os.kill(worker, signal.SIGKILL)
        until(lambda: len(running.workers()) == 3 and not set(running.workers()) & set(workers))
    assert since(before, running) == [2, 3, 0]
    assert requests(running) == (with_id + 2, without + 1)
    running.predict(GOOD_ROW, x_user_id="new", **known)
    assert since(before, running) == [2, 3, 1]
    tables = {path.name for path in (running.directory / "sluice-metrics").glob("unanswered_*")}
    assert not tables & {f"unanswered_{worker}" for worker in workers}


def test_what_waits_is_left_and_what_is_answered_is_not(tmp_path: Path) -> None:
    path = tmp_path / "unanswered_1"
    table = Unanswered(path)
    waiting = [Waiting(f"{number:016x}", 2**64 - 1 - number, number % 2 == 0) for number in range(10)]
    places = [table.begin(one) for one in waiting]
    for place in places[::2]:
        assert place is not None
        table.end(place)
    assert sorted(left_by(path)) == sorted(waiting[1::2])
    Unanswered(path)
    assert list(left_by(path)) == []


def test_more_than_there_are_places_are_not_noted_and_places_return(tmp_path: Path) -> None:
    table = Unanswered(tmp_path / "unanswered_1")
    one = Waiting("0" * 16, 1, True)
    places = [table.begin(one) for _ in range(PLACES)]
    assert None not in places
    assert table.begin(one) is None
    table.end(0)
    assert table.begin(one) == 0


def test_counting_that_cannot_be_done_harms_no_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    counts = Users(tmp_path)
    for _ in range(10):
        asked = counts.begin(Unit("a/1", unit_name("a/1", "u"), of_user=True))
        assert not counts.answered(asked, failed=True, timed=True)
    assert caplog.text.count("No space left") == 2


def test_a_worker_that_had_no_request_of_an_experiment_leaves_nobody(tmp_path: Path) -> None:
    Users(tmp_path / "nothing").worker_died(1)
