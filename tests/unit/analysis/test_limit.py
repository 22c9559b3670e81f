"""Evidence against a fixed limit: an e-process by exact enumeration, and the same numbers from scipy's binomial law."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp
from scipy.stats import binom
from sluice.analysis import Arm, harm_above, safe_below, threshold
from sluice.analysis.limit import _BETTER, _WORSE

LIMITS = st.floats(min_value=1e-4, max_value=0.6)
SHARES = st.floats(min_value=0, max_value=1)


def expectation(log_e: np.ndarray, rate: float) -> float:
    """Of the e-value after as many requests as there are entries, less one."""
    requests = len(log_e) - 1
    return float(np.exp(logsumexp(binom.logpmf(np.arange(requests + 1), requests, rate) + log_e)))


@settings(deadline=None, max_examples=100)
@given(limit=LIMITS, share=SHARES, requests=st.integers(1, 60))
def test_harm_has_expectation_at_most_one_below_the_limit(limit: float, share: float, requests: int) -> None:
    wealth = np.array([harm_above(limit, Arm(requests, errors)) for errors in range(requests + 1)])
    assert expectation(wealth, limit * share) <= 1 + 1e-9
    assert expectation(wealth, limit) == pytest.approx(1)


@settings(deadline=None, max_examples=100)
@given(limit=LIMITS, share=SHARES, requests=st.integers(1, 60))
def test_safety_has_expectation_at_most_one_above_the_limit(limit: float, share: float, requests: int) -> None:
    wealth = np.array([safe_below(limit, Arm(requests, errors)) for errors in range(requests + 1)])
    assert expectation(wealth, limit + (1 - limit) * share) <= 1 + 1e-9
    assert expectation(wealth, limit) == pytest.approx(1)


@settings(deadline=None, max_examples=60)
@given(limit=LIMITS, requests=st.integers(1, 2000), share=SHARES)
def test_the_evidence_is_a_mixture_of_ratios_of_binomial_likelihoods(limit: float, requests: int, share: float) -> None:
    errors = round(share * requests)
    for bets, found in ((_WORSE, harm_above), (_BETTER, safe_below)):
        rates = [odds * limit / (1 - limit + odds * limit) for odds, _ in bets]
        against = binom.logpmf(errors, requests, limit)
        if not math.isfinite(against):
            continue
        ratios = [math.log(share) + binom.logpmf(errors, requests, rate) - against
                  for rate, (_, share) in zip(rates, bets, strict=True)]  # fmt: skip
        assert found(limit, Arm(requests, errors)) == pytest.approx(logsumexp(ratios), rel=1e-6, abs=1e-6)


def test_all_money_is_placed() -> None:
    for bets in (_WORSE, _BETTER):
        assert math.fsum(share for _, share in bets) == pytest.approx(1)
    assert all(odds > 1 for odds, _ in _WORSE)
    assert all(odds < 1 for odds, _ in _BETTER)


def test_a_dead_version_is_found_out_by_two_errors_and_a_faultless_one_proven_by_some_170_requests() -> None:
    enough = threshold(0.05)
    assert harm_above(0.02, Arm(1, 1)) < enough <= harm_above(0.02, Arm(2, 2))
    needed = next(n for n in range(1000) if safe_below(0.02, Arm(n, 0)) >= enough)
    assert needed == pytest.approx(166, abs=2)


@pytest.mark.parametrize("limit", [0.0, 1.0, -0.1, math.nan])
def test_a_limit_out_of_range_is_refused(limit: float) -> None:
    with pytest.raises(ValueError, match="limit must lie between 0 and 1"):
        harm_above(limit, Arm(1, 0))
