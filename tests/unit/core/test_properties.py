"""What every decision keeps, for any spec, any facts and any world."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from sluice.api.outcomes import GateOutcome
from sluice.api.status import GateResult
from sluice.core.observation import Counters, GateState, RouteState, Scrape
from sluice.core.replicas import needed
from sluice.core.strategies.canary import CanaryStrategy

from tests.unit.core.moments import CRASHED, DOWN, NOW, SERVING, Moment, name, pod

VERSIONS = ("1", "2", "3")
MATCH = [{"header": {"name": "x-group", "value": "early"}}]
GATES = {"signature": {}, "goldenSet": {"minAccuracy": 0.9}}


def results() -> st.SearchStrategy[GateResult]:
    """What a gate has answered before."""
    return st.builds(GateResult, name=st.sampled_from([*GATES]), outcome=st.sampled_from(GateOutcome), at=st.just(NOW))


def states() -> st.SearchStrategy[GateState]:
    """What is seen of a gate: of this rollout, or of another one."""
    rounds = st.sampled_from(["penguins-abc-1-0", "penguins-abc-0-0"])
    return st.builds(GateState, rounds, st.sampled_from([*GATES, "speed"]), st.sampled_from([*GateOutcome, None]))


@st.composite
def moments(draw: st.DrawFn) -> Moment:
    """Any moment after the first install."""
    replicas = draw(st.integers(0, 5))
    canary = SERVING.spec.strategy.to_kubernetes()["canary"] | draw(st.sampled_from([{}, {"match": MATCH}]))
    moment = SERVING.edited(replicas=replicas, paused=draw(st.booleans()), strategy={"canary": canary})
    moment = moment.edited(gates=draw(st.sampled_from([None, GATES])))
    if draw(st.booleans()):
        moment = moment.rolling_out(
            "2", step=draw(st.integers(0, 5)), weight=draw(st.sampled_from([0, 1, 20, 50, 100])),
            age=draw(st.sampled_from([0.0, 30.0, 700.0])), inconclusive=draw(st.booleans()),
            gates=tuple(draw(st.lists(results(), max_size=2, unique_by=lambda result: result.name))),
        )  # fmt: skip
        moment = replace(moment, gates=tuple(draw(st.lists(states(), max_size=3))))
    elif draw(st.booleans()):
        moment = moment.retired("2", due=draw(st.sampled_from([-60.0, 60.0])))
    for version in VERSIONS:
        broken = pod(version, 8, ready=False, trouble=draw(st.sampled_from([None, CRASHED])))
        moment = moment.running(version, draw(st.integers(0, 5)), *([broken] if draw(st.booleans()) else []))
    if draw(st.booleans()):
        moment = moment.asking(draw(st.sampled_from(["abort", "promote", "retry"])), draw(st.sampled_from(VERSIONS)))
    weight = draw(st.integers(0, 100))
    shares = {name("1"): 100 - weight, name("2"): weight}
    accepted = draw(st.sampled_from([True, False, None]))
    settled = accepted is True and draw(st.booleans())
    route = RouteState({k: v for k, v in shares.items() if v}, accepted=accepted, settled=settled)
    counters = {
        p.uid: Counters("a", n, draw(st.integers(0, n)))
        for _, pods in moment.pods for p in pods if (n := draw(st.integers(-1, 300))) >= 0
    }  # fmt: skip
    wanted = draw(st.sampled_from([*VERSIONS, "down"]))
    moment = replace(moment, model=DOWN) if wanted == "down" else moment.wanting(wanted)
    if leads_to := draw(st.sampled_from([None, *VERSIONS])):
        moment = leading(moment, leads_to, is_open=draw(st.booleans()), accepted=accepted, settled=settled)
    return replace(moment, route=draw(st.sampled_from([route, None])), scrape=Scrape(counters))


def leading(moment: Moment, version: str, *, is_open: bool, accepted: bool | None, settled: bool) -> Moment:
    """There is a route for requests that match, to whomever."""
    shares, parked = ({name(version): 100}, set()) if is_open else ({}, {name(version)})
    route = RouteState(shares, accepted=accepted, parked=frozenset(parked), settled=settled)
    return replace(moment, targeted=route, status=moment.status.model_copy(update={"targeted": name(version)}))


@given(moments())
@settings(max_examples=300, deadline=None)
def test_a_plan_is_always_safe(moment: Moment) -> None:
    plan, before = moment.plan, moment.status
    assert plan.split is not None
    assert sum(plan.split.values()) == 100
    assert plan.status.message
    after = plan.status
    for revision, share in plan.split.items():
        ready, wants = moment.seen.revision(revision).ready, needed(moment.spec.desired_replicas, share)
        stable = after.stable is not None and revision == after.stable.name
        given_before = before.rollout is not None and before.rollout.weight >= share
        assert stable or ready >= wants or given_before
    assert not set(plan.forget) & set(plan.split)
    assert after.rollout is None or after.stable is None or after.rollout.revision.name != after.stable.name


@given(moments())
@settings(max_examples=200, deadline=None)
def test_who_may_have_traffic_is_never_scaled_below_what_it_needs(moment: Moment) -> None:
    plan, replicas = moment.plan, moment.spec.desired_replicas
    for revision, share in (moment.route.weights if moment.route else {}).items():
        if replicas and moment.seen.revision(revision).replicas:
            least = min(moment.seen.revision(revision).replicas, needed(replicas, share))
            assert plan.scale.get(revision, least) >= least


@given(moments())
@settings(max_examples=200, deadline=None)
def test_only_a_candidate_with_ready_pods_is_targeted_and_whoever_may_be_has_pods(moment: Moment) -> None:
    plan, rollout = moment.plan, moment.plan.status.rollout
    assert plan.targeted is None or (rollout and rollout.revision.name == plan.targeted)
    assert plan.targeted is None or moment.seen.revision(plan.targeted).ready
    for revision in moment.targeted.weights if moment.targeted else ():
        state = moment.seen.revision(revision)
        if moment.spec.desired_replicas and state.replicas:
            assert plan.scale.get(revision, 1) >= 1
        assert revision not in plan.forget


@given(moments())
@settings(max_examples=300, deadline=None)
def test_whoever_is_at_its_gates_is_given_nothing_and_is_asked_about_only_when_nobody_reaches_it(
    moment: Moment,
) -> None:
    plan, rollout = moment.plan, moment.plan.status.rollout
    if rollout is None or not moment.spec.gates:
        assert plan.gating is None
        return
    stage = CanaryStrategy().stage(moment.spec, rollout)
    if stage and stage.gates:
        before = moment.status.rollout.weight if moment.status.rollout else 0
        assert (plan.split or {}).get(rollout.revision.name, 0) <= before
        assert (plan.targeted, plan.mirror) == (None, None)
    if plan.gating and plan.gating.asked:
        assert rollout.weight == 0
        assert not moment.seen.may_reach(rollout.revision.name)
        assert not set(plan.gating.asked) & {result.name for result in rollout.gates}


@given(moments(), st.integers(1, 3))
@settings(max_examples=150, deadline=None)
def test_the_same_look_again_changes_nothing_once_it_has_settled(moment: Moment, seconds: int) -> None:
    """Looking for ever at a world that stands still ends: no loop of events, no loop of writes."""
    moment = replace(moment, wish=None)
    for _ in range(40):
        moment = moment.next().later(seconds)
    plans = [moment.plan, moment.next().later(0.001).plan]
    assert plans[0].events == plans[1].events == ()
    assert plans[0].requeue_after > 0


@given(moments())
@settings(max_examples=150, deadline=None)
def test_an_abort_of_the_candidate_always_wins(moment: Moment) -> None:
    rollout = moment.status.rollout
    if rollout is None:
        return
    plan = moment.asking("abort", "2").plan
    assert plan.status.rollout is None
    assert plan.split == {name("1"): 100}


@given(moments())
@settings(max_examples=100, deadline=None)
def test_a_plan_depends_on_nothing_but_its_input(moment: Moment) -> None:
    assert moment.plan == moment.plan
    stored = type(moment.status).model_validate(moment.plan.status.to_kubernetes())
    assert stored.to_kubernetes() == moment.plan.status.to_kubernetes()
    assert moment.later(0).now - moment.now == timedelta(0)
