"""The real server: gunicorn, processes, sockets and signals."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from sluice_server.metrics import ASSIGNMENTS, OUTCOMES

from tests.unit.sluice_server.running import FAILING_ROW, GOOD_ROW, Running, ask, predict, spawn, start, until

TIMES = 20
CLIENTS = 8


def since(server: Running, before: dict[tuple[str, str], float]) -> dict[tuple[str, str], float]:
    now = server.requests()
    return {key: now[key] - before[key] for key in now if now[key] != before[key]}


def test_it_predicts(server: Running) -> None:
    answer = server.predict(GOOD_ROW)
    assert (answer.status, answer.json) == (200, {"predictions": ["Adelie"]})


def test_all_series_exist_from_the_start(server: Running) -> None:
    assert set(server.requests()) == {(assignment, outcome) for assignment in ASSIGNMENTS for outcome in OUTCOMES}


def test_the_page_says_what_is_served_and_since_when(server: Running) -> None:
    page = server.metrics()
    assert page['sluice_server_info{model="penguins",revision="6d8f",version="7"}'] == 1
    assert page["sluice_server_start_time_seconds"] == server.metrics()["sluice_server_start_time_seconds"]
    assert page["sluice_server_start_time_seconds"] % 1 != 0


def test_counts_add_up_across_workers(server: Running) -> None:
    before = server.requests()

    def client(_number: int) -> None:
        with server.connect() as connection:
            for _ in range(TIMES):
                assert predict(connection, GOOD_ROW, x_sluice_assignment="random").status == 200
                assert predict(connection, FAILING_ROW, x_sluice_assignment="targeted").status == 500
                assert predict(connection, {"length": 1.0}, x_sluice_assignment="mirror").status == 400
                assert ask(connection, "GET", "/readyz").status == 200

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(client, range(CLIENTS)))
    each = float(TIMES * CLIENTS)
    expected = {("random", "ok"): each, ("targeted", "error"): each, ("mirror", "client_error"): each}
    assert since(server, before) == expected
    assert sum(value for name, value in server.metrics().items() if "in_progress" in name) == 0


def test_counts_outlive_a_worker_and_what_it_took_with_it_is_an_error(server: Running) -> None:
    server.predict(GOOD_ROW, x_sluice_assignment="probe")
    before = server.requests()
    workers = server.workers()
    with server.connect() as connection:
        connection.putrequest("POST", "/invocations")
        connection.putheader("Content-Length", "100")
        connection.putheader("x-sluice-assignment", "mirror")
        connection.endheaders(b"{")
        until(lambda: server.metrics()['sluice_requests_in_progress{assignment="mirror"}'] == 1)
        for worker in workers:
            os.kill(worker, signal.SIGKILL)
        until(lambda: len(server.workers()) == 2 and not set(server.workers()) & set(workers))
    assert server.predict(GOOD_ROW, x_sluice_assignment="probe").status == 200
    assert since(server, before) == {("probe", "ok"): 1, ("mirror", "error"): 1}
    assert server.metrics()['sluice_requests_in_progress{assignment="mirror"}'] == 0


def test_a_client_that_goes_away_in_mid_request_is_its_own_fault(server: Running) -> None:
    before = server.requests()
    with server.connect() as connection:
        connection.putrequest("POST", "/invocations")
        connection.putheader("Content-Length", "100")
        connection.endheaders(b"{")
    until(lambda: since(server, before) == {("direct", "client_error"): 1})


def test_the_metrics_port_shows_nothing_else(server: Running) -> None:
    assert server.metrics_page("/healthz").status == 404


def test_sigterm_under_load_loses_no_request(classifier_dir: Path, tmp_path: Path) -> None:
    """Every request is answered that is sent on a connection which the server has not ended."""
    server = start(classifier_dir, tmp_path)
    answered = [0] * CLIENTS

    def client(number: int) -> None:
        with server.connect() as connection:
            while True:
                answer = predict(connection, GOOD_ROW)
                assert answer.status == 200
                answered[number] += 1
                if answer.headers["Connection"] == "close":
                    return

    with ThreadPoolExecutor(CLIENTS) as pool:
        done = [pool.submit(client, number) for number in range(CLIENTS)]
        until(lambda: min(answered) >= 3)
        assert server.stop() == 0
        for one in done:
            one.result(30)


def test_a_model_that_cannot_be_loaded_ends_the_server_with_a_sentence(tmp_path: Path) -> None:
    server = spawn(tmp_path / "nothing", tmp_path)
    assert server.process.wait(timeout=60) == 1, server.log.read_text()
    assert (tmp_path / "termination-log").read_text().startswith("ModelLoadFailed: ")


def test_sigterm_while_loading_ends_the_server(classifier_dir: Path, tmp_path: Path) -> None:
    server = spawn(classifier_dir, tmp_path)
    until((tmp_path / "sluice-metrics").exists)
    assert server.stop() != 0
