"""Which part of the hash range belongs to whom: pieces, in the order of a route's backends. Pure.

Envoy takes `hash % total` and the backend in whose interval that falls, so that a user stays with a version as long as
the pieces stay where they are. The range is cut into equal cells. In each the treatment has one interval, which begins
at a phase of its own, drawn from the test's seed, and goes on at the cell's beginning when it passes its end. So each
position is the treatment's with the probability that its weight says, whatever the hash of a user is, and the users of
one test tell nothing about those of another.

In a canary the share grows on the way, and the candidate has one interval of the whole range: `growing`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from enum import StrEnum

from sluice.traffic.slots import LEAVING, PERCENT, WHOLE

CELLS = 4
CELL = WHOLE // CELLS
PERCENT_OF_CELL = CELL // 100
LEAST = LEAVING  # a piece without users keeps its place, so that its cluster stays known (see `slots.py`)
HELD = 100  # of a revision with users elsewhere, which is not parked; has room for who is parked behind the pieces


class Arm(StrEnum):
    """The two versions of a test."""

    CONTROL = "control"
    TREATMENT = "treatment"


Piece = tuple[Arm, int]


def pieces(seed: str, weight: int, share: int) -> tuple[Piece, ...]:
    """Cut the hash range: three pieces of each cell, in order, in millionths that sum to all of it.

    Who has the treatment at a share has it at every larger one too: while the share changes nobody moves but those who
    must. No piece is empty.

    Args:
        seed: of the test; another one gives other users the treatment.
        weight: percent of the users who get the treatment, 1 to 99.
        share: percent who may have it now, 0 to `weight`; at 0 its pieces only hold their places.

    Raises:
        ValueError: a weight or share out of its bounds.
    """
    if not 0 < weight < 100 or not 0 <= share <= weight:
        raise ValueError(f"a test gives 1 to 99 % the treatment, and now no more: not {share} % of {weight} %")
    return tuple(piece for cell in range(CELLS) for piece in _cut(phase(seed, cell), weight, share))


def growing(seed: str, share: int) -> tuple[Piece, ...]:
    """Cut the hash range for a canary: candidate, stable, candidate, stable, in millionths that sum to all of it.

    The candidate's interval begins at a phase drawn from the seed and goes on at the range's beginning when it has
    reached the end. So whoever has the candidate at a share has it at every larger one, each position is as likely to
    be first as any other, and the pieces keep their places. None is empty.

    Args:
        seed: of the rollout; in another one other users are first.
        share: percent who have the candidate, 0 to 99; at 0 its pieces only hold their places.

    Raises:
        ValueError: a share out of its bounds.
    """
    if not 0 <= share < 100:
        raise ValueError(f"a canary shares users out at 0 to 99 %, not at {share} %")
    drawn = int.from_bytes(hashlib.sha256(f"{seed}\ngrowing".encode()).digest()[:8], "big")
    begin = 2 * HELD + drawn % (WHOLE - 4 * HELD + 1)
    around = from_begin = LEAST
    if share:
        from_begin = min(share * PERCENT - HELD, WHOLE - HELD - begin)
        around = share * PERCENT - from_begin
    return (
        (Arm.TREATMENT, around),
        (Arm.CONTROL, begin - around),
        (Arm.TREATMENT, from_begin),
        (Arm.CONTROL, WHOLE - begin - from_begin),
    )


def phase(seed: str, cell: int) -> int:
    """Draw where the treatment begins in a cell, in whole percent of it, all alike likely.

    That 2^64 is no multiple of 100 favours some by less than 1 in 10^17.
    """
    drawn = hashlib.sha256(f"{seed}\n{cell}".encode()).digest()
    return int.from_bytes(drawn[:8], "big") % 100


def _cut(begin: int, weight: int, share: int) -> Iterator[Piece]:
    # Half a percent off the whole ones: then no piece is empty, wherever the interval begins.
    before = begin * PERCENT_OF_CELL + PERCENT_OF_CELL // 2
    most, now = weight * PERCENT_OF_CELL, share * PERCENT_OF_CELL
    end = before + most
    if end <= CELL:
        treated = max(LEAST, now)
        yield from ((Arm.CONTROL, before), (Arm.TREATMENT, treated), (Arm.CONTROL, CELL - before - treated))
        return
    # It goes on at the cell's beginning. Both pieces shrink towards the edges of the cell, so that control alone grows.
    first = max(LEAST, min(end - CELL, now))
    last = max(LEAST, now - first)
    yield from ((Arm.TREATMENT, first), (Arm.CONTROL, CELL - first - last), (Arm.TREATMENT, last))
