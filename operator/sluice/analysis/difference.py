"""Is the mean of one version's units above, or below, that of the other's? Bounds that hold at any time.

The asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (arXiv 2103.06476) for a mean,
one-sided (their appendix B). With N observations of standard deviation sigma, and rho, which says where it is tightest,
the mean is above its estimate less

    sigma sqrt( 2 (N rho^2 + 1) / (N rho)^2  ln(1 + sqrt(N rho^2 + 1) / (2 alpha)) )

at all N from some first one on, but for a probability of alpha. It comes from mixing bets on the sum S_N over the
positive half of N(0, rho^2): with x^2 = (S_N / sigma)^2 rho^2 / (N rho^2 + 1) the wealth is 2 exp(x^2 / 2) Phi(x) /
sqrt(N rho^2 + 1), and 2 exp(x^2 / 2) Phi(x) >= 2 exp(x^2 / 2) - 1; so it has passed 1 / alpha where x^2 / 2 is the
logarithm above.

For a difference of means the observations are the units of both versions, each of which comes to the treatment with
probability w (their section 3, doubly robust): unit i with value y counts as

    f_i = m_c - m_s + a_i (y - m_c) / w - (1 - a_i)(y - m_s) / (1 - w),    a_i = 1 if it came to the treatment.

Its mean is the difference whatever m_c and m_s are. With the arms' own means in their place, and n_c / N for w, the
average of f is the difference of the arms' means, and both corrections have mean 0 in their arm, so that

    sigma^2 = (n_c / N) s_c^2 / (n_c / N)^2 + (n_s / N) s_s^2 / (n_s / N)^2 = s_c^2 N / n_c + s_s^2 N / n_s.

That is N times the square of the usual standard error.

Where w was another one in each of several parts of the test, each unit counts by the w and the means of its part. The
average of f is then that of the parts' differences, and sigma^2 that of their variances, each weighed by its units. The
arms' means over all parts would not do: whoever had more units late would seem to differ by what changes with time.

Asymptotic means: as with any t-test, a central limit has to
have set in; hence `minUnits`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

# The formula for rho needs less than 0.5; a smaller alpha only takes longer.
LARGEST_ALPHA = 0.45


@dataclass(frozen=True)
class Sample:
    """Units of one version: how many, the sum of their values, and the sum of the squares."""

    number: int
    total: float
    squares: float

    @property
    def mean(self) -> float:
        """The average value; 0 without units."""
        return self.total / self.number if self.number else 0.0

    @property
    def variance(self) -> float:
        """The sample variance; at least two units are needed for it."""
        return max(0.0, (self.squares - self.total * self.mean) / (self.number - 1))


@dataclass(frozen=True)
class Difference:
    """Treatment less control, and bounds each of which is missed, ever, with its own alpha at most."""

    estimate: float
    lower: float
    upper: float


def difference(
    treatment: Sample, control: Sample, *, alpha_lower: float, alpha_upper: float, tightest: float
) -> Difference | None:
    """Compare two means; None as long as a version has fewer than two units.

    Args:
        treatment: the candidate's units.
        control: stable's.
        alpha_lower: probability that the lower bound is ever above the truth, in (0, 1).
        alpha_upper: probability that the upper bound is ever below it.
        tightest: number of units, of both together, at which the bounds are tightest. Chosen before the first of them.
    """
    return stratified([(treatment, control)], alpha_lower=alpha_lower, alpha_upper=alpha_upper, tightest=tightest)


def stratified(
    parts: Iterable[tuple[Sample, Sample]], *, alpha_lower: float, alpha_upper: float, tightest: float
) -> Difference | None:
    """Compare two means where units came in other proportions in each part of a test.

    A part in which a version has fewer than two units says nothing; None when there is no other.

    Args:
        parts: treatment and control in each.
        alpha_lower: see `difference`.
        alpha_upper: see `difference`.
        tightest: see `difference`.
    """
    told = [(one, other) for one, other in parts if min(one.number, other.number) >= 2]
    units = sum(one.number + other.number for one, other in told)
    if units == 0:
        return None
    estimate = sum((one.number + other.number) / units * (one.mean - other.mean) for one, other in told)
    deviation = math.sqrt(sum((one.number + other.number) / units * _per_unit(one, other) for one, other in told))
    return Difference(
        estimate,
        estimate - deviation * half_width(units, alpha_lower, tightest),
        estimate + deviation * half_width(units, alpha_upper, tightest),
    )


def _per_unit(treatment: Sample, control: Sample) -> float:
    """Return the variance of what one unit counts."""
    units = treatment.number + control.number
    return sum(_spread(one, treatment, control) * units / one.number for one in (treatment, control))


def half_width(units: int, alpha: float, tightest: float) -> float:
    """Return how far a one-sided bound lies from the estimate, in standard deviations of one unit."""
    alpha = min(alpha, LARGEST_ALPHA)
    surprise = -2 * math.log(2 * alpha)
    spread = units * (surprise + math.log1p(surprise)) / tightest + 1
    return math.sqrt(2 * spread / (units * (spread - 1)) * math.log1p(math.sqrt(spread) / (2 * alpha)))


def _spread(one: Sample, treatment: Sample, control: Sample) -> float:
    """Return the variance of one version's values, not below what a single unit more might make of it.

    Values that are all the same, as with 0 conversions of 200 users, have a variance of 0, and are no proof that there
    is none. So one unit more is thought of that has the extreme value: the one that all values would have that are not
    0, if these are the same (squares / total), or 0, whichever is farther from this version's mean. For values of
    either sign that says little, so the floor is never above a quarter of the mean square: below their variance.
    """
    total, squares = treatment.total + control.total, treatment.squares + control.squares
    extreme = squares / total if total else math.inf
    farthest = max(abs(one.mean), abs(extreme - one.mean))
    most = math.sqrt(squares / (4 * (treatment.number + control.number)))
    return max(one.variance, min(farthest / math.sqrt(one.number + 1), most) ** 2)
