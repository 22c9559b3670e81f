"""Gates: asked when the candidate can be reached, answered once, and no request before all have passed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sluice.api.outcomes import GateOutcome
from sluice.api.status import GateResult, LastAction
from sluice.core.gates import round_of
from sluice.core.observation import GateState, RouteState
from sluice.core.plan import Gating

from tests.unit.core.moments import CRASHED, NOW, SERVING, Moment, name, pod, revision

PASSED, FAILED, UNDECIDED = GateOutcome.PASSED, GateOutcome.FAILED, GateOutcome.UNDECIDED
HOOKS: list[dict[str, Any]] = [{"name": "smoke", "http": {"url": "http://ci/gate"}}]
GATES: dict[str, Any] = {"signature": {}, "goldenSet": {"minAccuracy": 0.9}, "hooks": HOOKS}
NAMES = ("signature", "goldenSet", "smoke")
CANARY = SERVING.edited(gates=GATES)
BLUE_GREEN = SERVING.edited(gates=GATES, strategy={"blueGreen": {"preview": {"pathPrefix": "/p"}, "pause": {}}})
SHADOW = SERVING.edited(gates=GATES, strategy={"shadow": {"percent": 50, "then": "Hold"}})
MATCH = {"match": [{"header": {"name": "x-group", "value": "early"}}], "steps": [{"pause": {}}, {"setWeight": 20}]}
EARLY_ADOPTERS = SERVING.edited(gates=GATES, strategy={"canary": MATCH})
MIRRORED = SERVING.edited(gates=GATES, strategy={"canary": {"steps": [{"mirror": {}}, {"setWeight": 20}]}})
# Strategies with gates, and the step at which they are.
WITH_GATES = [(CANARY, 0), (BLUE_GREEN, 1), (SHADOW, 1), (EARLY_ADOPTERS, 0), (MIRRORED, 0)]


def at_gates(before: Moment = CANARY, *, step: int = 0, age: float = 5, **more: Any) -> Moment:
    return before.rolling_out("2", step=step, age=age, **more)


def result(gate: str, outcome: GateOutcome = PASSED, message: str = "") -> GateResult:
    return GateResult(name=gate, outcome=outcome, message=message, at=NOW)


def known(moment: Moment, *results: GateResult) -> Moment:
    rollout = moment.status.rollout
    assert rollout
    rollout = rollout.model_copy(update={"gates": results})
    return replace(moment, status=moment.status.model_copy(update={"rollout": rollout}))


def answering(moment: Moment, gate: str, outcome: GateOutcome | None, message: str = "", round_: str = "") -> Moment:
    assert moment.status.rollout
    here = round_ or round_of(moment.status, moment.status.rollout)
    return replace(moment, gates=(*moment.gates, GateState(here, gate, outcome, message)))


ALL = tuple(result(gate) for gate in NAMES)
ALL_PASSED = known(at_gates(), *ALL)
NO = result("goldenSet", FAILED, "accuracy 0.5 on 80 rows, at least 0.9 wanted")
UNSURE = result("smoke", UNDECIDED, "nobody there")
PREVIEW = RouteState({name("2"): 100}, accepted=True, settled=True)

# what happens, the moment, the reason, and words that its message must have
RULES = [
    ("its pod starts", at_gates().running("2", 0, pod("2", 0, ready=False)), "ScalingUp", ["0 of 1 pods ready"]),
    ("all are asked", at_gates(), "AwaitingGates", ["0 of 3 answered: signature, goldenSet, smoke"]),
    ("one waits for something", answering(at_gates(), "smoke", None, "asked 2 times, last: HTTP 503"), "AwaitingGates",
     ["smoke (asked 2 times, last: HTTP 503)"]),
    ("one passes", answering(at_gates(), "smoke", PASSED, "HTTP 200"), "GateAnswered",
     ["gate smoke passed: HTTP 200"]),
    ("two are left", known(at_gates(), result("smoke")), "AwaitingGates", ["1 of 3 answered: signature, goldenSet"]),
    ("an answer to another rollout", answering(at_gates(), "smoke", FAILED, "", "penguins-abc-0-0"), "AwaitingGates",
     ["0 of 3"]),
    ("an answer to the try before", answering(at_gates(gate_round=1), "smoke", FAILED, "", "penguins-abc-1-0"),
     "AwaitingGates", ["0 of 3"]),
    ("one that is not asked for", answering(at_gates(), "speed", FAILED), "AwaitingGates", ["0 of 3"]),
    ("one fails", known(at_gates(), NO), "RolledBack", ["GateFailed: gate goldenSet failed: accuracy 0.5"]),
    ("one fails while it is paused", known(at_gates(CANARY.edited(paused=True)), NO), "RolledBack", ["GateFailed"]),
    ("one fails while it is held", known(at_gates(inconclusive=True), NO), "RolledBack", ["GateFailed"]),
    ("one can't tell", known(at_gates(), *ALL_PASSED.status.rollout.gates[:2], UNSURE), "Inconclusive",  # type: ignore[union-attr]
     ["held: gate smoke can't tell: nobody there", "sluice.dev/promote=", "sluice.dev/retry="]),
    ("one can't tell, others are still asked", known(at_gates(), UNSURE), "AwaitingGates", ["1 of 3 answered"]),
    ("all have passed", ALL_PASSED, "StepCompleted", ["1/6 gates", "passed signature, goldenSet, smoke"]),
    ("nobody answers in time", answering(at_gates(age=700), "smoke", None, "no answer"), "Inconclusive",
     ["held: not all gates answered within 600 s", "smoke (no answer)"]),
    ("the answer comes with the deadline", answering(at_gates(age=700), "smoke", PASSED), "GateAnswered", ["passed"]),
    ("all have passed at the deadline", known(at_gates(age=700), *(result(g) for g in NAMES)), "StepCompleted", []),
    ("its pods are gone too long", at_gates(age=700).running("2", 0), "RolledBack", ["ProgressDeadlineExceeded"]),
    ("its pods crash", at_gates().running("2", 0, pod("2", 0, ready=False, trouble=CRASHED)), "RolledBack",
     ["Crashed"]),
    ("it is paused", at_gates(CANARY.edited(paused=True)), "Paused", []),
    ("a person skips them", at_gates().asking("promote", "2"), "ActionTaken", ["step skipped"]),
    ("a person aborts", at_gates().asking("abort", "2"), "ActionTaken", ["aborted"]),
    ("what a canary gave is taken back", at_gates(weight=20), "ShiftingTraffic", ["gets 0 %"]),
    ("a preview comes before", at_gates(BLUE_GREEN), "WaitingForPreview", []),
    ("a shadow's pods come before", at_gates(SHADOW).running("2", 1), "ScalingUp", ["1 of 2 pods ready"]),
    ("it is asked before it gets copies", at_gates(SHADOW, step=1), "AwaitingGates", ["before any traffic, 0 of 3"]),
    ("then it gets copies", known(at_gates(SHADOW, step=1), *ALL), "StepCompleted", ["2/4 gates"]),
    ("one fails before the copies", known(at_gates(SHADOW, step=1), NO), "RolledBack", ["GateFailed"]),
    ("it is asked before early adopters have it", at_gates(EARLY_ADOPTERS), "AwaitingGates", ["0 of 3 answered"]),
    ("then they have it", known(at_gates(EARLY_ADOPTERS), *ALL), "StepCompleted", ["1/4 gates"]),
    ("it is asked before it gets copies as a canary", at_gates(MIRRORED), "AwaitingGates", ["0 of 3 answered"]),
    ("it is asked while it is previewed", replace(at_gates(BLUE_GREEN, step=1), preview=PREVIEW), "AwaitingGates", []),
]  # fmt: skip


@pytest.mark.parametrize(("what", "moment", "reason", "words"), RULES, ids=[case[0] for case in RULES])
def test_each_moment_has_its_reason_and_its_words(what: str, moment: Moment, reason: str, words: list[str]) -> None:
    moment.expect(reason, words)


def asked(moment: Moment) -> tuple[str, ...] | None:
    gating = moment.plan.gating
    return gating.asked if gating else None


def test_whoever_can_be_reached_is_asked_about() -> None:
    plan = at_gates().plan
    assert plan.gating == Gating("penguins-abc-1-0", NAMES, revision("2"), revision("1"))
    assert plan.status.gating == "penguins-abc-1-0"
    assert plan.split == {name("1"): 100}


@pytest.mark.parametrize(
    ("moment", "names"),
    [
        (known(at_gates(), result("signature")), ("goldenSet", "smoke")),
        (at_gates().running("2", 0), ()),
        (at_gates(CANARY.edited(paused=True)), ()),
        (at_gates(weight=20), ()),
        (at_gates(BLUE_GREEN), None),
        (at_gates(SERVING), None),
        (at_gates(direct=True), None),
        (at_gates(step=1), None),
        (known(at_gates(), NO), None),
        (at_gates().asking("abort", "2"), None),
        (at_gates(SHADOW).running("2", 1), None),
        (at_gates(SHADOW, step=2), None),
        (replace(at_gates(EARLY_ADOPTERS), targeted=PREVIEW), ()),
        (replace(at_gates(), route=RouteState({name("1"): 100}, accepted=True)), ()),
    ],
    ids=["answered", "no pod", "paused", "with traffic", "previewed first", "no gates", "promoted by a person",
         "past them", "turned down", "aborted", "pods first", "copied", "with early adopters",
         "an older route is live"],
)  # fmt: skip
def test_nobody_else_is(moment: Moment, names: tuple[str, ...] | None) -> None:
    assert asked(moment) == names


def test_whoever_is_still_asked_is_looked_for_until_he_is_gone() -> None:
    moment = answering(at_gates(), "smoke", None).next().asking("abort", "2").next()
    assert moment.status.rollout is None
    assert moment.status.gating == "penguins-abc-1-0"
    assert moment.plan.gating is None
    assert moment.plan.requeue_after <= 1
    alone = replace(moment, gates=())
    assert alone.next().status.gating == "penguins-abc-1-0", "an operator who hung may ask late"
    assert alone.later(60).next().status.gating is None


def test_an_answer_is_kept_and_told_once() -> None:
    moment = answering(at_gates(), "smoke", PASSED, "HTTP 200")
    assert [event.reason for event in moment.plan.events] == ["GatePassed"]
    after = moment.next()
    assert after.status.rollout
    assert after.status.rollout.gates == (result("smoke", PASSED, "HTTP 200"),)
    assert asked(after) == ("signature", "goldenSet")
    assert after.plan.events == ()


def test_another_try_asks_everybody_anew() -> None:
    moment = known(at_gates(inconclusive=True), result("signature"), UNSURE).asking("retry", "2").next()
    assert moment.status.rollout
    assert (moment.status.rollout.gates, moment.status.rollout.gate_round) == ((), 1)
    assert asked(replace(moment, wish=None)) == NAMES


def test_changed_gates_are_asked_anew_and_take_traffic_back_in_the_same_look() -> None:
    """So that a route which has not come to the weight yet does not get there any more."""
    moment = at_gates(step=1, weight=20).edited(gates={"goldenSet": {"minAccuracy": 0.5}})
    assert moment.outcome.reason == "StepsChanged"
    assert reached(moment) == {name("1")}
    moment = moment.next()
    assert moment.status.rollout
    assert (moment.status.rollout.gate_round, moment.status.rollout.weight) == (1, 0)


def test_an_answer_to_gates_as_they_were_does_not_count() -> None:
    moment = answering(at_gates(), "goldenSet", FAILED).edited(gates={"goldenSet": {"minAccuracy": 0.5}})
    assert moment.outcome.reason == "StepsChanged"
    assert moment.next().outcome.reason == "AwaitingGates"


outcomes = st.one_of(st.just(PASSED), st.sampled_from([*GateOutcome, None]))


def reached(moment: Moment) -> set[str]:
    """Who has requests, is meant to have some, or gets copies."""
    plan = moment.plan
    beside = (plan.targeted, plan.mirror and plan.mirror.revision)
    return {*(plan.split or {}), *(revision for revision in beside if revision)}


@given(st.permutations((*NAMES, "speed")), st.lists(outcomes, min_size=4, max_size=4), st.sampled_from(WITH_GATES))
@settings(max_examples=120, deadline=None)
def test_no_request_and_no_copy_before_all_gates_have_passed(
    names: list[str], answers: list[GateOutcome | None], where: tuple[Moment, int]
) -> None:
    before, step = where
    moment = replace(at_gates(before, step=step), preview=PREVIEW)
    passed: set[str] = set()
    for gate, outcome in zip(names, answers, strict=True):
        if moment.status.rollout is None or moment.status.rollout.step_index > step:
            break
        assert reached(moment) == {name("1")}
        known_before = {result.name for result in moment.status.rollout.gates}
        passed |= {gate} if outcome is PASSED and gate in set(NAMES) - known_before else set()
        moment = answering(replace(moment, gates=()), gate, outcome).next().later(1).next().later(1)
    assert passed == set(NAMES) or reached(moment.next().next()) == {name("1")}


NO_GATES = [(before.edited(gates=None), step) for before, _ in WITH_GATES for step in range(4)]


@given(st.sampled_from(NO_GATES), st.sampled_from(WITH_GATES), st.booleans(), st.booleans())
@settings(deadline=None)
def test_gates_that_come_by_an_edit_are_passed_first_whatever_step_it_was_at(
    where: tuple[Moment, int], after: tuple[Moment, int], answered: bool, paused: bool
) -> None:
    """Also in a look that has something else to decide before it notes that the steps were changed."""
    (before, step), (edited, _) = where, after
    moment = replace(before.rolling_out("2", step=step), spec=edited.edited(paused=paused).spec)
    wish = LastAction(action="retry", revision=name("2"), outcome="", at=NOW, pending=answered)
    moment = replace(moment, status=moment.status.model_copy(update={"last_action": wish}))
    for _ in range(4):
        assert reached(moment) == {name("1")}
        moment = moment.next().later(1)


def test_what_follows_a_shadow_can_be_changed_at_its_gates_and_the_gates_can_not() -> None:
    moment = at_gates(SHADOW, step=1)
    held = SHADOW.edited(strategy={"shadow": {"percent": 50, "then": "Promote"}})
    assert replace(moment, spec=held.spec).outcome.reason == "AwaitingGates"
    assert moment.edited(gates={"signature": {}}).outcome.reason == "StepsChanged"
    assert at_gates(SHADOW).edited(gates={"signature": {}}).outcome.reason == "StepCompleted", "they come later"
