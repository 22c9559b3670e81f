"""The cells in which the model server counts durations, and how a scale shift looks in them.

Each edge is sqrt(1.2) times the one before: a canary that is 20 % slower has its durations exactly two cells later.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

# In seconds; the server has the same (`sluice_server.durations`). Six significant digits, the same on every machine.
EDGES = tuple(float(f"{1.2 ** (half / 2):.6g}") for half in range(-84, 46))

_CELLS_PER_LOG = 2 / math.log(1.2)
_EXACT = 1e-4  # of a cell; the edges are rounded by less

Counts = tuple[int, ...]
"""Answers that took at most EDGES[i] seconds, for each i, and last of all: all answers. Cumulative."""


def above(counts: Sequence[int], edge: int) -> int:
    """How many took longer than EDGES[edge]; none are known to be above an edge that does not exist."""
    return counts[-1] - counts[edge] if edge < len(EDGES) else 0


def quantile(counts: Sequence[int], share: float) -> int:
    """The first edge that at least `share` of the answers do not exceed; the last one if there is none."""
    return next((edge for edge in range(len(EDGES)) if counts[edge] >= share * counts[-1]), len(EDGES) - 1)


def later(edge: int, ratio: float) -> tuple[int, int]:
    """The edges just below and just above `ratio` (>= 1) times EDGES[edge]; the same one when it is an edge.

    The lower is at most the last edge there is. The upper may lie beyond: nothing is known to be above that.
    """
    cells = _CELLS_PER_LOG * math.log(ratio)
    lower, upper = math.floor(cells + _EXACT), math.ceil(cells - _EXACT)
    return min(edge + lower, len(EDGES) - 1), edge + upper
