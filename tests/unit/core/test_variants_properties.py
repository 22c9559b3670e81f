"""A/B tests with variants: what holds whatever the collector says."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from sluice.core.observation import Units

from tests.unit.core.moments import Moment
from tests.unit.core.tested import counts
from tests.unit.core.varied import LATE, LIVE, START, best, even, results, safe

pods_of_two = st.tuples(st.integers(0, 4), st.integers(0, 4))


@given(st.tuples(counts, counts, counts), st.booleans(), pods_of_two, st.sampled_from([LIVE, LATE, START]))
@settings(max_examples=200, deadline=None)
def test_weights_sum_to_the_whole_and_nobody_has_some_without_pods(
    units: tuple[Units, Units, Units], incomplete: bool, pods: tuple[int, int], moment: Moment
) -> None:
    first, second, control = units
    moment = moment.running("2", pods[0]).running("3", pods[1])
    moment = safe(results(moment, v1=control, v2=first, v3=second, incomplete=incomplete))
    plan = moment.plan
    assert plan.split is not None
    assert sum(plan.split.values()) == 100
    assert all(moment.seen.revision(one).ready for one in plan.split)
    few = min(first.matured, control.matured) < 200 and min(second.matured, control.matured) < 200
    if few or incomplete:
        assert "ProvenWorse" not in moment.outcome.message
        assert "has won" not in moment.outcome.message


@given(st.integers(0, 4), st.integers(0, 4), st.integers(1, 4), st.sampled_from([best, even]))
@settings(max_examples=50, deadline=None)
def test_an_operator_that_starts_anew_decides_the_same(ready: int, others: int, looks: int, counted: Any) -> None:
    counted(LIVE.running("2", ready).running("3", others)).decides_the_same_anew(looks)
