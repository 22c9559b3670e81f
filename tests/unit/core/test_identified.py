"""Requests that do not say whose they are: how many, who is told, and that it happens once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sluice.api.status import Identified
from sluice.core.identified import said
from sluice.core.observation import Scrape

from tests.unit.core.moments import ANALYZING, Moment
from tests.unit.core.test_evidence import looked
from tests.unit.core.test_windows import AT_20, STEADY, counting, evidence


def asked(moment: Moment, with_id: int | None, without_id: int | None, **more: Any) -> Moment:
    """As many requests of each kind came to the candidate's first pod, in all; none to the others."""
    moment = counting(moment, {})
    found = {
        uid: replace(one, with_id=with_id if uid == "2-0" else 0, without_id=without_id if uid == "2-0" else 0, **more)
        for uid, one in moment.scrape.counters.items()
    }
    return replace(moment, scrape=Scrape(found))


def known(moment: Moment) -> Identified:
    found = evidence(moment).identified
    assert found
    return found


BEGUN = looked(asked(AT_20, 0, 0))


def told(moment: Moment) -> list[str]:
    return [event.message for event in moment.plan.events if event.reason == "RequestsWithoutId"]


def test_each_request_is_counted_once() -> None:
    first = asked(BEGUN, 80, 20)
    second = asked(looked(first), 90, 35)
    assert (known(first).with_id, known(first).without_id) == (80, 20)
    assert (known(second).with_id, known(second).without_id) == (90, 35)
    assert known(looked(second)) == known(second)


def test_a_restarted_container_counts_from_zero() -> None:
    again = known(asked(looked(asked(BEGUN, 80, 20)), 5, 1, start="b"))
    assert (again.with_id, again.without_id) == (85, 21)


@pytest.mark.parametrize("before", [AT_20, looked(asked(AT_20, None, None))], ids=["nobody looked", "nobody told"])
def test_what_came_before_the_first_look_is_of_no_rollout_or_another_ones(before: Moment) -> None:
    begun = asked(before, 1000, 1000)
    assert known(begun) == Identified()
    later = known(asked(looked(begun), 1008, 1002))
    assert (later.with_id, later.without_id) == (8, 2)


def test_a_server_that_does_not_tell_is_no_obstacle() -> None:
    silent = asked(looked(asked(BEGUN, 80, 20)), None, None)
    assert (known(silent).with_id, known(silent).without_id) == (80, 20)


def test_many_are_told_of_once_in_a_rollout_and_shown_to_its_end() -> None:
    many = asked(BEGUN, 880, 120)
    sentence = "12 % of the requests carry no x-user-id: each is drawn anew, and counts as a user of its own"
    assert told(many) == [f"{sentence}; let whoever asks send it"]
    assert sentence in (many.plan.status.message or "")
    after = asked(many.next(), 1000, 2000)
    assert told(after) == []
    assert "67 % of the requests carry no x-user-id" in (after.plan.status.message or "")
    fewer = asked(many.next(), 100_000, 120)
    assert "0.12 % of the requests" in (fewer.plan.status.message or "")
    assert told(asked(fewer.next(), 100_000, 99_999)) == []


@pytest.mark.parametrize(("with_id", "without_id"), [(0, 99), (95, 5), (1000, 0), (99_000, 5000)])
def test_few_are_no_news(with_id: int, without_id: int) -> None:
    moment = asked(BEGUN, with_id, without_id)
    assert told(moment) == []
    assert "of the requests carry no" not in (moment.plan.status.message or "")


def test_a_cookie_is_named_as_one() -> None:
    by_cookie = STEADY.edited(traffic={"gateway": {"name": "public"}, "sticky": {"cookie": "session"}})
    rollout = asked(BEGUN, 880, 120).situation.rollout
    assert said(by_cookie.spec, rollout).startswith("12 % of the requests carry no cookie session: ")


def test_where_requests_are_drawn_nobody_is_asked_for_an_id() -> None:
    assert evidence(asked(looked(asked(ANALYZING, 0, 0)), 10, 990)).identified is None
