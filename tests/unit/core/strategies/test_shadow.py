"""Shadow: copies of real requests, answers compared, nobody harmed by them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sluice.analysis import Arm, harm_above, threshold
from sluice.api.pairs import Pairs
from sluice.core.observation import Silent
from sluice.core.plan import Mirroring

from tests.unit.core.moments import CRASHED, SERVING, STEPS, Moment, name, pod

WANTS: dict[str, Any] = {"maxErrorRate": 0.02, "maxDisagreement": 0.05, "minPairs": 100, "then": "Promote"}
AWAY = Silent("the collector can't be reached (refused)")


def at(step: int, *, weight: int = 0, age: float = 5, **wants: Any) -> Moment:
    return SERVING.edited(strategy={"shadow": WANTS | wants}).rolling_out("2", step=step, weight=weight, age=age)


def joined(moment: Moment, number: int, different: int = 0, candidate_failed: int = 0) -> Moment:
    return replace(moment, pairs=Pairs(joined=number, different=different, candidate_failed=candidate_failed))


def mended(moment: Moment, number: int, stable_failed: int, different: int = 0) -> Moment:
    """Stable alone fails some, the others may differ."""
    pairs = Pairs(joined=number, different=stable_failed + different, stable_failed=stable_failed)
    return replace(moment, pairs=pairs)


START, MIRROR, HOLD = at(0), at(1), at(2, then="Hold")

# what happens, the moment, the reason, and words that its message must have
RULES = [
    ("the pods start", START.running("2", 3), "ScalingUp", ["3 of 4 pods ready"]),
    ("fewer copies need fewer pods", at(0, percent=20).running("2", 1), "StepCompleted", ["1/2 start"]),
    ("its pods never come", replace(at(0, age=700, duration="1h").running("2", 3)), "RolledBack",
     ["ProgressDeadlineExceeded", "3 of 4 pods ready"]),
    ("nobody comes", joined(MIRROR, 0), "Analyzing", ["no data: the collector has not joined any request"]),
    ("too few come", joined(MIRROR, 50), "Analyzing",
     ["too little traffic yet: 50 of at least 100 pairs", "safe errors 29 %",
      "answers differ in 0 % of 50 pairs (at most 6.5 % with 95 % confidence at any time)"]),
    ("it is not sure yet", joined(MIRROR, 150, 3), "Analyzing", ["comparing answers to 100 % of the requests"]),
    ("it is sure", joined(MIRROR, 600, 3), "StepCompleted",
     ["2/2 mirror 100", "done: answers differ in 0.5 % of 600 pairs (at most 1.9 % with 95 % confidence"]),
    ("it has to go on for a time", joined(at(1, duration="60s"), 600, 3), "Analyzing", ["for another 55 s at least"]),
    ("the time is over", joined(at(1, duration="60s", age=61), 600, 3), "StepCompleted", ["answers differ in"]),
    ("its time is none of the deadline's", joined(at(1, duration="1h", age=3700), 150, 3), "Analyzing", ["comparing"]),
    ("the deadline follows the time", joined(at(1, duration="1h", age=4300), 150, 3), "Inconclusive", ["neither harm"]),
    ("answers differ too often", joined(MIRROR, 200, 40), "RolledBack",
     ["HarmProven", "penguins/2 rolled back from 0 %", "differ in 20 % of 200 pairs (at least 12 % with 95 %",
      "tolerated: 5 % different"]),
    ("how answers differ is nobody's business", joined(at(1, maxDisagreement=None), 600, 300), "StepCompleted",
     ["answers differ in 50 % of 600 pairs"]),
    ("the candidate fails", joined(at(1, maxDisagreement=None), 30, 10, 10), "RolledBack",
     ["HarmProven", "error rate", "answers differ in 33 % of 30 pairs (at least 12 %", "the candidate alone failed 10",
      "tolerated: 2 %"]),
    ("it answers what stable fails", mended(MIRROR, 1200, 600), "StepCompleted",
     ["answers differ in 0 % of 600 pairs", "stable alone 600"]),
    ("stable fails all", mended(MIRROR, 1200, 1200), "Analyzing",
     ["stable alone failed all of 1,200 pairs"]),
    ("it answers what stable fails, and differs", mended(MIRROR, 400, 200, 40), "RolledBack",
     ["differ in 20 % of 200"]),
    ("the collector is away", replace(MIRROR, pairs=AWAY), "Analyzing", ["can't be reached (refused)", "waits for it"]),
    ("the collector is away for too long", replace(at(1, age=700), pairs=AWAY), "Inconclusive", ["can't be reached"]),
    ("its pods crash", joined(MIRROR, 9).running("2", 3, pod("2", 3, ready=False, trouble=CRASHED)), "RolledBack",
     ["Crashed"]),
    ("a person is sure", MIRROR.asking("promote", "2"), "ActionTaken", ["step skipped by a person"]),
    ("it is held", joined(HOLD, 600, 3), "AwaitingPromotion",
     ["until somebody promotes", "sluice.dev/promote=",
      "to roll back; answers differ in 0.5 % of 600 pairs (at most 1.9 %"]),
    ("it does harm while it is held", joined(HOLD, 200, 40), "RolledBack", ["HarmProven", "differ in 20 %"]),
    ("then all traffic", joined(at(2), 600), "ShiftingTraffic", ["penguins/2 gets 100 %"]),
    ("then a canary", joined(at(2, then="Canary"), 600), "ShiftingTraffic", ["penguins/2 gets 10 %"]),
    ("all is done", joined(at(2, weight=100), 600), "Promoted",
     ["penguins/2 is stable now; in the shadow answers differ in 0 % of 600 pairs (at most 0.56 % with"]),
]  # fmt: skip


@pytest.mark.parametrize(("what", "moment", "reason", "words"), RULES, ids=[case[0] for case in RULES])
def test_each_moment_has_its_reason_and_its_words(what: str, moment: Moment, reason: str, words: list[str]) -> None:
    moment.expect(reason, words)


def test_copies_go_to_ready_pods_without_traffic_and_to_nobody_else() -> None:
    assert at(1, percent=20, sample=50).plan.mirror == Mirroring(name("2"), 20, 50)
    assert MIRROR.running("2", 0).plan.mirror is None
    assert joined(at(2), 600).plan.mirror is None, "it is about to get traffic"
    assert joined(MIRROR, 200, 40).plan.mirror is None, "it is rolled back"
    assert SERVING.edited(strategy={"shadow": WANTS}).plan.mirror is None
    assert HOLD.plan.mirror == Mirroring(name("2"), 100, 100)


def test_a_canary_begins_with_copies_and_ends_them_before_its_first_weight() -> None:
    steps = [{"mirror": {"percent": 50}}, *STEPS]
    mirroring = SERVING.edited(strategy={"canary": {"steps": steps}}).rolling_out("2", step=1)
    assert mirroring.plan.mirror == Mirroring(name("2"), 50, 100)
    assert mirroring.plan.split == {name("1"): 100}
    then = joined(mirroring, 600).next()
    assert then.status.rollout
    assert then.status.rollout.step_index == 2
    assert then.plan.mirror is None


def test_the_counts_are_kept_in_the_record_and_in_the_status() -> None:
    after = joined(MIRROR, 150, 3).next()
    assert after.record
    assert after.record.status.evidence.pairs == Pairs(joined=150, different=3)
    assert after.status.rollout
    assert after.status.rollout.evidence.pairs == Pairs(joined=150, different=3)
    away = replace(after, pairs=AWAY).next()
    assert away.record
    assert away.record.status.evidence.pairs == Pairs(joined=150, different=3), "what was counted is not forgotten"


def test_what_follows_can_be_changed_while_requests_are_copied() -> None:
    assert replace(MIRROR, spec=at(1, then="Hold").spec).outcome.reason != "StepsChanged"
    assert replace(MIRROR, spec=at(1, maxErrorRate=0.5).spec).outcome.reason == "StepsChanged"


@given(st.integers(0, 3000), st.data())
def test_harm_is_never_proven_by_less_than_one_limit_alone_would_need(number: int, data: st.DataObject) -> None:
    """Both limits together: the average of two e-values, so that one of them has to be twice a proof."""
    different = data.draw(st.integers(0, number))
    moment = joined(MIRROR, number, different)
    judgement = moment.situation.judgement
    assert judgement
    alone = harm_above(0.05, Arm(number, different)) / threshold(0.05)
    assert not judgement.harmful or alone >= 1
