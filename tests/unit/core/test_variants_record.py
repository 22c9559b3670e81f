"""A/B tests with variants: what is kept of all who were tested."""

from __future__ import annotations

from sluice.api.record import RolloutOutcome
from sluice.api.status import Verdict

from tests.unit.core.moments import SERVING, revision
from tests.unit.core.varied import LATE, LIVE, WANTS, best, even, promoted, results, safe, wanting


def test_the_record_keeps_all_that_was_tested_and_what_became_of_it() -> None:
    begun = wanting("2", "3").plan
    assert begun.entry
    settled = begun.entry.record.spec.variants
    assert [(one.name, one.revision, one.weight) for one in settled] == [
        ("candidate", revision("2"), 30), ("large", revision("3"), 20),
    ]  # fmt: skip
    plan = best(LIVE).plan
    assert plan.entry
    found = plan.entry.record.status
    assert [(one.name, one.outcome, one.cause) for one in found.variants] == [
        ("candidate", RolloutOutcome.NO_WINNER, "NoWinner"), ("large", RolloutOutcome.IN_PROGRESS, None),
    ]  # fmt: skip
    assert all("97.5 % confidence" in (one.statement or "") for one in found.variants)
    assert found.variants[1].evidence
    assert found.variants[1].evidence.total.candidate_requests == 2000
    assert found.evidence.total.candidate_requests == 3000
    inputs = found.decisions[-1].inputs.variants
    assert [(one.name, one.ready, one.total.candidate_requests) for one in inputs] == [("large", 4, 2000)]
    end = promoted(best(LIVE)).record
    assert end
    assert [(one.name, one.outcome) for one in end.status.variants] == [
        ("candidate", RolloutOutcome.NO_WINNER), ("large", RolloutOutcome.PROMOTED),
    ]  # fmt: skip
    assert end.status.outcome is RolloutOutcome.PROMOTED


def test_the_record_keeps_what_was_counted_of_who_has_left() -> None:
    after = safe(results(LIVE, v1=(500, 5000), v2=(50, 3000), v3=(200, 2000))).next().later(10)
    plan = safe(results(after, v1=(500, 5000), v2=(50, 3000), v3=(200, 2000))).plan
    assert plan.entry
    record = plan.entry.record
    assert record.spec.candidate == revision("2")
    assert record.status.evidence.total.candidate_requests == 3000
    assert [one.name for one in record.status.variants if one.evidence] == ["large"]
    assert "worse by" in (record.status.variants[0].statement or "")


def test_no_winner_is_no_failure_of_any() -> None:
    plan = even(LATE).plan
    assert plan.entry
    assert plan.status.verdict is Verdict.NO_WINNER
    assert {one.outcome for one in plan.entry.record.status.variants} == {RolloutOutcome.NO_WINNER}


def test_without_variants_nothing_of_them_is_stored() -> None:
    moment = SERVING.edited(strategy={"abTest": WANTS}).wanting("2")
    assert "variants" not in moment.plan.status.to_kubernetes()["rollout"]
    assert moment.plan.entry
    assert "variants" not in moment.plan.entry.record.status.to_kubernetes()
