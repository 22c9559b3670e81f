"""Blue-green: tested without traffic, switched at once, back in one write."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sluice.core.observation import RouteState, Scrape

from tests.unit.core.moments import CRASHED, SERVING, Moment, name, pod

WANTS: dict[str, Any] = {
    "preview": {"pathPrefix": "/preview"},
    "previewReplicas": 2,
    "pause": {},
    "verify": {"maxErrorRate": 0.02},
}


def blue_green(**wants: Any) -> Moment:
    return SERVING.edited(strategy={"blueGreen": wants})


def previewing(
    moment: Moment, *, accepted: bool | None = True, settled: bool | None = None, message: str = ""
) -> Moment:
    known = accepted is True if settled is None else settled
    preview = RouteState({name("2"): 100}, accepted=accepted, settled=known, message=message)
    return replace(moment, preview=preview)


def at(stage: int, *, weight: int = 0, age: float = 5, **wants: Any) -> Moment:
    return blue_green(**(WANTS | wants)).rolling_out("2", step=stage, weight=weight, age=age)


PREVIEW, PAUSE, SWITCH = at(0), at(1), at(2)
VERIFY = at(3, weight=100)

# what happens, the moment, the reason, and words that its message must have
RULES = [
    ("the pods for the preview start", PREVIEW.running("2", 1), "ScalingUp", ["1 of 2 pods ready"]),
    ("the preview is not there yet", PREVIEW, "WaitingForPreview", ["waiting for the gateway to take the preview"]),
    ("some proxy may not know the preview", previewing(PREVIEW, settled=False), "WaitingForPreview",
     ["waiting until all proxies know the preview"]),
    ("the preview is refused", previewing(PREVIEW, accepted=False, message="no listener"), "WaitingForPreview",
     ["refused by the gateway (no listener)"]),
    ("the preview is refused for too long", previewing(at(0, age=700), accepted=False, message="no listener"),
     "RolledBack", ["ProgressDeadlineExceeded", "no listener", "after 600 s"]),
    ("what a canary gave is taken back before the preview", previewing(at(0, weight=20), accepted=False),
     "ShiftingTraffic", ["gets 0 %"]),
    ("the preview can be tested", previewing(PREVIEW), "StepCompleted",
     ["1/4 preview", "penguins/2 is ready, without traffic; test it at /preview"]),
    ("a person tests it", previewing(PAUSE), "AwaitingPromotion",
     ["paused at 0 % until somebody promotes", "sluice.dev/promote=", "test it at /preview"]),
    ("it is tested for a time", previewing(at(1, pause={"duration": "60s"})), "Pausing",
     ["pausing at 0 % for 1m; test it at /preview"]),
    ("the time is over", previewing(at(1, pause={"duration": "60s"}, age=61)), "StepCompleted", ["2/4 pause"]),
    ("the other pods start", SWITCH.running("2", 3), "ScalingUp", ["3 of 4 pods ready for 100 %"]),
    ("all traffic is switched", SWITCH, "ShiftingTraffic", ["penguins/2 gets 100 %"]),
    ("the switch is live", at(2, weight=100), "StepCompleted", ["3/4 switch", "100 % of the traffic goes to"]),
    ("nobody comes", VERIFY, "Analyzing", ["no data"]),
    ("too few come", VERIFY.counting({"2": (50, 0)}), "Analyzing",
     ["too little traffic yet: 50 of at least 100 requests", "less than 2 % fail", "0 errors in 50 requests"]),
    ("it is not sure yet", VERIFY.counting({"2": (150, 1)}), "Analyzing", ["1 errors in 150 requests", "of a proof"]),
    ("it is sure", VERIFY.counting({"2": (300, 0)}), "StepCompleted", ["less than 2 % fail: 0 errors in 300 requests"]),
    ("stable can't be read, which has no traffic", VERIFY.counting({"2": (300, 0)}).blind("1-0"), "StepCompleted",
     ["less than 2 % fail"]),
    ("it fails while stable can't be read", VERIFY.counting({"2": (20, 20)}).blind("1-0"), "RolledBack", ["Harm"]),
    ("it can't be read", VERIFY.counting({"2": (300, 0)}).blind("2-0"), "Analyzing", ["pod-2-0", "can't be read"]),
    ("it fails", VERIFY.counting({"2": (20, 5)}), "RolledBack",
     ["HarmProven", "penguins/2 rolled back from 100 %", "5 errors in 20 requests", "tolerated: 2 %"]),
    ("its pods crash", VERIFY.running("2", 3, pod("2", 3, ready=False, trouble=CRASHED)), "RolledBack", ["Crashed"]),
    ("it is never sure", at(3, weight=100, age=700).counting({"2": (150, 2)}), "Inconclusive", ["neither harm"]),
    ("a person is sure", VERIFY.asking("promote", "2"), "ActionTaken", ["step skipped by a person"]),
    ("the switch can't be skipped", SWITCH.asking("promote", "2"), "ActionTaken", ["promote refused", "3/4 switch"]),
    ("all stages are done", at(4, weight=100), "Promoted", ["penguins/2 is stable now"]),
    ("nothing but a switch is wanted", blue_green().rolling_out("2"), "ShiftingTraffic", ["penguins/2 gets 100 %"]),
    ("it is not counted unseen", replace(blue_green().rolling_out("2").running("2", 4, pod("2", 9)), scrape=Scrape()),
     "Unreadable", ["first look"]),
]  # fmt: skip


@pytest.mark.parametrize(("what", "moment", "reason", "words"), RULES, ids=[case[0] for case in RULES])
def test_each_moment_has_its_reason_and_its_words(what: str, moment: Moment, reason: str, words: list[str]) -> None:
    moment.expect(reason, words)


@pytest.mark.parametrize(
    ("wants", "titles"),
    [
        ({}, ["switch"]),
        ({"preview": WANTS["preview"]}, ["preview", "switch"]),
        ({"pause": {}}, ["start", "pause", "switch"]),
        (WANTS, ["preview", "pause", "switch", "verify"]),
    ],
    ids=["nothing", "preview", "pause", "all"],
)
def test_the_stages_are_what_was_asked_for(wants: dict[str, Any], titles: list[str]) -> None:
    moment = blue_green(**wants)
    assert [stage.title for stage in moment.situation.strategy.stages(moment.spec)] == titles  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("moment", "pods"),
    [
        (PREVIEW.running("2", 0), 2),
        (PAUSE.running("2", 2), 2),
        (SWITCH.running("2", 2), 4),
        (at(0, previewReplicas=9).running("2", 0), 4),
        (at(0, previewReplicas=None).running("2", 0), 4),
    ],
    ids=["preview", "pause", "switch", "no more than all", "all by default"],
)
def test_the_idle_environment_is_small_until_the_switch(moment: Moment, pods: int) -> None:
    assert moment.plan.scale[name("2")] == pods
    assert moment.plan.scale[name("1")] == 4


@pytest.mark.parametrize("moment", [PREVIEW, PAUSE, SWITCH.running("2", 3)], ids=["preview", "pause", "not all pods"])
def test_users_see_nothing_of_it_before_the_switch(moment: Moment) -> None:
    assert previewing(moment).plan.split == {name("1"): 100}


@pytest.mark.parametrize(
    ("moment", "leads_to"),
    [
        (PREVIEW.running("2", 0), None),
        (PREVIEW, "2"),
        (VERIFY, "2"),
        (blue_green(pause={}).rolling_out("2"), None),
        (SERVING.edited(strategy={"blueGreen": WANTS}), None),
        (PREVIEW.asking("abort", "2"), None),
    ],
    ids=["no pods", "ready", "until the end", "none is wanted", "no rollout", "aborted"],
)
def test_the_preview_leads_to_a_ready_candidate_only(moment: Moment, leads_to: str | None) -> None:
    assert moment.plan.preview == (name(leads_to) if leads_to else None)


def test_the_status_tells_of_the_preview_until_its_route_is_gone() -> None:
    assert PREVIEW.plan.status.preview == name("2")
    aborted = previewing(PREVIEW.next()).asking("abort", "2")
    assert aborted.plan.status.preview == name("2")
    gone = replace(aborted.next(), preview=None, wish=None)
    assert gone.plan.status.preview == name("2"), "an operator who hung may bring it back"
    assert gone.plan.requeue_after <= 31, "somebody looks whether he did"
    assert gone.later(31).plan.status.preview is None


def test_going_back_is_one_write_because_stable_stays_in_the_route() -> None:
    switched = VERIFY.gateway_at({"2": 100})
    assert name("1") in switched.plan.kept
    back = switched.counting({"2": (20, 20)}).plan
    assert back.split == {name("1"): 100}


def test_a_change_of_what_was_done_begins_again_and_of_what_is_to_come_does_not() -> None:
    paused = previewing(PAUSE)
    assert paused.edited(strategy={"blueGreen": WANTS | {"verify": None}}).outcome.reason == "AwaitingPromotion"
    changed = paused.edited(strategy={"blueGreen": WANTS | {"pause": {"duration": "1m"}}})
    assert changed.outcome.reason == "StepsChanged"


def test_a_refused_preview_is_a_fault_that_leaves_stable_available() -> None:
    status = previewing(PREVIEW, accepted=False, message="no listener").plan.status
    degraded, available = status.condition("Degraded"), status.condition("Available")
    assert degraded
    assert available
    assert (degraded.reason, degraded.message) == ("PreviewRefused", "the gateway refuses the preview: no listener")
    assert available.status == "True"


def test_who_was_previewed_drains() -> None:
    aborted = previewing(PREVIEW.next()).asking("abort", "2")
    assert aborted.plan.scale[name("2")] == 4


@pytest.mark.parametrize("action", ["promote", "retry", "promote-full"])
def test_a_wish_never_skips_what_another_strategy_has_not_begun(action: str) -> None:
    """The same apply changes the strategy and asks for something: the new one begins at its beginning first."""
    canary = SERVING.rolling_out("2", step=2, weight=20, age=10).asking(action, "2")
    changed = canary.edited(strategy={"blueGreen": WANTS})
    assert changed.outcome.reason == "StepsChanged"
    assert changed.plan.split == {name("1"): 80, name("2"): 20}
