"""With autoscalers: how many pods all traffic needs, and the fewest that each version keeps."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from sluice.api.status import Demand
from sluice.core.demand import BLIND
from sluice.core.replicas import needed

from tests.unit.core.moments import NOW, SERVING, Moment, name, pod, revision
from tests.unit.core.test_properties import moments

AUTO = {"minReplicas": 2, "maxReplicas": 10, "targetCPUUtilizationPercentage": 70}
SCALED = SERVING.edited(replicas=None, autoscaling=AUTO).running("1", 6)


def floors(moment: Moment) -> dict[str, int]:
    versions = {name(version): version for version in ("1", "2", "3")}
    return {versions[revision]: floor for revision, floor in moment.plan.floors.items()}


def reason(moment: Moment) -> str:
    degraded = moment.plan.status.condition("Degraded")
    return degraded.reason if degraded else ""


def holding(moment: Moment, pods: int, *, seconds: float | None = None) -> Moment:
    demand = Demand(pods=pods, until=None if seconds is None else moment.later(seconds).now)
    return replace(moment, status=moment.status.model_copy(update={"demand": demand}))


def test_an_idle_version_may_be_scaled_down_to_what_the_user_says() -> None:
    assert floors(SCALED) == {"1": 2}
    assert SCALED.plan.status.demand is None
    assert SCALED.plan.scale == {name("1"): 6}


def test_without_autoscaling_there_are_no_floors() -> None:
    assert SERVING.plan.floors == {}
    assert SERVING.plan.status.demand is None


def test_a_first_version_begins_with_the_fewest_pods() -> None:
    moment = Moment().edited(replicas=None, autoscaling=AUTO).next()
    assert floors(moment) == {"1": 2}


def test_a_candidate_is_scaled_by_its_weight_of_what_stable_has_now() -> None:
    moment = SCALED.rolling_out("2", step=1, weight=20, age=10).running("2", 2)
    assert floors(moment) == {"1": 6, "2": needed(6, 20)}
    assert moment.plan.status.demand == Demand(pods=6)


def test_in_a_rollout_the_most_that_stable_had_is_kept() -> None:
    moment = holding(SCALED.rolling_out("2", step=1, weight=20, age=10).running("2", 2), 8)
    assert floors(moment) == {"1": 8, "2": 2}
    more = moment.running("1", 9)
    assert more.plan.status.demand == Demand(pods=9)


def test_more_load_on_stable_lowers_a_weight_that_ready_pods_do_not_carry_any_more() -> None:
    moment = SCALED.rolling_out("2", step=4, weight=50, age=10).running("2", 3).running("1", 10)
    assert moment.plan.status.rollout
    assert moment.plan.status.rollout.weight == 30
    assert "weight lowered from 50 to 30 %: 3 of 5 pods ready" in (moment.plan.status.message or "")


def test_who_is_promoted_has_as_many_ready_pods_as_all_traffic_needs_and_keeps_them_until_all_was_seen() -> None:
    promoting = holding(SCALED.rolling_out("2", step=5, weight=100, age=10).running("1", 6), 6)
    lacking = promoting.running("2", 5)
    assert lacking.plan.status.rollout, "five pods do not take over from six"
    done = promoting.running("2", 6)
    assert done.plan.status.stable == revision("2")
    assert done.plan.status.demand == Demand(pods=6, until=NOW + BLIND)
    assert floors(done) == {"2": 6}
    after = replace(done.next(), pods=done.pods).gateway_at({"2": 100})
    assert floors(after.later(BLIND.total_seconds() - 1)) == {"2": 6}
    assert floors(after.later(BLIND.total_seconds() + 1)) == {"2": 2}


def test_it_looks_again_when_the_held_demand_is_over() -> None:
    assert holding(SCALED, 6, seconds=20).plan.requeue_after <= 20.1


def test_a_moment_of_the_future_is_brought_to_now() -> None:
    moment = holding(SCALED, 6, seconds=3600)
    assert moment.plan.status.demand == Demand(pods=6, until=NOW + BLIND)


def test_who_is_retired_or_stopped_has_no_autoscaler() -> None:
    assert floors(SCALED.retired("2", due=60).running("2", 4)) == {"1": 2}
    stopped = SCALED.edited(strategy={"recreate": {}}).rolling_out("2", steps="recreate", step_index=1).running("2", 0)
    assert floors(holding(stopped, 6)) == {}


def test_a_recreated_version_starts_with_what_the_old_one_had() -> None:
    starts = SCALED.edited(strategy={"recreate": {}}).rolling_out("2", steps="recreate", step_index=2)
    starts = holding(starts.running("1", 0).running("2", 0), 6)
    assert starts.plan.scale == {name("1"): 0, name("2"): 6}
    assert floors(starts) == {"2": 6}


def test_never_more_than_the_user_allows() -> None:
    assert floors(holding(SCALED.running("1", 14), 12)) == {"1": 10}


def test_pods_that_an_autoscaler_has_just_asked_for_are_no_trouble() -> None:
    starting = pod("1", 8, ready=False)
    assert reason(SCALED.running("1", 2, starting)) == "AsExpected"
    assert reason(SCALED.running("1", 1, starting)) == "MissingPods"


@given(moments(), st.integers(1, 4), st.integers(0, 6), st.none() | st.integers(1, 10))
@settings(max_examples=300, deadline=None)
def test_whoever_has_traffic_keeps_the_pods_for_it(moment: Moment, fewest: int, more: int, held: int | None) -> None:
    auto = {"minReplicas": fewest, "maxReplicas": fewest + more}
    moment = moment.edited(replicas=None, autoscaling=auto)
    if held and moment.status.rollout:
        moment = holding(moment, held)
    plan, before = moment.plan, moment.status
    demand = plan.status.demand.pods if plan.status.demand else fewest
    assert plan.split is not None
    assert fewest <= demand <= fewest + more
    for version, share in plan.split.items():
        stable = plan.status.stable is not None and version == plan.status.stable.name
        given_before = before.rollout is not None and before.rollout.weight >= share
        assert stable or given_before or moment.seen.revision(version).ready >= needed(demand, share)
        if version in plan.floors:
            assert plan.floors[version] >= needed(demand, share)
    for version, floor in plan.floors.items():
        assert 1 <= floor <= fewest + more
        assert plan.scale[version] > 0
    if before.stable and plan.status.stable != before.stable:
        assert plan.status.stable
        had = min(moment.seen.revision(before.stable.name).replicas, fewest + more)
        assert moment.seen.revision(plan.status.stable.name).ready >= had
