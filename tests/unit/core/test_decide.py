"""Every rule, by name: what it decides, and whether its sentence says what, why and what can be done."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sluice.core.observation import Scrape

from tests.unit.core.moments import (
    ANALYZING,
    AT_20,
    CRASHED,
    DOWN,
    EARLY,
    NO_ROOM,
    NOW,
    PROMOTING,
    PULLING,
    SERVING,
    Moment,
    model,
    name,
    pod,
)

NOTHING = Moment()
INSTALLING = NOTHING.rolling_out("1")
PAUSED = AT_20.edited(paused=True)
HELD = SERVING.rolling_out("2", step=2, weight=20, age=10, inconclusive=True)
DEAD = ANALYZING.counting({"1": (80, 0), "2": (20, 20)})
SAFE = ANALYZING.counting({"1": (4000, 0), "2": (1000, 0)})
ON_ITS_WAY = SERVING.rolling_out("2", step=0, weight=20)

# what happens, the moment, the reason, and words that its message must have
RULES = [
    ("nothing is known yet", replace(NOTHING, model=DOWN), "RegistryUnreachable", ["can't be reached"]),
    ("the first version begins", NOTHING, "Installing", ["installing penguins/1"]),
    ("the first version waits for pods", INSTALLING.running("1", 3), "Installing", ["first install", "3 of 4 pods"]),
    ("the first version can't start", INSTALLING.running("1", 0, pod("1", 0, ready=False, trouble=CRASHED)),
     "Installing", ["Crashed", "boom"]),
    ("the first version waits for a scale", INSTALLING.edited(replicas=0), "Installing", ["replicas is 0", "raise it"]),
    ("the first version is ready", INSTALLING, "Promoted", ["penguins/1 is stable now"]),
    ("a newer first version is wanted", INSTALLING.wanting("2"), "Superseded", ["penguins/2 is"]),
    ("all is well", SERVING, "Complete", ["penguins/1 serves all traffic"]),
    ("the registry is away", replace(SERVING, model=DOWN), "RegistryUnreachable", ["penguins/1 serves all traffic"]),
    ("another version is wanted", SERVING.wanting("2"), "RolloutStarted", ["rolling out penguins/2 over penguins/1"]),
    ("a rejected version is still wanted", SERVING.rejected("2").wanting("2"), "RolledBack",
     ["penguins/2 was rolled back", "penguins/1 serves all traffic", "Register a fixed version", "sluice.dev/retry="]),
    ("another version follows a rejected one", SERVING.rejected("2").wanting("3"), "RolloutStarted", ["penguins/3"]),
    ("the candidate starts", EARLY.running("2", 0, pod("2", 0, ready=False, trouble=PULLING)), "ScalingUp",
     ["0 of 1 pods ready for 20 %", "ErrImagePull"]),
    ("there is no room for the candidate", EARLY.running("2", 0, pod("2", 0, ready=False, trouble=NO_ROOM)),
     "ScalingUp", ["Insufficient nvidia.com/gpu; there is no room for it beside stable: add nodes",
     "strategy recreate"]),
    ("there is no room for the candidate in time",
     EARLY.later(700).running("2", 0, pod("2", 0, ready=False, trouble=NO_ROOM)), "RolledBack",
     ["Insufficient nvidia.com/gpu after 600 s; there is no room for it beside stable", "strategy recreate"]),
    ("the candidate was not read yet", replace(EARLY.running("2", 4, pod("2", 9)), scrape=Scrape()), "Unreadable",
     ["first look at the counters"]),
    ("the candidate can't be read", replace(EARLY.running("2", 4, pod("2", 9)), scrape=Scrape({}, {"2-9": "timeout"})),
     "Unreadable", ["pod-2-9", "can't be read (timeout)"]),
    ("the candidate gets its first weight", EARLY, "ShiftingTraffic", ["penguins/2 gets 20 %"]),
    ("the gateway has not answered", ON_ITS_WAY.gateway_at({"1": 80, "2": 20}, accepted=None), "ShiftingTraffic",
     ["waiting for the gateway"]),
    ("the gateway refuses", ON_ITS_WAY.gateway_at({"1": 80, "2": 20}, accepted=False, message="no listener"),
     "ShiftingTraffic", ["waiting for the gateway", "no listener"]),
    ("the gateway has the weight", ON_ITS_WAY, "StepCompleted", ["20 % of the traffic goes to penguins/2"]),
    ("a pause goes on", AT_20, "Pausing", ["pausing at 20 % for 1m"]),
    ("a pause is over", AT_20.later(60), "StepCompleted", ["paused for 1m"]),
    ("no request came", ANALYZING, "Analyzing", ["no data", "no request came"]),
    ("few requests came", ANALYZING.counting({"1": (40, 0), "2": (10, 0)}), "Analyzing",
     ["too little", "10 of at least 100"]),
    ("a pod does not answer", ANALYZING.counting({"1": (400, 0)}).blind("2-1"), "Analyzing",
     ["pod-2-1", "can't be read"]),
    ("only the candidate answers", ANALYZING.counting({"2": (10, 0)}), "Analyzing", ["nothing to compare with"]),
    ("neither is proven yet", ANALYZING.edited(analysis={"minRequests": 1}).counting({"1": (40, 1), "2": (10, 0)}),
     "Analyzing", ["harm", "safe", "of a proof"]),
    ("the gateway does not split as told", ANALYZING.counting({"1": (100, 0), "2": (4000, 0)}), "Analyzing",
     ["sample-ratio mismatch", "nothing can be concluded"]),
    ("safety is proven", SAFE, "StepCompleted", ["safe at 20 %"]),
    ("harm is proven", DEAD, "RolledBack", ["rolled back from 20 %", "HarmProven", "20 errors in 20", "tolerated"]),
    ("harm is proven while paused", DEAD.edited(paused=True), "RolledBack", ["HarmProven"]),
    ("the candidate crashes", AT_20.running("2", 1, pod("2", 1, ready=False, trouble=CRASHED)), "RolledBack", ["boom"]),
    ("the candidate crashes while paused", PAUSED.running("2", 1, pod("2", 1, ready=False, trouble=CRASHED)),
     "RolledBack", ["boom"]),
    ("another version is wanted now", AT_20.wanting("3"), "Superseded",
     ["penguins/2 is no longer wanted", "penguins/3"]),
    ("the old version is wanted again", AT_20.wanting("1"), "Superseded", ["penguins/2 is no longer wanted"]),
    ("pods are lost", AT_20.running("2", 0), "CapacityLost", ["weight lowered from 20 to 0 %", "0 of 1 pods"]),
    ("some pods are lost", PROMOTING.running("2", 3), "CapacityLost", ["from 100 to 75 %"]),
    ("pods are back", SERVING.rolling_out("2", step=1, age=10), "ShiftingTraffic", ["gets 20 %"]),
    ("somebody pauses", PAUSED, "Paused", ["paused at 20 %", "set it to false"]),
    ("somebody scales to zero", AT_20.edited(replicas=0), "ScaledToZero", ["replicas is 0", "raise it"]),
    ("it goes on", SERVING.rolling_out("2", step=1, weight=20, paused_at=NOW), "Resumed", ["going on"]),
    ("the steps were changed", AT_20.edited(strategy={"canary": {"steps": [{"setWeight": 5}]}}), "StepsChanged",
     ["steps were changed", "begins them again"]),
    ("the pods never came", SERVING.rolling_out("2", age=601).running("2", 0), "RolledBack",
     ["ProgressDeadlineExceeded", "0 of 1 pods ready for 20 %", "after 600 s"]),
    ("nothing was proven in time", SERVING.rolling_out("2", step=2, weight=20, age=601), "Inconclusive",
     ["neither harm nor safety", "600 s", "sluice.dev/promote=", "sluice.dev/retry=", "sluice.dev/abort="]),
    ("it is held", HELD, "Inconclusive", ["held", "No data", "sluice.dev/promote="]),
    ("harm is proven while held", replace(HELD, scrape=DEAD.scrape), "RolledBack", ["HarmProven"]),
    ("the last step is done", SERVING.rolling_out("2", step=5, weight=50), "ShiftingTraffic", ["gets 100 %"]),
    ("it has all traffic", PROMOTING, "Promoted", ["penguins/2 is stable now"]),
    ("somebody aborts", AT_20.asking("abort", "2"), "ActionTaken", ["penguins/2 aborted"]),
    ("somebody aborts another", AT_20.asking("abort", "3"), "ActionTaken", ["refused", "the candidate is"]),
    ("somebody aborts nothing", SERVING.asking("abort", "2"), "ActionTaken", ["refused", "no rollout is going on"]),
    ("somebody skips an analysis", ANALYZING.asking("promote", "2"), "ActionTaken", ["step skipped by a person"]),
    ("somebody skips a weight", EARLY.asking("promote", "2"), "ActionTaken", ["refused", "can't be skipped"]),
    ("somebody tries a step again", HELD.asking("retry", "2"), "ActionTaken", ["the step begins again"]),
    ("somebody tries a version again", SERVING.rejected("2").wanting("2").asking("retry", "2"), "ActionTaken",
     ["penguins/2 is tried again"]),
]  # fmt: skip


@pytest.mark.parametrize(("what", "moment", "reason", "says"), RULES, ids=[rule[0] for rule in RULES])
def test_a_rule_decides_and_says_why(what: str, moment: Moment, reason: str, says: list[str]) -> None:
    outcome = moment.outcome
    assert outcome.reason == reason, outcome.message
    assert [words for words in says if words not in outcome.message] == [], outcome.message


@pytest.mark.parametrize("moment", [rule[1] for rule in RULES], ids=[rule[0] for rule in RULES])
def test_every_plan_keeps_its_promises(moment: Moment) -> None:
    plan = moment.plan
    assert plan.status.message
    assert plan.split is None or sum(plan.split.values()) == 100
    assert plan.requeue_after >= 0
    assert {c.type for c in plan.status.conditions} == {
        "Ready", "Available", "Progressing", "Paused", "Analyzed", "Degraded",
    }  # fmt: skip
    assert all(c.observed_generation == 7 and c.reason for c in plan.status.conditions)


def test_a_gateway_that_is_missing_is_said_first() -> None:
    plan = replace(SERVING, gateway_problem="there is no Gateway public").plan
    assert plan.status.message == "there is no Gateway public; penguins/1 serves all traffic"
    assert {c.type: str(c.status) for c in plan.status.conditions}["Ready"] == "False"


def test_a_lost_pod_of_stable_is_said_with_its_trouble() -> None:
    plan = SERVING.running("1", 3, pod("1", 3, ready=False, trouble=CRASHED)).plan
    assert "stable penguins/1: 3 of 4 pods ready; Crashed" in str(plan.status.message)
    assert {c.type: str(c.status) for c in plan.status.conditions}["Available"] == "True"


@pytest.mark.parametrize("moment", [AT_20, ANALYZING, PROMOTING, HELD, PAUSED, DEAD], ids=lambda m: m.outcome.reason)
def test_an_abort_ends_with_all_traffic_on_stable(moment: Moment) -> None:
    plan = moment.asking("abort", "2").plan
    assert plan.split == {name("1"): 100}
    assert [entry.reason for entry in plan.status.rejected] == ["Aborted"]
    assert plan.scale[name("2")] == 4, "its requests under way end in peace"


def test_what_was_aborted_stays_out_until_it_is_tried_again() -> None:
    aborted = AT_20.asking("abort", "2").next()
    aborted = replace(aborted, wish=None).next()
    assert aborted.next().outcome.reason == "RolledBack"
    assert aborted.wanting("3").outcome.reason == "RolloutStarted"
    taken_back = aborted.wanting("1").next()
    assert taken_back.wanting("2").outcome.reason == "RolledBack", "remembered"


def test_a_wish_is_answered_once_and_noted_when_its_annotation_is_gone() -> None:
    asked = ANALYZING.asking("promote", "2")
    answered = asked.next()
    assert asked.plan.clear_wish
    assert answered.plan.clear_wish, "still there: to be taken off, but not answered again"
    assert answered.outcome.reason != "ActionTaken"
    gone = replace(answered, wish=None)
    assert gone.outcome.reason == "ActionTaken"
    assert not gone.next().plan.clear_wish
    assert gone.next().status.last_action is not None


def test_a_pause_stops_the_clock_and_a_new_step_begins_where_it_stands() -> None:
    paused = PAUSED.next().later(10_000)
    skipped = replace(paused.asking("promote", "2").next(), wish=None).next().later(1000)
    resumed = skipped.edited(paused=False).next()
    assert resumed.situation.step_age == timedelta(0)
    assert paused.edited(paused=False).next().situation.step_age == timedelta(seconds=10)


STEPS = [{"setWeight": 20}, {"pause": {"duration": "60s"}}, {"analysis": {"marginAbsolute": 0.05}}]
EDITS = [
    ("fewer steps than were done", STEPS[:1], True),
    ("no analysis any more", [STEPS[0], {"pause": {"duration": "60s"}}, {"setWeight": 30}], True),
    ("another margin at this step", [*STEPS[:2], {"analysis": {"marginAbsolute": 0.5}}], True),
    ("more steps at the end", [*STEPS, {"setWeight": 40}, {"setWeight": 60}], False),
    ("later steps are gone", STEPS, False),
]


@pytest.mark.parametrize(("what", "steps", "again"), EDITS, ids=[edit[0] for edit in EDITS])
def test_nothing_is_promoted_by_an_edit_of_the_steps(what: str, steps: list[object], again: bool) -> None:
    edited = ANALYZING.edited(strategy={"canary": {"steps": steps}})
    assert (edited.outcome.reason == "StepsChanged") is again
    rollout = edited.plan.status.rollout
    assert rollout is not None
    assert rollout.step_index == (0 if again else 2)
    assert rollout.evidence == edited.situation.status.rollout.evidence  # type: ignore[union-attr]


def test_pods_that_are_replaced_late_have_the_same_time_again() -> None:
    long_ago = SERVING.rolling_out("2", step=1, weight=20, age=5000).edited(
        strategy={"canary": {"steps": [{"setWeight": 20}, {"pause": {"duration": "9h"}}]}}
    )
    rollout = long_ago.status.rollout
    assert rollout is not None
    begun = rollout.model_copy(update={"steps": long_ago.situation.strategy.begun(long_ago.spec, 1)})
    moment = replace(long_ago, status=long_ago.status.model_copy(update={"rollout": begun})).running("2", 0)
    lost = moment.next()
    assert lost.later(599).outcome.reason == "ScalingUp"
    assert lost.later(601).outcome.reason == "RolledBack"


def test_a_scale_of_zero_holds_a_rollout_with_its_clock() -> None:
    parked = AT_20.edited(replicas=0).running("2", 0).running("1", 0)
    parked = parked.next().next().later(100_000)
    assert parked.outcome.reason == "ScaledToZero"
    back = parked.edited(replicas=4).next()
    assert back.outcome.reason == "ScalingUp", "not rolled back for the time that it was parked"


@pytest.mark.parametrize("version", ["1", "2"])
def test_evidence_in_another_form_does_not_stop_the_loop(version: str) -> None:
    evidence = {"metrics": [{"metric": "errors", "state": {"format": "errors/0"}}], "sampleRatio": {"format": "old"}}
    rollout = ANALYZING.status.rollout
    assert rollout is not None
    old = rollout.model_copy(update={"evidence": type(rollout.evidence).model_validate(evidence)})
    moment = replace(ANALYZING, status=ANALYZING.status.model_copy(update={"rollout": old}))
    assert moment.counting({version: (10, 0)}).outcome.reason == "Analyzing"


def test_a_version_pushed_within_the_same_second_simply_replaces_the_one_before() -> None:
    both = SERVING.wanting("2").next().wanting("3").next().next()
    assert both.status.rollout is not None
    assert both.status.rollout.revision.model_version == model("3").version
    assert [entry.revision.model_version for entry in both.status.retired] == ["2"]


@pytest.mark.parametrize(
    ("message", "helps"),
    [
        (
            "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: 1 No preemption victims",
            True,
        ),
        ("0/3 nodes are available: 1 Insufficient memory, 2 node(s) had untolerated taint(s)", True),
        ("0/1 nodes are available: 1 Too many pods", True),
        ("pods is forbidden: exceeded quota: compute, requested: requests.cpu=1", True),
        ("0/1 nodes are available: 1 node(s) had untolerated taint(s)", False),
        ("0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector", False),
    ],
)
def test_recreate_is_advised_where_it_would_help(message: str, helps: bool) -> None:
    waiting = pod("2", 0, ready=False, trouble=replace(NO_ROOM, message=message))
    strategies: tuple[dict[str, Any], ...] = ({"canary": {"steps": [{"setWeight": 20}]}}, {"blueGreen": {}})
    for strategy in strategies:
        rolling = SERVING.edited(strategy=strategy).rolling_out("2").running("2", 0, waiting)
        assert ("strategy recreate" in rolling.outcome.message) is helps
    alone = SERVING.edited(strategy={"recreate": {}}).rolling_out("2", step=2, age=700).running("1", 0)
    assert "strategy recreate" not in alone.running("2", 0, waiting).outcome.message, "it is that already"
    assert "strategy recreate" not in INSTALLING.running("1", 0, waiting).outcome.message, "nothing is beside it"
