"""The port for a Service of all versions: each request is drawn anew, and nobody chooses for it."""

import http.client
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.unit.sluice_server.collecting import free_port
from tests.unit.sluice_server.running import GOOD_ROW, Running, ask, predict, start


@pytest.fixture(scope="module")
def running(classifier_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    port = free_port()
    server = start(classifier_dir, tmp_path_factory.mktemp("shared"), SLUICE_SHARED_PORT=str(port))
    server.shared_port = port
    yield server
    server.stop()


def through_the_service(server: Running) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", server.shared_port, timeout=30)


def test_each_connection_takes_one_request(running: Running) -> None:
    with closing(through_the_service(running)) as connection:
        for path in ("/ping", "/v2"):
            answer = ask(connection, "GET", path)
            assert (answer.status, answer.headers["Connection"]) == (200, "close")
            assert connection.sock is None
    with running.connect() as connection:
        assert ask(connection, "GET", "/ping").headers["Connection"] == "keep-alive"


@pytest.mark.parametrize("claimed", ["probe", "direct", "targeted", "nonsense"])
def test_requests_count_as_assigned_at_random_whatever_they_say(running: Running, claimed: str) -> None:
    before = running.requests()
    with closing(through_the_service(running)) as connection:
        assert predict(connection, GOOD_ROW, x_sluice_assignment=claimed).status == 200
    with running.connect() as connection:
        assert predict(connection, GOOD_ROW).status == 200
    after = running.requests()
    counted = {key: after[key] - before[key] for key in after if after[key] != before[key]}
    assert counted == {("random", "ok"): 1, ("direct", "ok"): 1}
