"""Sums of floats without rounding, so that they depend on no order."""

import math
from collections.abc import Iterable

Parts = tuple[float, ...]
"""Floats that do not overlap; their exact sum is the sum of all that was added (Shewchuk 1997, as in `math.fsum`)."""


def add(parts: Parts, values: Iterable[float]) -> Parts:
    """Add values of at most 1e300: the sum must stay finite."""
    sums = list(parts)
    for value in values:
        rest = value
        kept = 0
        for part in sums:
            large, small = (rest, part) if abs(rest) >= abs(part) else (part, rest)
            rest = large + small
            if lost := small - (rest - large):
                sums[kept] = lost
                kept += 1
        sums[kept:] = [rest]
    return tuple(sums)


def total(parts: Parts) -> float:
    """The sum, rounded once."""
    return math.fsum(parts)
