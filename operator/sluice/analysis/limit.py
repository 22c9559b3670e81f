"""Is an error rate more, or less, than a fixed limit? For when there is nothing to compare with.

A mixture of likelihood ratios against the limit (statistics, section (a), with a known rate in the place of stable's):
under every rate on the other side of the limit, also one that changes, each ratio has expectation at most 1, so that
1/alpha is passed with probability at most alpha, however often one looks. Counts alone are all the state there is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from sluice.analysis.counts import Arm
from sluice.analysis.mixture import log_sum

# Rates to bet on, by their odds as multiples of the limit's, and the share of the money on each.
_WORSE = ((1.5, 0.2), (2.5, 0.2), (5.0, 0.2), (15.0, 0.15), (60.0, 0.15), (3000.0, 0.1))
_BETTER = ((0.001, 0.4), (0.05, 0.2), (0.2, 0.2), (0.5, 0.2))


def harm_above(limit: float, seen: Arm) -> float:
    """Return the log e-value that the error rate is above `limit`, in (0, 1)."""
    return _log_e(limit, seen, _WORSE)


def safe_below(limit: float, seen: Arm) -> float:
    """Return the log e-value that the error rate is below `limit`, in (0, 1)."""
    return _log_e(limit, seen, _BETTER)


def _log_e(limit: float, seen: Arm, bets: Sequence[tuple[float, float]]) -> float:
    if not 0 < limit < 1:
        raise ValueError(f"limit must lie between 0 and 1, got {limit!r}")
    return log_sum(math.log(share) + _log_ratio(seen, limit, odds) for odds, share in bets)


def _log_ratio(seen: Arm, limit: float, odds: float) -> float:
    """Return the log likelihood ratio of the rate whose odds are `odds` times the limit's, against the limit."""
    # With q = odds * p / (1 - p + odds * p): ln(q / p) = ln odds - ln(1 - p + odds * p), ln((1-q) / (1-p)) the latter.
    norm = math.log(1 - limit + odds * limit)
    return seen.errors * math.log(odds) - seen.requests * norm
