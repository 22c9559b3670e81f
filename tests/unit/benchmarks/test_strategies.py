"""What the table of strategies reads off the clients' log."""

from __future__ import annotations

import pytest

from benchmarks.rollouts import last_sent_to
from benchmarks.strategies import USERS, downtime, leaves, seen_by
from hack.load import Answer


def answer(sent: float, version: str = "1", status: int = 200) -> Answer:
    return Answer(sent, sent + 0.01, status, "", version)


GONE = [
    answer(1.0),
    answer(2.0, "", 503),
    answer(3.0, "", 503),
    answer(4.5, "2"),
    answer(5.0, "", 503),
    answer(5.5, "2"),
]


def test_downtime_lasts_from_the_first_failure_to_the_next_answer() -> None:
    assert downtime(GONE) == pytest.approx(2.5 + 0.5)
    assert downtime([answer(1.0), answer(2.0)]) == 0.0


def test_errors_of_a_version_are_no_downtime() -> None:
    assert downtime([answer(1.0), answer(2.0, "4", 500), answer(3.0)]) == 0.0


def test_who_saw_a_version_is_counted_by_requests_and_by_users() -> None:
    twice = [answer(float(n), "4" if n in (3, USERS + 3, 7) else "1") for n in range(2 * USERS)]
    assert seen_by(twice, 4) == {"requests": 3, "users": 2}
    assert last_sent_to(twice, 4) == USERS + 3
    assert last_sent_to(twice, 9) == 0.0


def test_fields_are_counted_that_a_user_writes() -> None:
    assert len(list(leaves({"recreate": {}}))) == 1
    assert (
        len(list(leaves({"canary": {"steps": [{"setWeight": 10}, {"analysis": {}}, {"pause": {"duration": "1m"}}]}})))
        == 3
    )
