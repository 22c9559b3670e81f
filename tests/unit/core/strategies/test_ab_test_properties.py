"""A/B test: what holds whatever the collector says."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from sluice.core.observation import Units

from tests.unit.core.moments import Moment
from tests.unit.core.tested import HOLD, LATE, LIVE, START, at, counts, results, safe, won


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
