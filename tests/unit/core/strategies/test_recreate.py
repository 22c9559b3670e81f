"""Recreate: one version's pods at a time, an outage that is announced, and the same way back."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sluice.api.status import ConditionStatus, Retired
from sluice.core.observation import Pod, RouteState

from tests.unit.core.moments import CRASHED, NOW, SERVING, Moment, name, pod, revision

RECREATING = SERVING.edited(strategy={"recreate": {}})
BEGIN = RECREATING.rolling_out("2").running("2", 0)
STOP = RECREATING.rolling_out("2", step=1, age=5).running("2", 0)
START = RECREATING.rolling_out("2", step=2, age=5).running("1", 0).running("2", 0)
AT_100 = RECREATING.rolling_out("2", step=2, weight=100, age=5).running("1", 0)
EVICTED = pod("1", 0, ready=False, ended=True)
ENDING = pod("1", 0, ready=False, terminating=True)


def down(moment: Moment) -> Moment:
    return replace(moment, status=moment.status.model_copy(update={"down_since": NOW}))


# what happens, the moment, the reason, and words that its message must have
RULES = [
    ("another version is wanted", RECREATING.wanting("2"), "RolloutStarted", ["rolling out penguins/2 over"]),
    ("the old one is told to stop", BEGIN, "Recreating", ["penguins/1 stops", "nobody serves until penguins/2"]),
    ("a pause comes in time", BEGIN.edited(paused=True), "Paused", ["paused at 0 %"]),
    ("the old one ends", down(STOP).running("1", 0, ENDING), "Recreating",
     ["waiting for 1 pods to end", "no version serves since 12:00:00 UTC"]),
    ("the old one is gone", down(STOP).running("1", 0), "Recreating", ["penguins/2 starts"]),
    ("a pause comes too late", down(STOP).running("1", 0).edited(paused=True), "Recreating", ["penguins/2 starts"]),
    ("the new one starts", down(START).running("2", 3), "Recreating",
     ["3 of 4 pods ready for 100 %", "no version serves since 12:00:00 UTC: penguins/1 was stopped"]),
    ("the new one is ready", down(START).running("2", 4), "ShiftingTraffic", ["penguins/2 gets 100 %"]),
    ("the new one can't start", down(START).running("2", 0, pod("2", 0, ready=False, trouble=CRASHED)), "RolledBack",
     ["penguins/2 rolled back from 0 %", "Crashed", "boom"]),
    ("the new one is late", down(RECREATING.rolling_out("2", step=2, age=700)).running("1", 0).running("2", 3),
     "RolledBack", ["ProgressDeadlineExceeded", "3 of 4 pods ready", "after 600 s"]),
    ("the old one does not end", down(RECREATING.rolling_out("2", step=1, age=700)).running("1", 0, ENDING)
     .running("2", 0), "Recreating", ["penguins/2 starts"]),
    ("one of its pods was evicted", down(STOP).running("1", 0, EVICTED), "Recreating", ["penguins/2 starts"]),
    ("a newer one comes while another starts", down(STOP).running("1", 0).running("3", 2, pod("3", 2)), "Recreating",
     ["waiting for 3 pods to end"]),
    ("who is kept warm is not in the way", down(STOP.retired("3", due=3600)).running("1", 0).running("3", 4),
     "Recreating", ["penguins/2 starts"]),
    ("nothing can be skipped", down(START).asking("promote-full", "2"), "ActionTaken", ["promote-full refused"]),
    ("a pod is lost on the last step", down(AT_100).running("2", 3), "Recreating", ["3 of 4 pods ready"]),
    ("all pods are lost on the last step", down(AT_100).running("2", 0), "CapacityLost", ["from 100 to 0 %"]),
    ("a person gives it up", down(START).asking("abort", "2"), "ActionTaken", ["penguins/2 aborted"]),
    ("no step can be skipped", down(START).asking("promote", "2"), "ActionTaken", ["promote refused", "3/3 start"]),
    ("another strategy has given it traffic", BEGIN.rolling_out("2", weight=20), "ShiftingTraffic", ["gets 0 %"]),
]  # fmt: skip


@pytest.mark.parametrize(("what", "moment", "reason", "words"), RULES, ids=[case[0] for case in RULES])
def test_each_moment_has_its_reason_and_its_words(what: str, moment: Moment, reason: str, words: list[str]) -> None:
    moment.expect(reason, words)


# the moment, the pods of the old version and of the new one
PODS = [
    ("nothing happens before it begins", BEGIN.edited(paused=True), 4, 0),
    ("the old one stops, nobody starts", STOP, 0, 0),
    ("the new one starts when the old one is gone", START, 0, 4),
    ("a scale of zero is for all", START.edited(replicas=0), 0, 0),
    ("what another strategy has begun is not scaled down with traffic", BEGIN.rolling_out("2", step=7, weight=20,
     steps="others"), 4, 4),
]  # fmt: skip


@pytest.mark.parametrize(("why", "moment", "old", "new"), PODS, ids=[case[0] for case in PODS])
def test_one_version_has_pods_at_a_time(why: str, moment: Moment, old: int, new: int) -> None:
    assert (moment.plan.scale[name("1")], moment.plan.scale[name("2")]) == (old, new)


def given_up(moment: Moment) -> Moment:
    entry = Retired(revision=revision("2"), scale_down_at=NOW)
    return replace(moment, status=moment.status.model_copy(update={"retired": (entry,)}))


def test_the_way_back_starts_the_old_one_when_the_new_one_is_gone() -> None:
    back = given_up(down(RECREATING)).running("1", 0).rejected("2").wanting("2")
    ending = back.running("2", 0, pod("2", 0, ready=False, terminating=True)).plan
    assert (ending.scale[name("1")], ending.scale[name("2")]) == (0, 0)
    assert back.running("2", 0).plan.scale[name("1")] == 4


@pytest.mark.parametrize(
    ("left", "later", "pods"),
    [
        (pod("2", 0, ready=False, ended=True), 0, 4),
        (pod("2", 0, ready=False, terminating=True), 599, 0),
        (pod("2", 0, ready=False, terminating=True), 601, 4),
    ],
    ids=["evicted", "ending", "never ending"],
)
def test_the_way_back_is_never_barred(left: Pod, later: float, pods: int) -> None:
    back = given_up(down(RECREATING)).running("1", 0).running("2", 0, left).rejected("2").wanting("2").later(later)
    assert back.plan.scale[name("1")] == pods


def test_the_way_back_waits_for_pods_of_revisions_that_are_forgotten_too() -> None:
    back = down(RECREATING).running("1", 0).running("9", 0, pod("9", 0, terminating=True))
    assert back.plan.scale[name("1")] == 0


def test_the_way_back_says_what_it_waits_for() -> None:
    back = given_up(down(RECREATING)).running("1", 0).running("2", 0, pod("2", 0, terminating=True)).rejected("2")
    status = back.wanting("2").plan.status
    assert status.message
    assert "penguins/1 waits for 1 pods to end; no version serves since 12:00:00 UTC" in status.message
    available, degraded = status.condition("Available"), status.condition("Degraded")
    assert available
    assert degraded
    assert (available.reason, degraded.reason) == ("Recreating", "RolledBack")


def test_a_version_that_takes_over_keeps_all_traffic_when_it_loses_pods() -> None:
    assert down(AT_100).running("2", 3).plan.split == {name("2"): 100}
    assert down(AT_100).edited(replicas=8).plan.split == {name("2"): 100}


def test_a_scale_to_zero_is_no_outage() -> None:
    parked = down(RECREATING).edited(replicas=0).running("1", 0).plan
    assert parked.status.down_since is None
    assert "ServesAgain" not in [event.reason for event in parked.events]


def test_a_pause_that_holds_nothing_is_not_told_as_one() -> None:
    paused = down(STOP).running("1", 0).edited(paused=True).plan.status.condition("Paused")
    assert paused
    assert paused.status is ConditionStatus.FALSE


@pytest.mark.parametrize("step", [2, 4])
@pytest.mark.parametrize("action", ["promote", "retry", "promote-full"])
def test_a_wish_stops_nobody_unannounced(step: int, action: str) -> None:
    """The same apply changes the strategy and asks for something: recreate begins at its beginning first."""
    canary = SERVING.rolling_out("2", step=step, weight=20, age=10).asking(action, "2")
    changed = canary.edited(strategy={"recreate": {}})
    assert changed.outcome.reason == "StepsChanged"
    assert changed.plan.scale[name("1")] == 4
    direct = SERVING.rolling_out("2", step=step, weight=20, age=10, direct=True).asking("retry", "2")
    assert direct.edited(strategy={"recreate": {}}).plan.scale[name("1")] == 4


def test_pods_lose_their_traffic_on_all_proxies_before_they_end() -> None:
    taken_back = RECREATING.rolling_out("2", weight=0, weight_changed_at=NOW).wanting("2")
    assert taken_back.outcome.reason == "Recreating"
    unsettled = replace(taken_back, route=RouteState({name("1"): 100}, accepted=True, settled=False))
    assert unsettled.outcome.reason == "ShiftingTraffic"
    assert unsettled.plan.scale[name("2")] == 4


def test_a_version_that_waits_behind_nothing_of_a_recreate_starts_at_once() -> None:
    warm = RECREATING.running("1", 0).running("3", 4).retired("3", due=3600)
    assert warm.plan.scale[name("1")] == 4


def test_the_outage_is_a_condition_and_no_fault() -> None:
    status = down(START).running("2", 3).plan.status
    available, degraded = status.condition("Available"), status.condition("Degraded")
    assert available
    assert degraded
    assert (available.status, available.reason) == (ConditionStatus.FALSE, "Recreating")
    assert "no version serves since" in available.message
    assert degraded.status is ConditionStatus.FALSE


def test_the_outage_begins_with_the_first_pod_told_to_end_and_is_measured_to_the_end() -> None:
    plan = BEGIN.plan
    assert plan.status.down_since == NOW
    assert [event.reason for event in plan.events if event.type == "Warning"] == ["Recreating"]
    served = down(RECREATING).later(12.34).plan
    assert served.status.down_since is None
    assert [event.message for event in served.events if event.reason == "ServesAgain"] == [
        "penguins/1 serves, after at most 12.3 s without a version"
    ]


@pytest.mark.parametrize(
    "moment",
    [down(RECREATING).running("1", 0), down(RECREATING).gateway_at({"1": 100}, accepted=None), down(STOP)],
    ids=["no pods", "no answer of the gateway", "told to stop"],
)
def test_the_outage_is_not_over_before_somebody_answers(moment: Moment) -> None:
    assert moment.plan.status.down_since == NOW


def test_the_route_changes_at_once_only_while_nobody_answers() -> None:
    assert down(START).plan.outage
    assert not RECREATING.plan.outage
    assert not down(START).running("1", 1).plan.outage


def test_a_version_that_was_stopped_is_not_said_to_be_warm() -> None:
    promoted = down(AT_100).edited(scaleDownDelaySeconds=600).plan.status
    (old,) = promoted.retired
    assert (old.revision.model_version, old.scale_down_at) == ("1", NOW)
