"""Which part of the hash range belongs to whom: pieces, in the order of a route's backends. Pure.

Envoy takes `hash % total` and the backend in whose interval that falls, so that a user stays with a version as long as
the pieces stay where they are. The range is cut into equal cells. In each every challenger has one interval, and
control what is left over, in as many parts: one behind each challenger. All of it begins at a phase of the cell's own,
drawn from the test's seed, and goes on at the cell's beginning when it passes its end. So each position is a
challenger's with the probability that its weight says, whatever the hash of a user is, and the users of one test tell
nothing about those of another. And who has to give up users gives them to control next to it: nobody else's move.

In a canary the share grows on the way, and the candidate has one interval of the whole range: `growing`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from enum import IntEnum

from sluice.traffic.slots import LEAVING, PERCENT, WHOLE

# By the number of challengers: so many that four places of sixteen are left (two beside three challengers).
CELLS = {1: 4, 2: 2, 3: 2, 4: 1, 5: 1}
MOST_CHALLENGERS = max(CELLS)
LEAST = LEAVING  # a piece without users keeps its place, so that its cluster stays known (see `slots.py`)
HELD = 100  # of a revision with users elsewhere, which is not parked; has room for who is parked behind the pieces
ODD = 10  # control's parts but the last are not whole percents, or an end of theirs might be that of the cell


class Arm(IntEnum):
    """The two versions of most tests; a second challenger is 2, and so on."""

    CONTROL = 0
    TREATMENT = 1


Piece = tuple[int, int]  # whose it is, and its size


def pieces(seed: str, weights: Sequence[int], shares: Sequence[int]) -> tuple[Piece, ...]:
    """Cut the hash range: in each cell two pieces for each challenger and one more, in millionths of the whole.

    Who has a challenger at a share has it at every larger one too: while shares change nobody moves but those who must.
    No piece is empty.

    Args:
        seed: of the test; another one gives other users to each challenger.
        weights: percent of the users of each challenger, each at least 1, together at most 99.
        shares: percent who may have it now, 0 to its weight; at 0 its pieces only hold their places.

    Raises:
        ValueError: weights or shares out of their bounds, or too many.
    """
    if not 0 < len(weights) <= MOST_CHALLENGERS or min(weights) < 1 or sum(weights) > 99:
        raise ValueError(f"1 to {MOST_CHALLENGERS} challengers share 1 to 99 % of the users, not {list(weights)}")
    if not all(0 <= share <= weight for share, weight in zip(shares, weights, strict=True)):
        raise ValueError(
            f"a challenger has no more users than its weight says: not {list(shares)} % of {list(weights)} %"
        )
    order = sorted(range(len(weights)), key=lambda one: _drawn(f"{seed}\norder {one}") if len(weights) > 1 else one)
    for_cell = [(one + 1, weights[one], shares[one]) for one in order]
    return tuple(piece for cell in range(CELLS[len(weights)]) for piece in _cut(phase(seed, cell), for_cell))


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
    drawn = _drawn(f"{seed}\ngrowing")
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
    """Draw where the first challenger begins in a cell, in whole percent of it, all alike likely.

    That 2^64 is no multiple of 100 favours some by less than 1 in 10^17.
    """
    return _drawn(f"{seed}\n{cell}") % 100


def _drawn(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


def _cut(begin: int, challengers: Sequence[tuple[int, int, int]]) -> Iterator[Piece]:
    """Cut a cell among challengers, each with its number, weight and share."""
    percent = WHOLE // CELLS[len(challengers)] // 100
    cut = _full(begin * percent + percent // 2, percent, challengers)
    for number, weight, share in challengers:
        mine, control = [index for index, (whose, _) in enumerate(cut) if whose == number], Arm.CONTROL.value
        now = share * percent
        if share == weight:
            continue
        for index in mine:
            # One that goes on at the cell's beginning shrinks towards the edges of the cell.
            size, beside = cut[index][1], index + 1 if index + 1 < len(cut) else index - 1
            left = max(LEAST, min(size, now))
            cut[index], cut[beside] = (number, left), (control, cut[beside][1] + size - left)
            now -= left
    yield from cut


def _full(begin: int, percent: int, challengers: Sequence[tuple[int, int, int]]) -> list[Piece]:
    """Cut a cell of a hundred times `percent` where each has all of its weight; half a percent off the whole ones."""
    left = 100 * percent - percent * sum(weight for _, weight, _ in challengers)
    part = left // len(challengers) // 100 * 100 + ODD
    ring: list[Piece] = []
    for number, weight, _ in challengers:
        ring.append((number, weight * percent))
        last = len(ring) == 2 * len(challengers) - 1
        ring.append((Arm.CONTROL.value, left if last else part))
        left -= part
    before: list[Piece] = []
    behind: list[Piece] = []
    position = begin
    for whose, size in ring:
        inside = min(size, max(0, 100 * percent - position))
        behind += [(whose, inside)] if inside else []
        before += [(whose, size - inside)] if size > inside else []
        position += size
    return [*before, *behind]
