"""The same numbers by another road: scipy's minimiser and binomial laws, and sums over starting times written out."""

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp
from scipy.stats import binom
from sluice.analysis import Arm, Block, Margin, SampleRatio, alternatives, ratio, sample_ratio
from sluice.analysis.absolute import AbsoluteEvidence
from sluice.analysis.boundary import Rates, log_factor, projection
from sluice.analysis.mixture import cash
from sluice.analysis.ratio import RatioEvidence

BLOCKS = (
    Block(0.05, Arm(190, 2), Arm(10, 0)),
    Block(0.1, Arm(85, 0), Arm(12, 0)),
    Block(0.1, Arm(95, 1), Arm(8, 1)),
    Block(0.5, Arm(40, 0), Arm(44, 3)),
    Block(0.5, Arm(50, 2), Arm(41, 9)),
)
INSIDE = st.floats(min_value=1e-5, max_value=1 - 1e-5)


def divergence(p: float, q: float) -> float:
    return p * math.log(p / q) + (1 - p) * math.log((1 - p) / (1 - q))


@settings(deadline=None, max_examples=150)
@given(
    stable=INSIDE,
    canary=INSIDE,
    delta=st.floats(min_value=1e-3, max_value=0.9),
    requests=st.tuples(st.integers(1, 5000), st.integers(1, 5000)),
)
def test_the_nearest_point_of_the_null(stable: float, canary: float, delta: float, requests: tuple[int, int]) -> None:
    stable *= 1 - delta

    def distance(s: float) -> float:
        return requests[0] * divergence(stable, s) + requests[1] * divergence(canary, s + delta)

    found = projection(requests=requests, guess=Rates(stable, canary), delta=delta)
    assert 0 < found.stable < found.canary < 1
    assert found.canary - found.stable == pytest.approx(delta)
    edge = 1e-12
    best = minimize_scalar(distance, bounds=(edge, 1 - delta - edge), method="bounded", options={"xatol": 1e-13})
    assert distance(found.stable) <= best.fun + 1e-7 * (1 + best.fun)


@settings(deadline=None, max_examples=100)
@given(
    rates=st.tuples(INSIDE, INSIDE),
    counts=st.tuples(st.integers(1, 300), st.integers(1, 300), st.floats(0, 1), st.floats(0, 1)),
    delta=st.sampled_from([0.005, 0.05, 0.5]),
)
def test_a_factor_is_a_ratio_of_binomial_likelihoods(
    rates: tuple[float, float], counts: tuple[int, int, float, float], delta: float
) -> None:
    stable, canary = Arm(counts[0], int(counts[2] * counts[0])), Arm(counts[1], int(counts[3] * counts[1]))
    guess = Rates(rates[0] * (1 - delta), rates[1])
    null = projection(requests=(stable.requests, canary.requests), guess=guess, delta=delta)
    expected = sum(
        binom.logpmf(arm.errors, arm.requests, of_guess) - binom.logpmf(arm.errors, arm.requests, of_null)
        for arm, of_guess, of_null in ((stable, guess.stable, null.stable), (canary, guess.canary, null.canary))
    )
    assert log_factor(stable=stable, canary=canary, guess=guess, delta=delta) == pytest.approx(
        expected, rel=1e-6, abs=1e-6
    )


def over_starting_times(prior: Sequence[float], factors: list[list[float]]) -> float:
    """log of: cash left + sum over starts j and components k of w_j prior_k product of L_k from j on."""
    rounds = len(factors)
    terms = [math.log(cash(rounds))]
    table = np.array(factors)
    for start in range(rounds):
        stake = cash(start) - cash(start + 1)
        terms += [math.log(stake * p) + table[start:, k].sum() for k, p in enumerate(prior)]
    return float(logsumexp(terms))


def share(weight: float, odds: float) -> float:
    return weight * odds / (weight * odds + 1 - weight)


def error_law(block: Block, odds: float) -> float:
    """Log chance of how this block's errors fall on the arms."""
    return float(binom.logpmf(block.canary.errors, block.errors, share(block.weight, odds)))


