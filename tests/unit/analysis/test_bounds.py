"""Bounds for a share are limits at which the tests are just passed: by brentq, by counting all paths, by chance."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.special import logsumexp, xlog1py, xlogy
from scipy.stats import binom
from sluice.analysis import Arm, Bounds, bounds, harm_above, safe_below, threshold
from sluice.analysis.limit import _BETTER, _WORSE

COUNTS = st.integers(0, 20_000).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n)))
ALPHAS = st.floats(0.001, 0.3)


def both(requests: int, errors: int, alpha: float = 0.05) -> Bounds:
    return bounds(Arm(requests, errors), alpha_lower=alpha, alpha_upper=alpha)


def log_e(limit: float, requests: int, errors: int, bets: tuple[tuple[float, float], ...]) -> float:
    """Of a mixture, from the likelihoods of the rates that it bets on; no code of the tests' is used."""

    def likelihood(rate: float) -> float:
        return float(xlogy(errors, rate) + xlog1py(requests - errors, -rate))

    rates = [1 / (1 + (1 - limit) / (limit * odds)) for odds, _ in bets]
    return float(logsumexp([likelihood(rate) for rate in rates], b=[share for _, share in bets]) - likelihood(limit))


@settings(deadline=None, max_examples=100)
@given(counts=COUNTS, alpha=ALPHAS)
def test_they_are_the_roots_of_the_mixtures(counts: tuple[int, int], alpha: float) -> None:
    requests, errors = counts
    found = both(requests, errors, alpha)
    for bets, bound, none in ((_WORSE, found.lower, 0.0), (_BETTER, found.upper, 1.0)):

        def missing(limit: float, bets: tuple[tuple[float, float], ...] = bets) -> float:
            return log_e(limit, requests, errors, bets) + math.log(alpha)

        seen = min(max(errors / requests if requests else 0.5, 1e-7), 1 - 1e-7)
        end = 1e-9 if none == 0 else 1 - 1e-9
        if missing(end) <= 0:
            assert bound == pytest.approx(none, abs=2e-9)
        else:
            assert bound == pytest.approx(brentq(missing, *sorted((seen, end)), xtol=1e-14), rel=1e-6, abs=2e-9)


@settings(deadline=None, max_examples=200)
@given(counts=COUNTS, alphas=st.tuples(ALPHAS, ALPHAS), limit=st.floats(1e-4, 0.9))
def test_a_limit_is_proven_exactly_if_it_is_outside(
    counts: tuple[int, int], alphas: tuple[float, float], limit: float
) -> None:
    seen = Arm(*counts)
    found = bounds(seen, alpha_lower=alphas[0], alpha_upper=alphas[1])
    if abs(limit - found.lower) > 1e-9:
        assert (harm_above(limit, seen) >= threshold(alphas[0])) is (limit < found.lower)
    if abs(limit - found.upper) > 1e-9:
        assert (safe_below(limit, seen) >= threshold(alphas[1])) is (limit > found.upper)


@pytest.mark.parametrize("rate", [0.002, 0.02, 0.2, 0.7])
@pytest.mark.parametrize("alpha", [0.05, 0.2])
def test_among_all_paths_few_ever_leave_a_bound(rate: float, alpha: float) -> None:
    """Exactly: the chance of each count after each request, of paths that no bound has missed yet."""
    looks = 600
    for side in ("lower", "upper"):
        alive, missed, most, least = np.zeros(looks + 2), 0.0, 0, 0
        alive[0] = 1.0
        for requests in range(1, looks + 1):
            alive[1:] = alive[1:] * (1 - rate) + alive[:-1] * rate
            alive[0] *= 1 - rate
            if side == "lower":  # counts from `most` on say that the share is larger than it is
                most = next(
                    e for e in range(most, requests + 2) if e > requests or both(requests, e, alpha).lower > rate
                )
                missed += alive[most:].sum()
                alive[most:] = 0
            else:
                while both(requests, least, alpha).upper < rate:
                    least += 1
                missed += alive[:least].sum()
                alive[:least] = 0
        assert missed <= alpha
        assert alive.sum() == pytest.approx(1 - missed)


def test_a_share_that_changes_with_what_was_seen_keeps_its_average_within() -> None:
    """It hides as long as it looks bad, and shows itself as long as it looks good."""
    rng, runs, alpha = np.random.default_rng(20261126), 300, 0.1
    missed = {"lower": 0, "upper": 0}
    for _ in range(runs):
        errors, expected, out = 0, 0.0, set()
        for number in range(1, 801):
            rate = 0.02 if errors > 0.08 * number else 0.15 + 0.1 * math.sin(number / 40)
            errors, expected = errors + int(rng.random() < rate), expected + rate
            if number % 40 == 0:
                found, average = both(number, errors, alpha), expected / number
                out |= {"lower"} if found.lower > average else set()
                out |= {"upper"} if found.upper < average else set()
        for side in out:
            missed[side] += 1
    assert max(missed.values()) <= binom.ppf(0.999, runs, alpha)


def test_they_close_in_on_the_share_as_far_as_the_bets_reach() -> None:
    far, near = both(100, 2), both(100_000, 2_000)
    assert far.lower < near.lower < 0.02 < near.upper < far.upper
    # The bet nearest to a limit is on half, or on 1.5 times, its odds; where it wins in the long run the bounds end.
    assert near.upper == pytest.approx((1 - 0.5**0.02) / 0.5, rel=0.02)
    assert near.lower == pytest.approx((1.5**0.02 - 1) / 0.5, rel=0.02)


@pytest.mark.parametrize(
    ("requests", "errors", "lower", "upper"),
    [(0, 0, 0, 1), (100, 0, 0, 0.033), (100, 20, 0.10, 0.34), (1000, 20, 0.009, 0.037), (3000, 150, 0.038, 0.071),
     (10_000, 100, 0.007, 0.015), (5, 5, 0.469, 1)],
)  # fmt: skip
def test_what_the_documentation_says(requests: int, errors: int, lower: float, upper: float) -> None:
    found = both(requests, errors)
    assert found.lower == pytest.approx(lower, rel=0.05)
    assert found.upper == pytest.approx(upper, rel=0.05)


def test_an_impossible_alpha_is_refused() -> None:
    with pytest.raises(ValueError, match="alpha"):
        bounds(Arm(1, 0), alpha_lower=0.05, alpha_upper=1)
