"""The record of a rollout: what was decided, from what, and how it ended; never too large."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from sluice.analysis import ErrorEvidence, LatencyEvidence, Margin
from sluice.analysis.latency import needed
from sluice.api.record import (
    Cursor,
    Decision,
    Evidence,
    Inputs,
    MetricEvidence,
    Period,
    RolloutOutcome,
    RolloutRecordStatus,
)
from sluice.api.status import Counts
from sluice.api.strategy import MOST_MARGINS
from sluice.core.decide import decide
from sluice.core.observation import Wish
from sluice.core.plan import Entry
from sluice.core.record import MAX_BYTES, MAX_DECISIONS, MAX_PERIODS, MAX_TEXT, bounded

from tests.unit.core.moments import ANALYZING, AT_20, EARLY, NOW, PROMOTING, SERVING, Moment, name


def entry(moment: Moment) -> Entry:
    found = moment.plan.entry
    assert found is not None
    return found


def test_a_rollout_begins_a_record_of_its_own() -> None:
    begun = entry(SERVING.wanting("2"))
    assert begun.name == "penguins-abc-1"
    assert begun.record.spec.candidate.model_version == "2"
    assert [one.rule for one in begun.record.status.decisions] == ["not_in_rollout"]
    assert SERVING.wanting("2").next().plan.status.record == "penguins-abc-1"


def test_a_decision_is_kept_with_its_rule_and_what_it_was_made_from() -> None:
    kept = entry(ANALYZING.counting({"1": (80, 0), "2": (20, 20)})).record.status.decisions[-1]
    assert (kept.rule, kept.reason, kept.warning) == ("harm_proven", "RolledBack", True)
    assert kept.inputs.total == Counts(stable_requests=80, candidate_requests=20, candidate_errors=20)
    assert kept.inputs.harm == 1.0
    assert [(one.name, one.harm >= 1, one.safe) for one in kept.inputs.metrics] == [("errors", True, 0.0)]
    assert (kept.inputs.stable_ready, kept.inputs.candidate_ready, kept.inputs.live_weight) == (4, 4, 20)


def test_a_look_that_decides_nothing_adds_no_decision() -> None:
    seen = entry(ANALYZING.counting({"1": (80, 0), "2": (20, 0)}))
    assert not seen.decided
    assert len(seen.record.status.decisions) == 1
    assert seen.record.status.evidence.total.candidate_requests == 20


def test_a_decision_that_never_held_is_replaced() -> None:
    """A controller wrote it and died before the status."""
    meant = entry(AT_20.asking("abort", "2"))
    again = entry(replace(AT_20, record=meant.record, wish=None).asking("promote", "2"))
    assert [one.number for one in again.record.status.decisions] == [1, 2]
    assert again.record.status.decisions[-1].inputs.wish == "promote"
    assert again.record.status.outcome is RolloutOutcome.IN_PROGRESS


@pytest.mark.parametrize(
    ("moment", "outcome", "cause"),
    [
        (PROMOTING, RolloutOutcome.PROMOTED, "Completed"),
        (ANALYZING.counting({"1": (80, 0), "2": (20, 20)}), RolloutOutcome.ROLLED_BACK, "HarmProven"),
        (AT_20.asking("abort", "2"), RolloutOutcome.ROLLED_BACK, "Aborted"),
        (AT_20.wanting("3"), RolloutOutcome.SUPERSEDED, "NewerRevision"),
    ],
    ids=["promoted", "harmful", "aborted", "superseded"],
)
def test_it_says_how_the_rollout_ended(moment: Moment, outcome: RolloutOutcome, cause: str) -> None:
    status = entry(moment).record.status
    assert (status.outcome, status.cause, status.finished_at) == (outcome, cause, NOW)
    assert status.periods == () or status.periods[-1].until == NOW


def test_each_weight_is_a_period_with_its_own_counts() -> None:
    first = EARLY.counting({}).next()
    second = first.gateway_at({"1": 80, "2": 20}).counting({"1": (80, 0), "2": (20, 1)}).next()
    assert second.record is not None
    periods = second.record.status.periods
    assert [period.weight for period in periods] == [20]
    assert periods[0].counts.candidate_requests == 20


def test_who_asked_for_a_rollout_stands_at_its_beginning() -> None:
    kept = SERVING.wanting("1").retired("0", due=60).running("0", 4)
    asked = replace(kept, wish=Wish("rollback", name("0"), actor="maria"))
    begun = entry(replace(asked.next(), wish=None).next()).record.status.decisions[0]
    assert (begun.reason, begun.actor, begun.inputs.wish) == ("RolloutStarted", "maria", "rollback")
    again = replace(SERVING.wanting("2").rejected("2"), wish=Wish("retry", name("2"), actor="maria"))
    begun = entry(replace(again.next(), wish=None).next()).record.status.decisions[0]
    assert (begun.actor, begun.inputs.wish) == ("maria", "retry")
    later = replace(again.next(), wish=None).next().later(3600)
    assert entry(later.wanting("3")).record.status.decisions[0].actor is None


def test_who_has_paused_is_named() -> None:
    paused = AT_20.edited(paused=True)
    seen = replace(paused.seen, paused_by="kubectl-edit")
    plan = decide(paused.spec, paused.status, paused.record, seen, paused.now)
    assert plan.entry is not None
    assert plan.entry.record.status.decisions[-1].actor == "kubectl-edit"


def test_the_evidence_of_the_largest_deployment_can_be_stored() -> None:
    """Of 1000 replicas in both arms, with all metrics and margins that the API takes; etcd takes 1.5 MiB."""
    margins = [Margin(ratio=1.2 + 0.0123456789 * n, absolute=0.0123456789 + 0.001 * n) for n in range(MOST_MARGINS + 1)]
    cuts = (60, 75, 90, 106)
    edges = needed(cuts, margins)
    states = [ErrorEvidence.start(m).dump() for m in margins]
    states += [LatencyEvidence.start(m, cuts).dump() for m in margins for _ in range(7)]
    cursor = Cursor(start="1763990000.123456", requests=10**8, errors=10**7, durations=(10**8,) * (len(edges) + 1))
    evidence = Evidence(
        cursors={f"0a1b2c3d-0a1b-0a1b-0a1b-{n:012d}": cursor for n in range(2000)}, cuts=cuts, edges=edges,
        metrics=tuple(MetricEvidence(metric="m" * 63, state=state) for state in states),
    )  # fmt: skip
    decisions = tuple(decision(n + 1) for n in range(2000))
    status = bounded(RolloutRecordStatus(decisions=decisions, evidence=evidence))
    assert status.evidence == evidence, "evidence is never cut"
    assert (status.decisions[0].number, status.decisions[-1].number) == (1, 2000)
    assert len(json.dumps(status.to_kubernetes())) <= 1024 * 1024


def decision(number: int) -> Decision:
    return Decision(
        number=number, at=NOW, rule="r" * 20, reason="R" * 20, message="m" * MAX_TEXT, inputs=Inputs(
            replicas=4, stable_ready=4, candidate_ready=4
        ),
    )  # fmt: skip


@pytest.mark.parametrize("many", [0, 1, 20, MAX_DECISIONS, MAX_DECISIONS + 1, 2000])
def test_however_much_was_decided_it_fits_and_keeps_beginning_and_end(many: int) -> None:
    periods = tuple(Period(weight=n % 100, since=NOW) for n in range(many))
    status = bounded(RolloutRecordStatus(decisions=tuple(decision(n + 1) for n in range(many)), periods=periods))
    assert len(json.dumps(status.to_kubernetes())) <= MAX_BYTES
    assert len(status.decisions) + status.dropped == many
    assert len(status.decisions) == min(many, MAX_DECISIONS)
    assert len(status.periods) <= MAX_PERIODS
    if many:
        assert (status.decisions[0].number, status.decisions[-1].number) == (1, many)
