"""What the table of strategies reads off the clients' log."""

from __future__ import annotations

import pytest

from benchmarks.rollouts import last_sent_to
from benchmarks.strategies.figures import (
    TAKEN_UP_SECONDS,
    USERS,
    Flips,
    Span,
    above,
    all_back,
    answered_before_all,
    downtime,
    first_failure,
    flips,
    hurt,
    seen_by,
)
from hack.load import Answer

ALL_THE_TIME = [Span(50, -TAKEN_UP_SECONDS)]


def answer(sent: float, version: str = "1", status: int = 200, *, user: int = 0) -> Answer:
    return Answer(sent, sent + 0.01, status, "", version, number=user)


def history(versions: str, *, user: int = 0, since: float = 0.0) -> list[Answer]:
    """One answer a second; a dash is nobody's."""
    return [
        answer(since + n, version if version != "-" else "", 200 if version != "-" else 503, user=user + n * USERS)
        for n, version in enumerate(versions)
    ]


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
    met = (3, USERS + 3, 7)
    answers = [answer(float(n), "4" if n in met else "1", user=n) for n in range(2 * USERS)]
    assert seen_by(answers, 4) == {"requests": 3, "users": 2}
    assert seen_by(answers[::-1], 4) == {"requests": 3, "users": 2}, "a user is known by his request, not by its place"
    assert last_sent_to(answers, 4) == USERS + 3
    assert last_sent_to(answers, 9) == 0.0


def test_users_are_hurt_by_whatever_fails() -> None:
    answers = [answer(1.0, "4", 500, user=1), answer(2.0, "", 503, user=2), answer(3.0, "4", 500, user=USERS + 1)]
    assert hurt([*answers, answer(4.0, "1", 404, user=3)]) == 2
    assert first_failure(answers) == pytest.approx(1.01)
    assert first_failure([]) is None


def test_all_is_back_when_only_the_old_version_answers_and_well() -> None:
    assert all_back(history("1441"), 1) == 2.0
    assert all_back(history("14-11"), 1) == 2.0, "that nobody answers is not as before"
    assert all_back([answer(1.0), answer(2.0, "1", 500), answer(3.0)], 1) == 2.0
    assert all_back(history("111"), 1) is None


def test_what_is_answered_before_the_old_version_got_its_last_has_tested_the_new() -> None:
    assert answered_before_all(history("1121222"), 1, 2) == 1
    assert answered_before_all(history("11--22"), 1, 2) == 0


@pytest.mark.parametrize(
    ("versions", "found"),
    [
        ("1111", Flips(back=0, constant=0, split=0)),
        ("1222", Flips(back=0, constant=1, split=1)),
        ("1221", Flips(back=1, constant=1, split=1)),
        ("2-11", Flips(back=1, constant=1, split=1)),
        ("-222", Flips(back=0, constant=0, split=1)),
        ("12121", Flips(back=1, constant=1, split=1)),
    ],
)
def test_a_user_flips_when_two_of_his_answers_in_a_row_are_of_different_versions(versions: str, found: Flips) -> None:
    assert flips(history(versions), 2, ALL_THE_TIME) == found


def test_users_are_told_apart() -> None:
    answers = [*history("111", user=1), *history("222", user=2), *history("121", user=3)]
    assert flips(answers, 2, ALL_THE_TIME) == Flips(back=1, constant=1, split=2)
    assert flips(answers[::-1], 2, ALL_THE_TIME) == Flips(back=1, constant=1, split=2), "in whatever order answers come"


def test_a_change_of_the_weight_moves_users_and_its_first_seconds_count_for_nothing() -> None:
    grown = [Span(10, 0.0, 5.0), Span(50, 5.0)]
    assert flips(history("11122", since=2.0), 2, grown).constant == 0, "it grew in between"
    assert flips(history("112", since=4.5), 2, grown).constant == 0, "a proxy may not have taken it up yet"
    assert flips(history("12", since=5.0 + TAKEN_UP_SECONDS), 2, grown).constant == 1


@pytest.mark.parametrize("weight", [0, 100])
def test_who_meets_a_version_that_has_all_traffic_or_none_is_in_no_split(weight: int) -> None:
    assert flips(history("222"), 2, [Span(weight, -TAKEN_UP_SECONDS)]) == Flips(back=0, constant=0, split=0)


def test_pods_above_the_steady_state_are_summed_up_by_the_time_they_are_there() -> None:
    assert above([(0.0, 2), (1.0, 4), (3.0, 3), (4.0, 1), (9.0, 2)], 2) == pytest.approx(2 * 2 + 1 * 1)
