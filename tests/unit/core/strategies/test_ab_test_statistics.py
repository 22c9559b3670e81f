"""A/B test: what is counted, how sure one has to be, and what is never believed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest
from sluice.analysis.difference import half_width
from sluice.api.status import Verdict
from sluice.core import observation
from sluice.core.observation import Counters, Scrape

from tests.unit.core.moments import NOW, Moment, name, pod
from tests.unit.core.tested import AWAY, HOUR, LIVE, STICKY, at, converted, even, lost, results, safe, sticky, won


def of_users(moment: Moment, counts: dict[str, tuple[int, int]]) -> Moment:
    """Users and failed ones; each has made ten requests, all of which failed."""
    found = {
        uid: replace(
            one, users=one.requests, users_failed=one.errors, requests=10 * one.requests, errors=10 * one.requests
        )
        for uid, one in moment.counting(counts).scrape.counters.items()
    }
    return replace(moment, scrape=Scrape(found))


def test_users_who_do_not_stay_prove_nothing() -> None:
    moment = results(sticky(LIVE), converted(100, 2000), converted(300, 2000))
    assert moment.outcome.reason == "RolledBack"
    loose = replace(moment, sticky_problem="the policy is refused")
    assert (loose.outcome.reason, loose.outcome.verdict) == ("Analyzing", Verdict.ERROR)


@pytest.mark.parametrize("moment", [won(LIVE), lost(LIVE)])
def test_what_was_incomplete_is_so_until_something_else_is_heard(moment: Moment) -> None:
    found = moment.test
    assert isinstance(found, observation.TestResults)
    unheard = replace(replace(moment, test=replace(found, incomplete=True)).next(), test=None)
    assert unheard.outcome.reason == "Analyzing"


@pytest.mark.parametrize("after", [won, lost])
def test_a_collector_that_has_lost_its_memory_gets_no_second_chance(after: Callable[[Moment], Moment]) -> None:
    before = safe(results(LIVE, converted(600, 6000), converted(600, 6000)))
    again = after(before.next())
    assert again.outcome.reason == "Analyzing"
    assert "has lost it" in again.outcome.message
    more = results(again.next().later(60), converted(1900, 9000), converted(900, 9000))
    assert "has lost it" in more.outcome.message
    assert after(more.next().later(11 * HOUR)).outcome.reason == "Inconclusive"


@pytest.mark.parametrize(
    ("seen", "said", "goes_on"),
    [
        (safe(results(LIVE, converted(200, 2000), converted(200, 2000), incomplete=True)), "another test", False),
        (safe(results(LIVE, converted(200, 2000), converted(300, 3000))), "another test", False),
        (even(LIVE), "the step begins again", True),
        (replace(even(LIVE), test=AWAY), "the step begins again", True),
    ],
)
def test_a_retry_counts_anew_what_could_never_be_believed(seen: Moment, said: str, goes_on: bool) -> None:
    moment = replace(seen, wish=observation.Wish("retry", name("2")))
    facts = moment.outcome.facts
    assert facts.last_action
    assert said in facts.last_action.outcome
    assert bool(facts.rollout) is goes_on
    begun = replace(moment, wish=None).next() if goes_on else replace(moment.next(), wish=None).next().next()
    assert begun.status.rollout
    assert (begun.status.record == seen.status.record) is goes_on


def test_each_bound_has_its_own_alpha() -> None:
    moment = even(at(1, live=50, spec={"analysis": {"alpha": {"harm": 0.001, "safe": 0.3}}}))
    judgement = moment.situation.judgement
    assert judgement
    assert judgement.test
    found = judgement.test.difference
    assert found
    assert -found.lower < 0.7 * found.upper
    assert found.upper - found.estimate == pytest.approx(0.6 * half_width(4000, 0.001, 800), rel=0.01)


def test_where_users_stay_users_are_counted() -> None:
    seen = of_users(results(sticky(LIVE), converted(400, 2000), converted(200, 2000)), {"1": (900, 5), "2": (800, 3)})
    total = seen.situation.evidence.total
    assert (total.candidate_requests, total.candidate_errors) == (800, 3)
    assert (total.stable_requests, total.stable_errors) == (900, 5)
    assert "per user;" in seen.outcome.message
    assert "2,000 and 2,000 users" in seen.outcome.message
    plan = seen.plan
    assert plan.entry
    assert plan.status.rollout
    assert plan.status.rollout.evidence.test
    assert plan.status.rollout.evidence.test.unit.startswith("users")


def test_a_user_who_fails_later_counts_once_more() -> None:
    first = of_users(even(sticky(LIVE)), {"1": (900, 0), "2": (900, 0)})
    later = of_users(replace(first.next(), test=first.test), {"1": (901, 0), "2": (902, 7)})
    total = later.situation.evidence.total
    assert (total.candidate_requests, total.candidate_errors) == (907, 7), "7 failed, of whom at least 5 were known"
    assert (total.stable_requests, total.stable_errors) == (901, 0)


def test_requests_and_users_are_never_mixed() -> None:
    """Who begins to count something else begins where the counters stand."""
    began = NOW - timedelta(hours=1)
    moment = LIVE.running("2", 0, *(pod("2", number, ready=True, created=began) for number in range(4)))
    moment = moment.counting({"1": (500, 0), "2": (500, 0)})
    found = {uid: Counters("a", 5000, 50, users=one.requests) for uid, one in moment.scrape.counters.items()}
    changed = replace(moment.edited(traffic=STICKY), scrape=Scrape(found))
    situation = changed.situation
    assert situation.evidence.total.candidate_requests == 0
    assert all(cursor.users for cursor in situation.evidence.cursors.values())
