"""Is a share more, or less, than a fixed limit, and between which bounds is it? Of errors, or of different answers.

A mixture of likelihood ratios against the limit (statistics, section (a), with a known rate in the place of stable's):
under every rate on the other side of the limit, also one that changes, each ratio has expectation at most 1, so that
1/alpha is passed with probability at most alpha, however often one looks. Counts alone are all the state there is.

The bounds are the limits at which these tests are just passed: what is proven to be too high, and too low. Each bet's
odds are the same multiple at every limit, so the evidence only grows with the distance from the share that was seen,
and what lies between the bounds is an interval. Where the rate changes they are bounds on its average so far: with
L_i = k^x_i / (1 + r_i (k - 1)), for odds k and rates r_i that may depend on all before, the product of L_i is a
martingale; by concavity of the logarithm it is at least the ratio at the average of the rates, so that this one passes
1/alpha no more often.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sluice.analysis.counts import Arm
from sluice.analysis.mixture import log_sum, threshold

# Rates to bet on, by their odds as multiples of the limit's, and the share of the money on each.
_WORSE = ((1.5, 0.2), (2.5, 0.2), (5.0, 0.2), (15.0, 0.15), (60.0, 0.15), (3000.0, 0.1))
_BETTER = ((0.001, 0.4), (0.05, 0.2), (0.2, 0.2), (0.5, 0.2))

# Halvings of [0, 1] in the search for a bound; more would reach the ends, which are no limits.
_HALVINGS = 50


@dataclass(frozen=True)
class Bounds:
    """Between which shares the truth is; each is missed, ever, with its own alpha at most."""

    lower: float
    upper: float


def harm_above(limit: float, seen: Arm) -> float:
    """Return the log e-value that the error rate is above `limit`, in (0, 1)."""
    return _log_e(limit, seen, _WORSE)


def safe_below(limit: float, seen: Arm) -> float:
    """Return the log e-value that the error rate is below `limit`, in (0, 1)."""
    return _log_e(limit, seen, _BETTER)


def bounds(seen: Arm, *, alpha_lower: float, alpha_upper: float) -> Bounds:
    """Return the largest limit that the share is proven to be above, and the smallest that it is proven to be below.

    Without a proof at any limit these are 0 and 1.

    Args:
        seen: how many there are, and how many of them count.
        alpha_lower: probability that the lower bound is ever above the truth, in (0, 1).
        alpha_upper: probability that the upper bound is ever below it.
    """
    exceeded, kept = threshold(alpha_lower), threshold(alpha_upper)
    lower, _ = _turn(lambda limit: harm_above(limit, seen) >= exceeded)
    _, upper = _turn(lambda limit: safe_below(limit, seen) < kept)
    return Bounds(lower, upper)


def _turn(holds: Callable[[float], bool]) -> tuple[float, float]:
    """Return two neighbours in [0, 1] of which what holds at small limits still does at the first alone."""
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low, high


def _log_e(limit: float, seen: Arm, bets: Sequence[tuple[float, float]]) -> float:
    if not 0 < limit < 1:
        raise ValueError(f"limit must lie between 0 and 1, got {limit!r}")
    return log_sum(math.log(share) + _log_ratio(seen, limit, odds) for odds, share in bets)


def _log_ratio(seen: Arm, limit: float, odds: float) -> float:
    """Return the log likelihood ratio of the rate whose odds are `odds` times the limit's, against the limit."""
    # With q = odds * p / (1 - p + odds * p): ln(q / p) = ln odds - ln(1 - p + odds * p), ln((1-q) / (1-p)) the latter.
    norm = math.log(1 - limit + odds * limit)
    return seen.errors * math.log(odds) - seen.requests * norm
