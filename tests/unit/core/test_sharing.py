"""Traffic without a gateway: who has pods behind the Service, how many, and what is known of their shares."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sluice.api.status import Rollout
from sluice.core import sharing
from sluice.core.observation import RouteState
from sluice.core.plan import Plan
from sluice.core.replicas import shared_covered, shared_needed

from tests.unit.core.moments import NOW, SERVING, Moment, name

PLAIN = SERVING.edited(traffic=None).serving("1")
BLUE_GREEN = PLAIN.edited(strategy={"blueGreen": {"verify": {}}})
AT_20 = PLAIN.rolling_out("2", step=2, weight=20, age=10).running("2", 1)
VERSIONS = ("1", "2", "3")


def behind(moment: Moment, weight: int, **pods: int) -> Moment:
    """So many pods of each version, `v1=4`, stand behind the Service, which was asked for a weight."""
    endpoints = {name(version.removeprefix("v")): number for version, number in pods.items()}
    split = {name("1"): 100 - weight, name("2"): weight}
    route = RouteState({k: v for k, v in split.items() if v}, accepted=True, settled=True, endpoints=endpoints)
    return replace(moment, route=route)


def scale(plan: Plan, version: str) -> int:
    return plan.scale[name(version)]


@pytest.mark.parametrize(
    ("replicas", "weight", "pods"),
    [(10, 10, 1), (10, 20, 2), (4, 10, 1), (1, 1, 1), (4, 50, 4), (4, 75, 4), (4, 99, 4), (4, 100, 4), (9, 25, 3)],
)
def test_how_many_pods_a_weight_is(replicas: int, weight: int, pods: int) -> None:
    assert shared_needed(replicas, weight) == pods


@given(st.integers(1, 1000), st.integers(1, 99))
def test_no_share_is_above_its_weight_but_that_of_one_pod_and_one_more_would_be_too_much(
    replicas: int, weight: int
) -> None:
    pods = shared_needed(replicas, weight)
    assert pods == 1 or 100 * pods <= weight * (replicas + pods)
    assert pods == replicas or 100 * (pods + 1) > weight * (replicas + pods + 1)
    assert 1 <= pods <= replicas, "no more than stable has: its pods are there for an abort"


@given(st.integers(1, 1000), st.integers(0, 1000))
def test_all_traffic_needs_all_pods_and_a_share_needs_one(replicas: int, ready: int) -> None:
    weight = shared_covered(replicas, ready)
    assert (weight == 100) == (ready >= replicas)
    assert (weight == 0) == (ready == 0)


def test_a_candidate_starts_as_many_pods_as_its_first_share_is_and_has_no_traffic() -> None:
    plan = PLAIN.rolling_out("2").running("2", 0).plan
    assert (scale(plan, "1"), scale(plan, "2")) == (4, 1)
    assert plan.split == {name("1"): 100}


def test_with_its_pods_ready_it_has_its_share() -> None:
    plan = behind(PLAIN.rolling_out("2").running("2", 1), 0, v1=4).counting({}).plan
    assert plan.split == {name("1"): 80, name("2"): 20}
    assert plan.events[0].message.endswith("gets 20 % of the traffic, as far as pods can split it: 1 of 5")


def test_who_has_more_pods_than_its_share_is_waits_until_they_are_gone() -> None:
    moment = behind(PLAIN.rolling_out("2", weight=20).running("2", 3), 0, v1=4)
    assert moment.plan.split == {name("1"): 100}
    assert scale(moment.plan, "2") == 1
    assert "2 pods of the candidate to end" in (moment.plan.status.message or "")


def test_a_third_version_that_is_warm_makes_room_before_a_share_is_given() -> None:
    moment = PLAIN.retired("3", due=600).rolling_out("2", weight=20).running("2", 1).running("3", 4)
    moment = behind(moment, 0, v1=4)
    plan = moment.plan
    assert plan.split == {name("1"): 100}
    assert scale(plan, "3") == 0
    assert "4 pods of other versions" in (plan.status.message or "")
    assert moment.running("3", 0).plan.split == {name("1"): 80, name("2"): 20}


def test_a_warm_version_stays_where_all_traffic_is_switched() -> None:
    moment = BLUE_GREEN.retired("3", due=600).rolling_out("2").running("2", 4).running("3", 4)
    plan = behind(moment, 0, v1=4).counting({}).plan
    assert scale(plan, "3") == 4
    assert plan.split == {name("2"): 100}


def test_a_share_grows_by_its_weight_first_and_then_by_pods() -> None:
    moment = behind(PLAIN.rolling_out("2", step=3, weight=20, age=10).running("2", 1), 20, v1=4, v2=1).counting({})
    assert (moment.plan.split or {})[name("2")] == 50
    after = moment.next()
    assert scale(after.plan, "2") == 4
    assert scale(replace(moment, spec=moment.edited(paused=True).spec).plan, "2") == 1, "a pause lets nothing grow"


def test_all_traffic_comes_after_half_of_it() -> None:
    moment = PLAIN.edited(strategy={"canary": {"steps": [{"setWeight": 20}]}})
    moment = behind(moment.rolling_out("2", step=1, weight=20, age=10).running("2", 1), 20, v1=4, v2=1).counting({})
    half = moment.next()
    assert half.plan.split == {name("1"): 50, name("2"): 50}
    ready = behind(half.running("2", 4), 50, v1=4, v2=4).counting({})
    assert ready.plan.split == {name("2"): 100}


def test_lost_pods_take_their_share_with_them_and_the_last_one_all_of_it() -> None:
    moment = PLAIN.rolling_out("2", step=4, weight=50, age=10)
    assert behind(moment.running("2", 1), 50, v1=4, v2=1).plan.split == {name("1"): 50, name("2"): 50}
    plan = behind(moment.running("2", 0), 50, v1=4).plan
    assert plan.split == {name("1"): 100}
    assert plan.status.rollout is not None
    assert plan.status.rollout.weight == 0


def test_an_abort_is_one_write_and_pods_end_when_all_know_of_it() -> None:
    moment = behind(AT_20, 20, v1=4, v2=1).asking("abort", "2")
    plan = moment.plan
    assert plan.split == {name("1"): 100}
    assert scale(plan, "2") == 1
    assert scale(behind(moment.next(), 0, v1=4).plan, "2") == 0


def test_people_see_the_share_that_pods_have() -> None:
    status = behind(AT_20, 10, v1=4, v2=1).plan.status
    assert status.weight == 20
    assert "1 of the 5 pods behind the Service are the candidate's" in (status.message or "")
    assert status.rollout is not None
    assert status.rollout.service_pods is not None


# --- what is known of the shares ----------------------------------------------------------------------------------


def evidence_of(moment: Moment) -> tuple[float, float]:
    return sharing.span(moment.situation.evidence)


def rollout_of(moment: Moment) -> Rollout:
    rollout = moment.status.rollout
    assert rollout is not None
    return rollout


def test_evidence_takes_the_share_that_there_is_not_the_one_that_was_asked_for() -> None:
    moment = behind(PLAIN.rolling_out("2", step=2, weight=10, age=60).running("2", 1), 10, v1=4, v2=1).counting({})
    assert evidence_of(moment) == (0.2, 0.2)


def test_a_share_that_was_there_counts_until_all_nodes_know_of_the_new_one() -> None:
    moment = behind(AT_20, 20, v1=4, v2=1).counting({}).next()
    fewer = behind(replace(moment, now=NOW + timedelta(seconds=1)).running("1", 2), 20, v1=2, v2=1).counting({})
    assert evidence_of(fewer) == (0.2, 1 / 3)
    soon = replace(fewer.next(), now=NOW + timedelta(seconds=4))
    assert evidence_of(soon) == (0.2, 1 / 3)
    seconds = (5, 6, 7)
    for second in seconds:
        soon = replace(soon.next(), now=NOW + timedelta(seconds=second))
    assert evidence_of(soon) == (1 / 3, 1 / 3)


def test_what_nobody_has_looked_at_may_have_been_split_in_any_way() -> None:
    moment = behind(AT_20, 20, v1=4, v2=1).counting({}).next()
    later = replace(moment, now=NOW + timedelta(seconds=30)).counting({"1": (400, 0), "2": (100, 100)})
    assert not [one for one in later.situation.evidence.metrics if one.state], "nothing is concluded from these"
    assert later.situation.evidence.total.candidate_requests == 100, "they are counted all the same"
    assert later.situation.judgement is not None
    assert later.situation.judgement.harm == 0


def test_of_many_earlier_shares_the_ends_are_kept() -> None:
    moment = behind(AT_20, 20, v1=4, v2=1).counting({})
    rollout, evidence = rollout_of(moment), moment.situation.evidence
    for second in range(100):  # whose counters nobody can read
        seen = behind(moment.running("1", second), 20, v1=second, v2=1).seen
        evidence = sharing.noted(evidence, rollout, seen, name("1"), NOW + timedelta(seconds=second))
    assert len(evidence.pod_shares) <= sharing.MOST_PAST + 2
    assert sharing.span(evidence) == (0.01, 1.0)


def test_the_same_requests_are_harm_when_the_share_is_known() -> None:
    moment = behind(AT_20, 20, v1=4, v2=1).counting({}).next()
    later = replace(moment, now=NOW + timedelta(seconds=1)).counting({"1": (400, 0), "2": (100, 100)})
    assert later.outcome.reason == "RolledBack"


@st.composite
def worlds(draw: st.DrawFn) -> Moment:
    """Any rollout without a gateway, with any pods of three versions."""
    moment = PLAIN.edited(replicas=draw(st.integers(1, 5)), paused=draw(st.booleans()))
    if draw(st.booleans()):
        moment = moment.retired("3", due=draw(st.sampled_from([-60.0, 60.0])))
    moment = moment.rolling_out(
        "2", step=draw(st.integers(0, 5)), weight=draw(st.sampled_from([0, 1, 20, 50, 99, 100])),
        age=draw(st.sampled_from([0.0, 30.0])),
    )  # fmt: skip
    for version in VERSIONS:
        moment = moment.running(version, draw(st.integers(0, 6)))
    weight = draw(st.sampled_from([0, 20, 50, 100]))
    moment = behind(moment, weight, **{f"v{version}": draw(st.integers(0, 5)) for version in VERSIONS}).counting({})
    return moment.asking("abort", "2") if draw(st.booleans()) else moment


@given(worlds())
def test_a_split_never_gives_what_was_not_meant(moment: Moment) -> None:
    plan = moment.plan
    split, rollout = plan.split or {}, plan.status.rollout
    replicas = moment.spec.desired_replicas
    candidate = moment.seen.revision(name("2"))
    assert sum(split.values()) == 100
    assert plan.scale[name("1")] == replicas or plan.status.stable != rollout_of(moment).revision
    if plan.status.stable and plan.status.stable.name == name("2"):
        return
    if moment.wish or rollout is None or rollout.weight == 0:
        assert split == {name("1"): 100}, "in one write"
    elif len(split) == 2:
        assert 1 <= candidate.ready <= shared_needed(replicas, rollout.weight)
        assert not moment.seen.revision(name("3")).replicas, "a third version would have requests"
    elif name("2") in split:
        assert candidate.ready >= replicas
