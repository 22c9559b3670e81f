"""The bound on running and waiting predictions."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sluice_server.errors import OverloadedError
from sluice_server.gate import Gate

from tests.unit.sluice_server.running import until


def test_a_free_slot_is_taken_at_once_and_given_back() -> None:
    gate = Gate(slots=1, queue=0, patience=1)
    for _ in range(3):
        with gate.slot():
            pass


def test_a_full_queue_refuses() -> None:
    gate = Gate(slots=1, queue=0, patience=60)
    with gate.slot(), pytest.raises(OverloadedError), gate.slot():
        pass


def test_waiting_ends_after_a_while() -> None:
    gate = Gate(slots=1, queue=1, patience=0.01)
    with gate.slot(), pytest.raises(OverloadedError), gate.slot():
        pass


def test_a_failed_prediction_gives_its_slot_back() -> None:
    gate = Gate(slots=1, queue=0, patience=60)
    with pytest.raises(ZeroDivisionError), gate.slot():
        raise ZeroDivisionError
    with gate.slot():
        pass


def test_those_who_wait_get_their_turn_and_one_more_is_refused() -> None:
    gate = Gate(slots=1, queue=2, patience=60)
    release = threading.Event()

    def work() -> None:
        with gate.slot():
            release.wait(60)

    with ThreadPoolExecutor() as pool:
        work_done = [pool.submit(work) for _ in range(3)]
        until(lambda: gate._waiting == 2)
        with pytest.raises(OverloadedError), gate.slot():
            pass
        release.set()
        for done in work_done:
            done.result(60)
    assert gate._waiting == 0
