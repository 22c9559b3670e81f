"""The check of users' proportions in a window: finds who does not stay, and leaves those alone who count twice."""

from __future__ import annotations

import numpy as np
import pytest
from sluice.analysis import Arm, Block
from sluice.api.record import Evidence
from sluice.core.proportion import mismatched, observed

from tests.unit.core.test_windows import AT_20

SEEDS = range(20)
LOOK = 50  # users who come between two looks


def found(weight: float, users: int, seed: int, *, requests: int = 0, twice: float = 0.0) -> bool:
    """Whether there is a mismatch at any look.

    Args:
        weight: the candidate's share of the users.
        users: how many come.
        seed: of chance.
        requests: how many each sends, every one of them drawn anew; 0: who has come stays.
        twice: the share of the candidate's who count twice.
    """
    rng, evidence = np.random.default_rng(seed), Evidence(window=1)
    for _ in range(users // LOOK):
        if requests:
            mine, others = rng.binomial(LOOK, 1 - (1 - weight) ** requests), rng.binomial(LOOK, 1 - weight**requests)
        else:
            mine = rng.binomial(LOOK, weight)
            mine, others = mine + rng.binomial(mine, twice), LOOK - mine
        block = Block(weight, stable=Arm(int(others), 0), canary=Arm(int(mine), 0))
        evidence = observed(evidence, block, AT_20.seen, {})
        if mismatched(evidence):
            return True
    return False


@pytest.mark.parametrize("weight", [0.05, 0.1, 0.2])
def test_users_who_are_drawn_anew_for_each_request_are_found(weight: float) -> None:
    assert all(found(weight, 1500, seed, requests=3) for seed in SEEDS)


@pytest.mark.parametrize("weight", [0.05, 0.2, 0.5])
def test_users_who_stay_are_left_alone_at_every_look(weight: float) -> None:
    assert not any(found(weight, 10_000, seed) for seed in SEEDS)
    assert not any(found(weight, 10_000, seed, twice=0.3) for seed in SEEDS)
