"""How long answers took: a count, a sum and cells, each 1.1 times as wide as the one before."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

RATIO = 1.1
_SHORTEST = 1e-6
"""Seconds; shorter times are in the lowest cell."""


@dataclass(frozen=True)
class Latency:
    """Durations of one side."""

    count: int = 0
    nanoseconds: int = 0
    """Their sum; an integer, so that it depends on no order."""
    cells: Mapping[int, int] = field(default_factory=dict)
    """Cell i has the times from RATIO**i up to RATIO**(i + 1) seconds."""

    def plus(self, seconds: Iterable[float]) -> "Latency":
        """Add durations."""
        cells = Counter(self.cells)
        count, nanoseconds = self.count, self.nanoseconds
        for duration in seconds:
            cells[_cell(duration)] += 1
            count += 1
            nanoseconds += round(duration * 1e9)
        return Latency(count, nanoseconds, dict(sorted(cells.items())))

    @property
    def mean(self) -> float:
        """In seconds; 0 of none."""
        return self.nanoseconds / self.count / 1e9 if self.count else 0.0

    def quantile(self, share: float) -> float:
        """The middle of the cell with that quantile, in seconds: at most 5 % off; 0 of none."""
        rank = math.ceil(share * self.count)
        for cell, count in sorted(self.cells.items()):
            rank -= count
            if rank <= 0:
                return float(RATIO ** (cell + 0.5))
        return 0.0


def _cell(seconds: float) -> int:
    return math.floor(math.log(max(seconds, _SHORTEST)) / math.log(RATIO))
