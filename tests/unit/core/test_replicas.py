"""Pods and weights: what one needs, the other carries."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from sluice.core.replicas import covered, needed

REPLICAS, WEIGHTS = st.integers(1, 1000), st.integers(1, 100)


@given(REPLICAS, WEIGHTS)
def test_what_a_weight_needs_carries_it_and_one_pod_less_does_not(replicas: int, weight: int) -> None:
    pods = needed(replicas, weight)
    assert 1 <= pods <= replicas
    assert covered(replicas, pods) >= weight
    assert pods == 1 or covered(replicas, pods - 1) < weight


@given(REPLICAS, st.integers(0, 2000))
def test_what_pods_carry_needs_no_more_of_them(replicas: int, ready: int) -> None:
    weight = covered(replicas, ready)
    assert 0 <= weight <= 100
    assert weight == 0 or needed(replicas, weight) <= ready


@given(REPLICAS, WEIGHTS, WEIGHTS)
def test_more_weight_never_needs_fewer_pods(replicas: int, one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert needed(replicas, low) <= needed(replicas, high)
    assert needed(replicas, 100) == replicas


def test_no_replicas_carry_nothing() -> None:
    assert covered(0, 0) == 0