@pytest.mark.parametrize("bound", [1.0, 1.25, 4.0])
def test_ratio_evidence(bound: float) -> None:
    evidence = RatioEvidence.start(bound)
    for block in BLOCKS:
        evidence = evidence.observe(block)
    telling = [block for block in BLOCKS if block.errors]
    harm = [[error_law(b, bound * f) - error_law(b, bound) for f in ratio.HARM_FACTORS] for b in telling]
    safe = np.array([[error_law(b, bound * f) - error_law(b, bound) for f in ratio.SAFE_FACTORS] for b in telling])
    assert evidence.harm == pytest.approx(over_starting_times(ratio.HARM_PRIOR, harm), abs=1e-4)
    assert evidence.safe == pytest.approx(float(logsumexp(safe.sum(axis=0), b=ratio.SAFE_PRIOR)), abs=1e-4)


@pytest.mark.parametrize("delta", [0.005, 0.05])
def test_absolute_evidence(delta: float) -> None:
    evidence = AbsoluteEvidence.start(delta)
    harm: list[list[float]] = []
    safe: list[list[float]] = []
    seen_stable, seen_canary = Arm(0, 0), Arm(0, 0)
    for block in BLOCKS:
        for rows, guesses in (
            (harm, alternatives.harmful(stable=seen_stable, canary=seen_canary, delta=delta)),
            (safe, alternatives.safe(stable=seen_stable, canary=seen_canary, delta=delta)),
        ):
            rows.append(
                [
                    log_factor(stable=block.stable, canary=block.canary, guess=g, delta=delta) if g else 0.0
                    for g in guesses
                ]
            )
        seen_stable, seen_canary = seen_stable + block.stable, seen_canary + block.canary
        evidence = evidence.observe(stable=block.stable, canary=block.canary)
    assert evidence.harm == pytest.approx(over_starting_times(alternatives.HARM_PRIOR, harm), abs=1e-4)
    expected = float(logsumexp(np.array(safe).sum(axis=0), b=alternatives.SAFE_PRIOR))
    assert evidence.safe == pytest.approx(expected, abs=1e-4)


def test_sample_ratio_evidence() -> None:
    mix = SampleRatio.start()
    for block in BLOCKS:
        mix = mix.observe(block)

    def law(odds: float) -> float:
        arms = ((b.canary.requests, b.stable.requests + b.canary.requests, share(b.weight, odds)) for b in BLOCKS)
        return sum(float(binom.logpmf(canary, both, chance)) for canary, both, chance in arms)

    expected = logsumexp([law(odds) - law(1) for odds in sample_ratio.ALTERNATIVES], b=sample_ratio.PRIOR)
    assert mix.log_e == pytest.approx(float(expected), abs=1e-4)


def test_shares_of_the_money_sum_to_one() -> None:
    for prior in (ratio.HARM_PRIOR, ratio.SAFE_PRIOR, alternatives.HARM_PRIOR, alternatives.SAFE_PRIOR):
        assert sum(prior) == pytest.approx(1)
    assert cash(0) == 1
    assert all(cash(t) > cash(t + 1) > 0 for t in range(1000))


@given(
    arms=st.tuples(*(st.tuples(st.integers(0, 10**6), st.floats(0, 1)) for _ in range(2))),
    delta=st.floats(min_value=1e-4, max_value=0.99),
)
def test_every_bet_is_placed_on_its_own_side(arms: tuple[tuple[int, float], ...], delta: float) -> None:
    stable, canary = (Arm(n, int(share * n)) for n, share in arms)
    for guess in alternatives.harmful(stable=stable, canary=canary, delta=delta):
        assert guess is None or (guess.stable > 0 and guess.stable + delta < guess.canary < 1)
    for guess in alternatives.safe(stable=stable, canary=canary, delta=delta):
        assert guess is None or 0 < guess.canary < guess.stable + delta
        assert guess is None or (0 < guess.stable < 1 - delta and guess.canary < 1)
    assert len(alternatives.harmful(stable=stable, canary=canary, delta=delta)) == len(alternatives.HARM_PRIOR)
    assert len(alternatives.safe(stable=stable, canary=canary, delta=delta)) == len(alternatives.SAFE_PRIOR)


def test_safety_is_the_average_and_harm_the_smaller_of_both_margins() -> None:
    from sluice.analysis import ErrorEvidence

    evidence = ErrorEvidence.start(Margin(1.25, 0.05))
    for block in BLOCKS:
        evidence = evidence.observe(block)
        average = (math.exp(evidence.ratio.safe) + math.exp(evidence.absolute.safe)) / 2
        assert math.exp(evidence.safe) == pytest.approx(average)
        assert evidence.harm == min(evidence.ratio.harm, evidence.absolute.harm)
