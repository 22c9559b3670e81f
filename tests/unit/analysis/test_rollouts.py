"""Whole simulated rollouts, looked at after every block, with fixed seeds."""

import math

import pytest
from sluice.analysis import Margin, requests_for_safety

from tests.unit.analysis.rollouts import AT_THE_MARGIN, NO_DIFFERENCE, WORSE, Scenario, run

REPETITIONS = 40
ALPHA = 0.05


@pytest.mark.parametrize("scenario", NO_DIFFERENCE, ids=lambda s: s.name)
def test_a_canary_without_a_difference_is_not_rolled_back(scenario: Scenario) -> None:
    harmful = [seed for seed in range(REPETITIONS) if run(scenario, seed, blocks=24).harm is not None]
    assert len(harmful) <= ALPHA * REPETITIONS


@pytest.mark.parametrize("scenario", AT_THE_MARGIN, ids=lambda s: s.name)
def test_a_canary_at_the_margin_is_neither_proven_safe_nor_harmful(scenario: Scenario) -> None:
    outcomes = [run(scenario, 1000 + seed, blocks=24) for seed in range(REPETITIONS)]
    assert sum(outcome.safe is not None for outcome in outcomes) <= ALPHA * REPETITIONS
    assert sum(outcome.harm is not None for outcome in outcomes) <= ALPHA * REPETITIONS


@pytest.mark.parametrize(("scenario", "most"), list(zip(WORSE, (60, 600, 200), strict=True)), ids=str)
def test_a_clearly_worse_canary_is_always_found(scenario: Scenario, most: int) -> None:
    outcomes = [run(scenario, seed) for seed in range(REPETITIONS)]
    assert all(outcome.safe is None for outcome in outcomes)
    exposed = sorted(math.inf if outcome.harm is None else outcome.harm for outcome in outcomes)
    assert exposed[-1] < math.inf
    assert exposed[REPETITIONS * 9 // 10] <= most


def test_a_canary_without_errors_is_promoted() -> None:
    assert all(run(NO_DIFFERENCE[0], seed).safe is not None for seed in range(10))


@pytest.mark.parametrize("weight", [0.01, 0.1, 0.5, 0.9])
def test_requests_for_safety_do_not_depend_much_on_the_weight(weight: float) -> None:
    assert 150 <= requests_for_safety(Margin(1.25, 0.02), 0.05, weight=weight) <= 250


def test_requests_for_safety_grow_as_the_margin_or_alpha_shrinks() -> None:
    margins = [requests_for_safety(Margin(1.25, absolute), 0.05) for absolute in (0.001, 0.01, 0.1, 0.5)]
    assert margins == sorted(margins, reverse=True)
    assert requests_for_safety(Margin(1.25, 0.01), 0.001) > requests_for_safety(Margin(1.25, 0.01), 0.05)


def test_a_stable_with_errors_makes_a_canary_without_any_easier_to_prove() -> None:
    margin = Margin(1.25, 0.005)
    assert requests_for_safety(margin, 0.05, stable_rate=0.02) < requests_for_safety(margin, 0.05)


@pytest.mark.parametrize(
    ("alpha", "stable_rate", "weight"), [(0, 0, 0.1), (0.05, -0.1, 0.1), (0.05, 1, 0.1), (0.05, 0, 0), (0.05, 0, 1)]
)
def test_impossible_plans_are_refused(alpha: float, stable_rate: float, weight: float) -> None:
    with pytest.raises(ValueError, match=r"alpha|stable_rate|weight"):
        requests_for_safety(Margin(1.25, 0.01), alpha, stable_rate, weight)
