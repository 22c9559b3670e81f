"""The outcomes that the benchmark's users report."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from benchmarks.strategies.feedback import LIKELY, UNLIKELY, Feedback, converts
from benchmarks.strategies.figures import USERS
from hack.load import Answer, Load


class Model:
    """Takes outcomes while an experiment goes on."""

    def __init__(self) -> None:
        self.live = False
        self.taken: list[tuple[str, Any]] = []
        found = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                if found.live:
                    found.taken.append((self.headers["x-user-id"], body))
                self.send_response(202 if found.live else 409)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/feedback"


@pytest.fixture
def model() -> Iterator[Model]:
    found = Model()
    thread = threading.Thread(target=found.server.serve_forever, daemon=True)
    thread.start()
    yield found
    found.server.shutdown()
    found.server.server_close()
    thread.join()


def answer(number: int, version: str = "2", status: int = 200) -> Answer:
    return Answer(0.0, 0.0, status, "", version, number=number)


def until(true: Any) -> None:
    end = time.monotonic() + 20
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_each_user_tells_his_outcome_once_and_only_to_an_experiment(model: Model) -> None:
    load = Load("", [{}], 1)
    load.answers.append(answer(9))  # before it was opened

    def ask_until_taken(number: int) -> None:
        def taken() -> bool:
            load.answers.append(answer(number))
            return len(model.taken) > 0

        until(taken)

    with Feedback(load, model.url) as feedback:

        def refused() -> bool:
            load.answers.append(answer(5, version="1"))
            return feedback.answers[409] > 0

        load.answers.append(answer(6))  # users begin to meet the good version
        until(refused)
        model.live = True
        ask_until_taken(1)
        load.answers += [answer(2, status=500), answer(3, version=""), answer(USERS + 1), answer(7), answer(5)]
        until(lambda: len(model.taken) == 3)
    assert [user for user, _ in model.taken] == ["user-1", "user-7", "user-5"], (
        "a refused one waits for his next answer"
    )
    assert model.taken[0][1] == {"outcomes": [{"metric": "conversion", "value": 1.0}]}
    assert feedback.answers[202] == 3


def test_nobody_tells_anything_before_users_meet_the_good_version(model: Model) -> None:
    load, model.live = Load("", [{}], 1), True
    with Feedback(load, model.url) as feedback:
        load.answers += [answer(number, version="1") for number in range(5)]
        time.sleep(0.5)
        assert not feedback.answers


def test_a_model_that_is_away_is_counted() -> None:
    load = Load("", [{}], 1)
    with Feedback(load, "http://127.0.0.1:1/feedback") as feedback:

        def asked() -> bool:
            load.answers.append(answer(1))
            return feedback.answers[0] > 0

        until(asked)
    assert not feedback.told


def test_users_convert_as_often_as_is_said() -> None:
    for version, share in (("2", LIKELY), ("1", UNLIKELY)):
        assert sum(converts(user, version) for user in range(USERS)) == share * USERS
