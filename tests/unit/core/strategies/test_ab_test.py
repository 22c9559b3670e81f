"""A/B test: who wins, who loses, who does neither, and what nothing can be concluded from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sluice.analysis.difference import half_width
from sluice.api.record import RolloutOutcome
from sluice.api.status import Verdict
from sluice.core import observation
from sluice.core.decide import under_test
from sluice.core.observation import Counters, Scrape, Silent, Units
from sluice.core.plan import Experiment
from sluice.core.strategies.ab_test import ABTestStrategy

from tests.unit.core.moments import CRASHED, NOW, SERVING, Moment, name, pod

WANTS: dict[str, Any] = {"primary": {"metric": "conversion"}, "minDuration": "1h", "maxDuration": "10h"}
STICKY = {"gateway": {"name": "public"}, "sticky": {"header": "x-user-id"}}
AWAY = Silent("the collector can't be reached (refused)")
HOUR = 3600


def at(step: int, *, live: int = 0, age: float = 2 * HOUR, spec: dict[str, Any] | None = None, **wants: Any) -> Moment:
    moment = SERVING.edited(strategy={"abTest": WANTS | wants}, **(spec or {}))
    return replace(moment.rolling_out("2", step=step, weight=live, age=age), test=observation.TestResults({}))


def results(moment: Moment, treatment: Units, control: Units, **more: Any) -> Moment:
    found = {name("2"): treatment, name("1"): control, "another": Units(9, 9, 9.0, 9.0)}
    return replace(moment, test=observation.TestResults(found, **more))


def converted(users: int, of: int, *, units: int | None = None) -> Units:
    return Units(units or of, of, float(users), float(users))


def safe(moment: Moment) -> Moment:
    return moment.counting({"1": (3000, 0), "2": (3000, 0)})


def won(moment: Moment) -> Moment:
    return safe(results(moment, converted(400, 2000), converted(200, 2000)))


def even(moment: Moment) -> Moment:
    return safe(results(moment, converted(200, 2000), converted(200, 2000)))


def lost(moment: Moment) -> Moment:
    return safe(results(moment, converted(100, 2000), converted(300, 2000)))


START, LIVE, HOLD = at(0, age=5), at(1, live=50), at(2, live=50, onWinner="Hold")
LATE = at(1, live=50, age=10 * HOUR + 1)
LATER = at(1, live=50, age=10 * HOUR + 700)
DECREASE: dict[str, Any] = {"primary": {"metric": "refunds", "direction": "Decrease"}}

# what happens, the moment, the reason, and words that its message must have
RULES = [
    ("the pods start", START.running("2", 1), "ScalingUp", ["1 of 2 pods ready"]),
    ("a smaller share needs fewer pods", at(0, age=5, weight=20).running("2", 1), "StepCompleted",
     ["1/2 start"]),
    ("its pods never come", at(0, age=700).running("2", 1), "RolledBack", ["ProgressDeadlineExceeded", "1 of 2 pods"]),
    ("there is no collector", replace(START, test=AWAY), "AwaitingTest",
     ["can't be reached (refused)", "the test waits"]),
    ("its pods are there", START, "StepCompleted", ["1/2 start"]),
    ("it begins", at(1, age=1), "ShiftingTraffic", ["penguins/2 gets 50 %"]),
    ("it does not begin unmeasured", replace(at(1, age=1), test=AWAY), "AwaitingTest", ["can't be reached (refused)"]),
    ("nobody comes", safe(LIVE), "Analyzing", ["no data: candidate and stable have 0 and 0 requests", "8h left"]),
    ("nobody comes to one", safe(results(LIVE, converted(1, 9), Units())), "Analyzing", ["no data"]),
    ("stable's pods tell nothing", safe(results(LIVE, converted(90, 900), Units())), "Analyzing",
     ["no data", "pods that were started while it was installed"]),
    ("too few count", safe(results(LIVE, converted(90, 199, units=900), converted(1, 900))), "Analyzing",
     ["too few requests yet: of candidate and stable 199 and 900 count of at least 200", "900 and 900 requests came"]),
    ("it is not sure yet", even(LIVE), "Analyzing",
     ["conversion: 0.1 beside 0.1 per request; better by 0 so far", "guards: harm 0 %, safe 100 % of a proof",
      "8h left"]),
    ("it has to go on for a time", won(at(1, live=50, age=HOUR - 60)), "Analyzing",
     ["for another 1m at least, 9h1m at most", "better by 0.1 (at least 0.06"]),
    ("it has won", won(LIVE), "StepCompleted",
     ["2/2 test 50", "the candidate has won; conversion: 0.2 beside 0.1 per request; better by 0.1 (at least 0.06",
      "with 95 % confidence at any time), 2,000 and 2,000 requests"]),
    ("less is better", won(at(1, live=50, **DECREASE)), "RolledBack", ["ProvenWorse: refunds: 0.2 beside 0.1"]),
    ("less has won", lost(at(1, live=50, **DECREASE)), "StepCompleted", ["refunds", "better by 0.1"]),
    ("it is better, and not proven safe", replace(won(LIVE), scrape=Scrape()).counting({"1": (60, 0), "2": (60, 0)}),
     "Analyzing", ["guards: harm 0 %, safe", "60 of at least 100 candidate requests"]),
    ("it is worse", lost(LIVE), "RolledBack",
     ["penguins/2 rolled back from 50 %: ProvenWorse: conversion: 0.05 beside 0.15 per request;",
      "worse by 0.1 (at least"]),
    ("it is worse, soon", lost(at(1, live=50, age=60)), "RolledBack", ["ProvenWorse"]),
    ("it is worse, of too few", results(LIVE, converted(0, 199), converted(150, 250)), "Analyzing", ["too few"]),
    ("it fails", won(LIVE).counting({"1": (900, 0), "2": (900, 300)}), "RolledBack",
     ["HarmProven", "candidate 300 errors in 900 requests"]),
    ("its pods crash", won(LIVE).running("2", 1, pod("2", 3, ready=False, trouble=CRASHED)), "RolledBack", ["Crashed"]),
    ("users come to one only", safe(results(LIVE, converted(900, 2000), converted(1, 3000))), "Analyzing",
     ["do not come to the versions as the weight of 50 % says (sample-ratio mismatch)", "2,000 and 3,000"]),
    ("users come to one only, and it fails", results(LIVE, converted(900, 2000), converted(1, 3000))
     .counting({"1": (900, 0), "2": (900, 300)}), "RolledBack", ["HarmProven"]),
    ("users come to one only, and seem worse", safe(results(LIVE, converted(1, 2000), converted(900, 3000))),
     "Analyzing", ["sample-ratio mismatch"]),
    ("users come to one only, to the end", safe(results(LATE, converted(900, 2000), converted(1, 3000))),
     "Inconclusive", ["nothing could be concluded within 10h", "sample-ratio mismatch", "sluice.dev/promote="]),
    ("the collector is away", replace(won(LIVE), test=AWAY), "Analyzing", ["can't be reached (refused)"]),
    ("the collector is away at the end", replace(even(LATE), test=AWAY), "Analyzing", ["can't be reached"]),
    ("the collector stays away", replace(even(LATER), test=AWAY), "Inconclusive",
     ["nothing could be", "can't be reached"]),
    ("the collector has forgotten", safe(results(LIVE, converted(400, 2000), converted(200, 2000), incomplete=True)),
     "Analyzing", ["had to forget some of the test"]),
    ("the collector has forgotten who is worse", safe(results(LIVE, converted(1, 2000), converted(200, 2000),
     incomplete=True)), "Analyzing", ["had to forget some of the test"]),
    ("the time is over", even(LATE), "NoWinner",
     ["penguins/2 did not win: after 10h it is not proven to be better; conversion: 0.1 beside 0.1"]),
    ("the time is over with too few", safe(results(LATE, converted(90, 99), converted(1, 900, units=99))), "NoWinner",
     ["too few requests: 99 and 900 count of at least 200"]),
    ("the time is over, and it was better", replace(won(LATE), scrape=Scrape()).counting({"1": (60, 0), "2": (60, 0)}),
     "NoWinner", ["it is better, and not proven to be safe"]),
    ("the time is over, it was better, and nobody knows whether it is safe", won(LATE).blind("2-0"), "Analyzing",
     ["the metrics of pod pod-2-0 can't be read"]),
    ("nobody comes to know whether it is safe", won(LATER).blind("2-0"), "Inconclusive", ["nothing could be"]),
    ("it was not better, and nobody knows whether it is safe", even(LATER).blind("2-0"), "NoWinner", ["after 10h"]),
    ("it wins in the last moment", won(LATE), "StepCompleted", ["has won"]),
    ("the time stands still", replace(even(LATE).edited(paused=True)), "Paused", ["paused at 50 %"]),
    ("a person is sure", even(LIVE).asking("promote", "2"), "ActionTaken", ["all steps left are skipped by a person"]),
    ("a person is sure of the opposite", even(LIVE).asking("abort", "2"), "ActionTaken", ["aborted"]),
    ("the winner is held", won(HOLD), "AwaitingPromotion", ["until somebody promotes", "better by 0.1 (at least"]),
    ("a held winner is not held for ever", won(at(2, live=50, onWinner="Hold", age=99 * HOUR)), "AwaitingPromotion",
     ["until somebody promotes"]),
    ("the winner is held, and turns out to be worse", lost(HOLD), "RolledBack", ["ProvenWorse"]),
    ("the winner is held, and fails", won(HOLD).counting({"1": (900, 0), "2": (900, 300)}), "RolledBack",
     ["HarmProven"]),
    ("a held winner is wanted", won(HOLD).asking("promote", "2"), "ActionTaken", ["skipped by a person"]),
    ("a winner is told of", won(at(1, live=50, onWinner="Notify")), "Winner",
     ["penguins/2 has won, and is not promoted: conversion: 0.2 beside 0.1 per request; better by 0.1 (at least 0.06",
      "with 95 % confidence at any time", f"sluice.dev/promote={name('2')} to give it all traffic"]),
    ("a winner is told of in the last moment", won(at(1, live=50, age=10 * HOUR + 1, onWinner="Notify")), "Winner",
     ["has won"]),
    ("a winner is told of after the shortest time only", won(at(1, live=50, age=60, onWinner="Notify")), "Analyzing",
     ["for another 59m at least"]),
    ("then all traffic", won(at(2, live=50)), "ShiftingTraffic", ["penguins/2 gets 100 %"]),
    ("all is done", won(at(2, live=100)), "Promoted", ["penguins/2 is stable now"]),
]  # fmt: skip


@pytest.mark.parametrize(("what", "moment", "reason", "words"), RULES, ids=[case[0] for case in RULES])
def test_each_moment_has_its_reason_and_its_words(what: str, moment: Moment, reason: str, words: list[str]) -> None:
    outcome = moment.outcome
    assert outcome.reason == reason, outcome.message
    assert all(word in outcome.message for word in words), outcome.message


def test_an_end_without_a_winner_is_no_failure() -> None:
    plan = even(LATE).plan
    assert plan.entry
    record = plan.entry.record.status
    assert (record.outcome, record.cause) == (RolloutOutcome.NO_WINNER, "NoWinner")
    assert plan.split == {name("1"): 100}
    after = even(LATE).next().next()
    after = replace(after, route=SERVING.route)
    assert after.plan.status.rollout is None, "it is not tested again unasked"
    assert after.plan.status.verdict is Verdict.NO_WINNER
    assert "sluice.dev/retry=" in (after.plan.status.message or "")
    says = {one.type: str(one.status) for one in after.plan.status.conditions}
    assert (says["Degraded"], says["Ready"], says["Analyzed"]) == ("False", "True", "False")
    assert not any(event.type == "Warning" for event in (*plan.events, *after.plan.events))
    again = after.asking("retry", "2").next()
    assert replace(again, wish=None).next().next().status.rollout, "a person may have it tested again"


def test_a_winner_that_nobody_promotes_is_remembered_and_no_failure() -> None:
    told = won(at(1, live=50, onWinner="Notify"))
    plan = told.plan
    assert plan.entry
    record = plan.entry.record.status
    assert (record.outcome, record.cause) == (RolloutOutcome.WINNER, "Winner")
    assert "better by 0.1 (at least 0.06" in (record.message or "")
    assert plan.split == {name("1"): 100}
    assert [(event.type, event.reason) for event in plan.events] == [("Normal", "Winner")]
    after = replace(told.next().next(), route=SERVING.route)
    status = after.plan.status
    assert status.rollout is None, "it is not tested again unasked"
    assert status.verdict is Verdict.WINNER
    assert f"sluice.dev/promote={name('2')}" in (status.message or "")
    assert f"sluice.dev/retry={name('2')}" in (status.message or "")
    says = {one.type: (str(one.status), one.reason) for one in status.conditions}
    assert (says["Degraded"][0], says["Ready"][0], says["Analyzed"]) == ("False", "True", ("True", "Winner"))
    again = replace(after.asking("retry", "2").next(), wish=None).next().next()
    assert again.status.rollout
    assert not again.status.rollout.direct, "it is tested again"
    unasked = after.edited(strategy={"abTest": WANTS}).outcome
    assert unasked.reason == "Winner", "no edit promotes"


@pytest.mark.parametrize("action", ["promote", "promote-full"])
def test_a_person_promotes_the_winner_without_another_test(action: str) -> None:
    after = replace(won(at(1, live=50, onWinner="Notify")).next().next(), route=SERVING.route)
    asked = after.asking(action, "2")
    assert asked.outcome.message == "penguins/2 has won its test, and is promoted by a person"
    begun = replace(asked.next(), wish=None).next()
    assert begun.outcome.message == "rolling out penguins/2 over penguins/1"
    assert begun.plan.status.rollout
    assert begun.plan.status.rollout.direct
    promoted = begun.next().running("2", 4).next().gateway_at({"2": 100})
    assert promoted.outcome.reason == "Promoted"
    assert promoted.plan.status.returning_to is None


def test_a_winner_that_is_no_longer_wanted_is_not_promoted() -> None:
    after = replace(won(at(1, live=50, onWinner="Notify")).next().next(), route=SERVING.route)
    assert after.wanting("1").asking("promote", "2").outcome.message.endswith("refused: no rollout is going on")
    assert not even(LATE).next().next().asking("promote", "2").plan.status.returning_to, "who has not won is not either"


def test_a_lost_pod_changes_nobodys_version_and_the_last_one_does() -> None:
    young = even(at(1, live=50, age=60))
    one_left, none_left = young.running("2", 1), young.running("2", 0)
    assert one_left.plan.split == {name("1"): 50, name("2"): 50}
    assert one_left.outcome.reason == "Analyzing"
    assert even(LIVE).running("2", 1).outcome.reason == "Analyzing", "also long after the deadline of a step"
    assert none_left.outcome.reason == "CapacityLost"
    assert none_left.plan.split == {name("1"): 100}
    given_back = none_left.next()
    assert given_back.outcome.reason == "ScalingUp"
    assert given_back.later(700).outcome.reason == "RolledBack"


def test_whoever_changes_the_test_begins_another_one() -> None:
    changed = even(LIVE).edited(strategy={"abTest": WANTS | {"minUnits": 300}})
    assert changed.outcome.reason == "StepsChanged"
    began = changed.next().next()
    assert began.status.rollout
    assert (began.status.record, began.status.rollout.weight, began.status.rollout.step_index) == (
        "penguins-abc-2",
        0,
        0,
    )
    sure = even(LIVE).edited(analysis={"alpha": {"harm": 0.05, "safe": 0.2}})
    assert sure.outcome.reason == "StepsChanged", "how sure it has to be is settled too"
    for other in ("Hold", "Notify"):
        assert even(LIVE).edited(strategy={"abTest": WANTS | {"onWinner": other}}).outcome.reason == "Analyzing"
    assert won(HOLD).edited(strategy={"abTest": WANTS}).outcome.reason == "StepsChanged", "no edit promotes"


def test_the_experiment_is_there_from_ready_pods_to_the_end_of_the_rollout() -> None:
    there = Experiment(name("2"), 50)
    assert START.plan.experiment == there
    assert START.running("2", 0).plan.experiment is None, "nobody could be led there"
    assert START.running("2", 0).later(-1).plan.experiment is None
    for moment in (LIVE, HOLD, even(LIVE).running("2", 0), won(at(2, live=50)), even(LIVE).asking("promote", "2")):
        assert moment.plan.experiment == there
    for ended in (
        lost(LIVE),
        even(LATE),
        won(at(1, live=50, onWinner="Notify")),
        won(at(2, live=100)),
        even(LIVE).asking("abort", "2"),
        SERVING,
    ):
        assert ended.plan.experiment is None
    assert SERVING.rolling_out("2").plan.experiment is None


def test_gates_come_before_the_experiment() -> None:
    gated = at(0, age=5, spec={"gates": {"signature": {}}})
    assert gated.plan.status.step == "1/3 gates"
    assert gated.plan.experiment is None
    assert at(1, age=5, spec={"gates": {"signature": {}}}).plan.experiment == Experiment(name("2"), 50)


@pytest.mark.parametrize("moment", [START, at(1, age=5)])
def test_nobody_is_assigned_while_users_can_not_stay(moment: Moment) -> None:
    problem = "there is no BackendTrafficPolicy"
    held = replace(_users(moment), sticky_problem=problem)
    assert replace(moment, sticky_problem=problem).outcome == moment.outcome, "requests need not stay anywhere"
    assert held.outcome.reason == "AwaitingTest"
    assert held.outcome.verdict is Verdict.ERROR
    assert "users can't be kept at their version (there is no BackendTrafficPolicy)" in held.outcome.message
    assert held.later(99 * HOUR).outcome.reason in ("AwaitingTest", "Inconclusive")


def test_the_collector_is_asked_while_a_test_is_the_rollout() -> None:
    assert under_test(LIVE.spec, LIVE.status) == LIVE.spec.strategy.ab_test
    assert under_test(START.spec, START.status)
    direct = even(LIVE).asking("promote", "2").next()
    assert under_test(direct.spec, direct.status) is None
    assert under_test(SERVING.spec, SERVING.status) is None


def _users(moment: Moment) -> Moment:
    """The same moment, of a test that keeps users: what was counted so far are users."""
    moment = moment.edited(traffic=STICKY)
    assert moment.record
    assert moment.status.rollout
    evidence = moment.record.status.evidence
    cursors = {uid: cursor.model_copy(update={"users": True}) for uid, cursor in evidence.cursors.items()}
    status = moment.record.status.model_copy(update={"evidence": evidence.model_copy(update={"cursors": cursors})})
    steps = ABTestStrategy().begun(moment.spec, moment.status.rollout.step_index)
    rollout = moment.status.rollout.model_copy(update={"steps": steps})
    return replace(
        moment,
        record=moment.record.model_copy(update={"status": status}),
        status=moment.status.model_copy(update={"rollout": rollout}),
    )


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
    moment = results(_users(LIVE), converted(100, 2000), converted(300, 2000))
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
    seen = of_users(results(_users(LIVE), converted(400, 2000), converted(200, 2000)), {"1": (900, 5), "2": (800, 3)})
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
    first = of_users(even(_users(LIVE)), {"1": (900, 0), "2": (900, 0)})
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


def test_the_record_says_what_is_assigned_and_how_sure_one_was() -> None:
    began = replace(SERVING.edited(strategy={"abTest": WANTS}), route=SERVING.route).wanting("2").plan
    assert began.entry
    assert began.entry.record.spec.unit == "requests"
    plan = won(LIVE).plan
    assert plan.entry
    decision = plan.entry.record.status.decisions[-1]
    assert "at least 0.06" in decision.message
    assert decision.inputs.test
    assert (decision.inputs.test.metric, decision.inputs.test.unit) == ("conversion", "requests")
    assert decision.inputs.test.at_least == pytest.approx(0.066, abs=0.01)
    assert plan.entry.record.status.evidence.test
    assert plan.entry.record.status.evidence.test.treatment.total == 400


counts = st.builds(Units, *(st.integers(0, 3000) for _ in range(2)), *(st.floats(0, 3000) for _ in range(2)))


@given(counts, counts, st.sampled_from([LIVE, HOLD, LATE, START]), st.booleans(), st.integers(0, 4))
@settings(max_examples=300, deadline=None)
def test_what_nobody_can_conclude_is_never_concluded(
    treatment: Units, control: Units, moment: Moment, incomplete: bool, ready: int
) -> None:
    """Whatever the collector says: nobody advances or loses by it without enough units, and the split sums to 100."""
    moment = safe(results(moment.running("2", ready), treatment, control, incomplete=incomplete))
    outcome, plan = moment.outcome, moment.plan
    few = min(treatment.matured, control.matured) < 200
    if few or incomplete:
        assert "ProvenWorse" not in outcome.message
        assert outcome.reason != "StepCompleted" or "start done" in outcome.message
    assert plan.split is not None
    assert sum(plan.split.values()) == 100
    if plan.experiment:
        assert plan.status.rollout
        assert plan.experiment.revision == plan.status.rollout.revision.name


@given(st.integers(1, 99), st.integers(0, 4), st.integers(1, 4))
@settings(max_examples=100, deadline=None)
def test_an_operator_that_starts_anew_decides_the_same(share: int, ready: int, looks: int) -> None:
    """All there is to know is in the record, the status and the world."""
    won(at(1, live=share, weight=share).running("2", ready)).decides_the_same_anew(looks)
