"""What an experiment has shown so far. Sums are rounded once, so that they depend on no order."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from itertools import groupby
from operator import itemgetter
from typing import Literal

Aggregate = Literal["sum", "mean"]
"""A unit's value: the sum of its outcomes, 0 without any; or their mean, and a unit without any does not count."""


@dataclass(frozen=True)
class Version:
    """The units that came first to one revision."""

    units: int
    matured: int
    """Of those whose time has passed: how many count."""
    total: float = 0.0
    """The sum of their values."""
    squares: float = 0.0
    """The sum of the squares of their values."""
    crossed: int = 0
    """Units that came to another revision later."""


@dataclass(frozen=True)
class Results:
    """Of all revisions of an experiment; `incomplete` if so much was lost that the rest is no fair sample.

    `missed` are outcomes of the metric that may have been of requests that were let go too early.
    """

    versions: Mapping[str, Version] = field(default_factory=dict)
    incomplete: bool = False
    missed: int = 0


Row = tuple[str, str, float]
"""Revision, unit and value of an outcome that counts."""


def add_up(versions: Mapping[str, Version], rows: Iterable[Row], aggregate: Aggregate) -> Mapping[str, Version]:
    """Add to the versions what their matured units' outcomes sum up to.

    Args:
        versions: with all units and all matured ones.
        rows: all of a unit's one after the other.
        aggregate: how a unit's outcomes make one value.
    """
    values = defaultdict[str, list[float]](list)
    for (revision, _), group in groupby(rows, key=itemgetter(0, 1)):
        outcomes = [value for _, _, value in group]
        value = math.fsum(outcomes)
        values[revision].append(value / len(outcomes) if aggregate == "mean" else value)
    return {
        revision: replace(
            version,
            matured=len(values[revision]) if aggregate == "mean" else version.matured,
            total=math.fsum(values[revision]),
            squares=math.fsum(value * value for value in values[revision]),
        )
        for revision, version in versions.items()
    }
