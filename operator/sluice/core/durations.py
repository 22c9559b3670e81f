"""Durations of both arms, out of the pods' cells: where they are compared, and what is new since the last look."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import accumulate

from sluice.analysis import Answers, Margin
from sluice.analysis.cells import above
from sluice.analysis.latency import choose_cuts, needed
from sluice.api.record import Cursor, Evidence
from sluice.core.observation import Counters


def prepared(evidence: Evidence, margins: tuple[Margin, ...], stable: Mapping[str, Counters]) -> Evidence:
    """Choose the cut points once stable has answered enough, and say above which edges answers are counted.

    What is compared must not have chosen where: answers count from the look after this one.
    """
    if not margins:
        return evidence.model_copy(update={"edges": ()})
    cuts = evidence.cuts or choose_cuts(_together(stable)) or ()
    return evidence.model_copy(update={"cuts": cuts, "edges": needed(cuts, margins)})


def counted(counters: Counters, edges: tuple[int, ...]) -> tuple[int, ...] | None:
    """Return what a cursor keeps: the number of answers, and of those above each edge. None if nothing is compared."""
    cells = counters.durations
    if cells is None or not edges:
        return None
    return (cells[-1], *(above(cells, edge) for edge in edges))


def between(
    before: Evidence,
    after: Evidence,
    stable: Mapping[str, Counters],
    canary: Mapping[str, Counters],
    fresh: set[str],
) -> tuple[Answers, Answers] | None:
    """Return the new answers of stable and canary; None while they cannot be compared.

    Args:
        before: the evidence with the cursors of the last look.
        after: the evidence as `prepared` left it.
        stable: counters by pod UID.
        canary: counters by pod UID.
        fresh: pods that count from zero when they are first seen.
    """
    if not after.edges or after.edges != before.edges:
        return None
    arms = [_answers(arm, before.cursors, fresh, after.edges) for arm in (stable, canary)]
    return (arms[0], arms[1]) if arms[0] and arms[1] else None


def _answers(
    counters: Mapping[str, Counters], cursors: Mapping[str, Cursor], fresh: set[str], edges: tuple[int, ...]
) -> Answers | None:
    """Return one arm's answers since the last look; None when a pod's server does not tell durations."""
    total = [0] * (len(edges) + 1)
    for uid, now in counters.items():
        cells, cursor = counted(now, edges), cursors.get(uid)
        if cells is None:
            return None
        if cursor is None and uid not in fresh:
            continue
        before: tuple[int, ...] | None = (0,) * len(cells)
        if cursor is not None and cursor.start == now.start:
            before = cursor.durations
        if before is None or len(before) != len(cells):
            continue  # it was not counted above these edges yet
        new = (max(0, count - was) for count, was in zip(cells, before, strict=True))
        total = [old + more for old, more in zip(total, accumulate(new, min), strict=True)]
    return Answers(total[0], dict(zip(edges, total[1:], strict=True)))


def _together(counters: Mapping[str, Counters]) -> tuple[int, ...]:
    pods = [one.durations for one in counters.values() if one.durations]
    return tuple(sum(cell) for cell in zip(*pods, strict=True)) or (0,)
