"""Requests that are meant for the candidate: when they get there, what they count for, and how many may fail."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sluice.api.status import Answered
from sluice.core.observation import Counters, RouteState, Scrape

from tests.unit.core.moments import DOWN, SERVING, Moment, name

MATCH = [{"header": {"name": "x-group", "value": "early"}}]
STEPS: list[dict[str, Any]] = [{"pause": {"duration": "60s"}}, {"setWeight": 20}, {"analysis": {}}]


def canary(**more: Any) -> Moment:
    return SERVING.edited(strategy={"canary": {"match": MATCH, "steps": STEPS} | more})


def leading(moment: Moment, version: str = "2", **more: Any) -> Moment:
    """The route of requests that match is there, and open unless it is said to be parked."""
    status = moment.status.model_copy(update={"targeted": name(version)})
    route = RouteState({name(version): 100}, **({"accepted": True, "settled": True} | more))
    return replace(moment, status=status, targeted=route)


def parked(moment: Moment, version: str = "2", **more: Any) -> Moment:
    there = leading(moment, version, **more)
    assert there.targeted
    return replace(there, targeted=replace(there.targeted, weights={}, parked=frozenset({name(version)})))


def answering(moment: Moment, requests: int, errors: int, *, start: str = "a", at_random: int = 0) -> Moment:
    """The first pod of the candidate has answered so many targeted requests, the others none."""
    counters = {p.uid: Counters("a", 0, 0) for _, pods in moment.pods for p in pods}
    mine = Counters(start, at_random, 0, targeted_requests=requests, targeted_errors=errors)
    return replace(moment, scrape=Scrape(counters | {"2-0": mine}))


def at(step: int, *, weight: int = 0, age: float = 5, **more: Any) -> Moment:
    return canary(**more).rolling_out("2", step=step, weight=weight, age=age)


def harmed(moment: Moment, requests: int, errors: int) -> Moment:
    """The moment in which so many requests are counted, after one in which there was none."""
    return answering(answering(moment, 0, 0).next(), requests, errors)


FIRST, PAUSE = at(0), at(1)

# what happens, the moment, the reason, and words that its message must have
RULES = [
    ("pods start", FIRST.running("2", 0), "ScalingUp", ["0 of 1 pods ready"]),
    ("the route is not there yet", FIRST, "WaitingForMatch", ["waiting for the gateway to take the route of canary.m"]),
    ("the route is parked", parked(FIRST), "WaitingForMatch", ["waiting for the gateway"]),
    ("the route is refused", parked(FIRST, accepted=False, message="no"), "WaitingForMatch", ["refused", "(no)"]),
    ("the route is refused for too long", parked(at(0, age=700), accepted=False, message="no listener"), "RolledBack",
     ["ProgressDeadlineExceeded", "no listener", "after 600 s"]),
    ("they get there", leading(FIRST), "StepCompleted", ["1/4 match", "penguins/2 has the requests that match"]),
    ("they have it for a time", leading(PAUSE), "Pausing", ["pausing at 0 % for 1m"]),
    ("the time is over", leading(at(1, age=61)), "StepCompleted", ["2/4 pause"]),
    ("others get there", answering(leading(at(2)), 0, 0), "ShiftingTraffic", ["penguins/2 gets 20 %"]),
    ("they meet errors", harmed(leading(PAUSE), 6, 4), "RolledBack",
     ["HarmProven", "requests that match: 4 errors in 6 requests", "tolerated: 5 %"]),
    ("they meet errors while others do not", harmed(leading(at(3, weight=20)), 6, 4), "RolledBack", ["HarmProven"]),
    ("they meet errors while paused by a person", harmed(leading(PAUSE.edited(paused=True)), 6, 4), "RolledBack",
     ["HarmProven"]),
    ("one error is no proof", harmed(leading(PAUSE), 1, 1), "Pausing", ["pausing at 0 %"]),
    ("so few errors are tolerated", harmed(leading(PAUSE), 400, 8), "Pausing", ["pausing at 0 %"]),
    ("more are tolerated when asked for", harmed(leading(at(1, matchMaxErrorRate=0.9)), 6, 4), "Pausing", ["pausing"]),
    ("fewer are tolerated when asked for", harmed(leading(at(1, matchMaxErrorRate=0.001)), 400, 8), "RolledBack",
     ["tolerated: 0.1 %"]),
    ("a person has seen enough", leading(PAUSE).asking("promote", "2"), "ActionTaken", ["step skipped by a person"]),
    ("who is not there can't be skipped", FIRST.asking("promote", "2"), "ActionTaken", ["refused", "1/4 match"]),
]  # fmt: skip


@pytest.mark.parametrize(("what", "moment", "reason", "words"), RULES, ids=[case[0] for case in RULES])
def test_each_moment_has_its_reason_and_its_words(what: str, moment: Moment, reason: str, words: list[str]) -> None:
    moment.expect(reason, words)


# why, the moment, whether requests that match are meant for version 2
MEANT = [
    ("as soon as a pod is ready", FIRST.running("2", 1), True),
    ("not before", FIRST.running("2", 0), False),
    ("whatever the weight", at(3, weight=20), True),
    ("while it is promoted", at(4, weight=20), True),
    ("not when its pods are lost", at(3, weight=20).running("2", 0), False),
    ("not when it is aborted", at(3, weight=20).asking("abort", "2"), False),
    ("not when nobody is asked for any more", at(0).edited(strategy={"canary": {}}), False),
    ("not when the strategy is another one", at(0).edited(strategy={"recreate": {}}), False),
    ("not when it only returns", canary().rolling_out("2", direct=True), False),
    ("but when a person skips all steps", leading(at(1)).asking("promote-full", "2").next(), True),
    ("also while the registry is down", replace(at(1), model=DOWN), True),
    ("not when nothing is rolled out", canary(), False),
]


@pytest.mark.parametrize(("why", "moment", "meant"), MEANT, ids=[case[0] for case in MEANT])
def test_requests_that_match_go_to_the_candidate(why: str, moment: Moment, meant: bool) -> None:
    assert moment.plan.targeted == (name("2") if meant else None)


def test_the_status_names_the_revision_before_there_is_a_route_and_until_there_is_none() -> None:
    assert FIRST.plan.status.targeted == name("2")
    gone = leading(canary())
    assert gone.plan.status.targeted == name("2"), "its route is still to be taken away"
    assert replace(gone, targeted=None).plan.status.targeted is None


@pytest.mark.parametrize(
    ("moment", "ends"),
    [
        (leading(canary()), False),
        (parked(canary(), settled=False), False),
        (parked(canary()), True),
        (canary(), True),
        (leading(canary(), "3"), True),
    ],
    ids=["open", "an older one may be open", "parked", "no route", "to another one"],
)
def test_who_may_get_targeted_requests_keeps_its_pods(moment: Moment, ends: bool) -> None:
    plan = moment.running("2", 4).retired("2", due=-60).edited(revisionHistoryLimit=0).plan
    assert (plan.scale[name("2")] if not ends else plan.scale.get(name("2"), 0)) == (0 if ends else 4)
    assert (name("2") in plan.forget) is ends


def test_who_was_targeted_drains_though_it_never_had_a_share() -> None:
    (retired,) = leading(PAUSE).asking("abort", "2").plan.status.retired
    assert retired.scale_down_at > PAUSE.now


@pytest.mark.parametrize(
    ("moment", "soon"),
    [
        (parked(canary()), True),
        (parked(PAUSE), True),
        (leading(canary()), True),
        (leading(canary(), accepted=None), False),
    ],
    ids=["to be taken away", "to be opened", "to be parked", "the gateway will tell"],
)
def test_a_route_on_its_way_is_looked_after(moment: Moment, soon: bool) -> None:
    assert (moment.plan.requeue_after <= 1) is soon


def targeted(moment: Moment) -> Answered | None:
    rollout = moment.next().status.rollout
    return rollout.evidence.targeted if rollout else None


def test_targeted_requests_are_no_evidence() -> None:
    after = harmed(leading(at(3, weight=20)), 300, 2).next()
    assert after.status.rollout is not None
    seen = after.status.rollout.evidence
    assert (seen.total.candidate_requests, seen.total.candidate_errors, seen.harm, seen.safe) == (0, 0, 0, 0)
    assert seen.targeted == Answered(requests=300, errors=2)
    assert "of requests that match: 2 errors in 300 requests" in (after.status.message or "")


@given(st.integers(0, 1000), st.integers(0, 1000), st.integers(0, 500))
def test_no_number_of_targeted_requests_changes_the_evidence(requests: int, errors: int, at_random: int) -> None:
    began = answering(leading(at(3, weight=20)), 0, 0).next()
    alone = answering(began, 0, 0, at_random=at_random)
    beside = answering(began, requests, min(errors, requests), at_random=at_random)
    with_none, with_some = (moment.situation.evidence for moment in (alone, beside))
    assert with_none.model_copy(update={"targeted": None}) == with_some.model_copy(update={"targeted": None})
    assert alone.situation.judgement == beside.situation.judgement


def test_a_pod_counts_from_where_it_is_first_seen_and_a_new_run_from_zero() -> None:
    first = answering(leading(PAUSE), 50, 40)
    assert targeted(first) == Answered(requests=0, errors=0)
    then = answering(first.next(), 53, 40)
    assert targeted(then) == Answered(requests=3, errors=0)
    assert targeted(answering(then.next(), 2, 1, start="b")) == Answered(requests=5, errors=1)


def test_the_counts_are_in_the_record() -> None:
    after = harmed(leading(PAUSE), 6, 4).plan.entry
    assert after is not None
    assert after.record.status.decisions[-1].inputs.targeted == Answered(requests=6, errors=4)
    assert after.record.status.decisions[-1].rule == "targeted_harm_proven"


def test_who_matches_may_change_on_the_way_but_not_that_somebody_does() -> None:
    others = [{"cookie": {"name": "group", "value": "beta"}}]
    assert leading(PAUSE).edited(strategy={"canary": {"match": others, "steps": STEPS}}).outcome.reason == "Pausing"
    began = leading(at(1, steps=STEPS[1:]))
    assert began.outcome.reason != "StepsChanged"
    assert began.edited(strategy={"canary": {"steps": STEPS[1:]}}).outcome.reason == "StepsChanged"


def test_without_match_nothing_is_said_and_the_steps_are_what_they_were() -> None:
    plain = SERVING.rolling_out("2", step=1, weight=20)
    assert "match" not in (plain.plan.status.message or "")
    assert [stage.title for stage in plain.situation.strategy.stages(plain.spec)][:2] == ["setWeight 20", "pause"]  # type: ignore[attr-defined]
