"""The e-variable of one block for two error rates and a tolerated difference (statistics, section (b)).

Turner, Ly and Gruenwald (arXiv 2106.02693; with margins 2203.09785). The null is one side of the line c = s + delta,
a convex set of pairs (s, c). For an alternative (s*, c*) chosen before the block was seen, and the point (s0, c0) of
the null that minimises  n_s KL(s* || s) + n_c KL(c* || c),

    log L = sum over arms of  errors * log(rate* / rate0) + (requests - errors) * log((1 - rate*) / (1 - rate0))

has E[L] <= 1 at every point of the null, given the numbers of requests: log E[L] is concave in (s, c), zero at
(s0, c0), and its slope there points out of the null. For the same reason rates may differ between the requests of a
block, as long as their averages lie in the null.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from sluice.analysis.counts import Arm

_STEPS = 100  # bisection alone would need about 60


@dataclass(frozen=True)
class Rates:
    """A pair of error rates, each strictly between 0 and 1."""

    stable: float
    canary: float


def log_factor(*, stable: Arm, canary: Arm, guess: Rates, delta: float) -> float:
    """Log evidence of one block for `guess` against the side of c = s + delta on which `guess` does not lie.

    Both arms must have requests; with one arm alone every rate is compatible with either side.
    """
    nearest = projection(requests=(stable.requests, canary.requests), guess=guess, delta=delta)
    return _log_likelihood_ratio(stable, guess.stable, nearest.stable) + _log_likelihood_ratio(
        canary, guess.canary, nearest.canary
    )


def _log_likelihood_ratio(arm: Arm, guess: float, null: float) -> float:
    failed = math.log(guess / null)
    answered = math.log1p(-guess) - math.log1p(-null)
    return arm.errors * failed + (arm.requests - arm.errors) * answered


def projection(*, requests: tuple[int, int], guess: Rates, delta: float) -> Rates:
    """The point (s, s + delta) nearest to `guess` in Kullback-Leibler distance weighted with (stable, canary) requests.

    Requires `guess` inside the open unit square with guess.stable + delta < 1, and requests >= 1. The derivative of
    the distance, cleared of its denominators, is a cubic in s with exactly one root between s* and c* - delta, which
    Newton's method finds, kept inside a shrinking bracket. An error in it matters only to second order.
    """
    weight_s, weight_c = requests
    other = max(0.0, guess.canary - delta)
    low, high = min(guess.stable, other), max(guess.stable, other)
    s = (weight_s * guess.stable + weight_c * other) / (weight_s + weight_c)
    for _ in range(_STEPS):
        c = s + delta
        pull_s, pull_c = weight_s * (guess.stable - s), weight_c * (guess.canary - c)
        spread_s, spread_c = s * (1 - s), c * (1 - c)
        value = pull_s * spread_c + pull_c * spread_s
        slope = pull_s * (1 - 2 * c) - weight_s * spread_c + pull_c * (1 - 2 * s) - weight_c * spread_s
        if value > 0:
            low = s
        else:
            high = s
        step = s - value / slope if slope else math.inf
        following = step if low <= step <= high else (low + high) / 2
        converged = abs(following - s) <= 1e-9 * s  # the error after a step of Newton's is about its square
        s = following
        if converged:
            break
    return Rates(stable=s, canary=s + delta)
