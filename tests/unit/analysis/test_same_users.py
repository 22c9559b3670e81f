"""The same users at each weight: what is multiplied over weights deceives, what is averaged does not.

Two identical versions and one population, of which some fail whoever answers them. A user's side at a weight follows
from his position, so one who was on the candidate's side is so at the next weight too, and fails there again.
"""

from __future__ import annotations

import random

from sluice.analysis import Arm, Block, ErrorEvidence, Margin, threshold
from sluice.core.metrics import over_windows

WEIGHTS = tuple(range(20, 40))
USERS, FAIL = 150, 0.2
MARGIN = Margin(ratio=1.01, absolute=0.001)
TIMES, ALPHA = 100, 0.05


def population(rng: random.Random) -> list[tuple[float, bool]]:
    """The position in [0, 1) of each user, and whether he fails."""
    return [(rng.random(), rng.random() < FAIL) for _ in range(USERS)]


def block(users: list[tuple[float, bool]], weight: int) -> Block:
    """All of them come once."""
    arms: dict[bool, list[bool]] = {True: [], False: []}
    for position, fails in users:
        arms[position < weight / 100].append(fails)
    stable, canary = (Arm(len(arms[side]), sum(arms[side])) for side in (False, True))
    return Block(weight=weight / 100, weight_before=weight / 100, stable=stable, canary=canary)


def harmful(rng: random.Random) -> tuple[bool, bool]:
    """Whether harm is ever said to be proven: with all weights multiplied, and with their average."""
    users, enough = population(rng), threshold(ALPHA)
    multiplied, deceived, wrong = ErrorEvidence.start(MARGIN), False, False
    closed: tuple[float, ...] = ()
    for weight in WEIGHTS:
        came = block(users, weight)
        multiplied = multiplied.observe(came)
        closed = (*closed, ErrorEvidence.start(MARGIN).observe(came).harm)
        deceived |= multiplied.harm >= enough
        wrong |= over_windows(closed, len(WEIGHTS)) >= enough
    return deceived, wrong


def test_multiplied_weights_deceive_and_their_average_does_not() -> None:
    rng = random.Random(20)
    results = [harmful(rng) for _ in range(TIMES)]
    deceived, wrong = (sum(one) / TIMES for one in zip(*results, strict=True))
    assert deceived > 2 * ALPHA
    assert wrong <= ALPHA
