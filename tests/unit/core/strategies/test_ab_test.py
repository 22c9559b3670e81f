"""A/B test: how it ends, what a person may change, and to whom users are assigned."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sluice.api.record import RolloutOutcome
from sluice.api.status import Verdict
from sluice.core.decide import under_test
from sluice.core.plan import Experiment

from tests.unit.core.moments import SERVING, Moment, name
from tests.unit.core.tested import HOLD, HOUR, LATE, LIVE, START, WANTS, at, even, lost, sticky, won


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
    held = replace(sticky(moment), sticky_problem=problem)
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
