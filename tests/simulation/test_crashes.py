"""A crash before and after every write, and a lost answer or request at every write: the story ends the same."""

from __future__ import annotations

import pickle
from functools import cache

import pytest

from tests.simulation.controller import Fault, Mode
from tests.simulation.simulation import Fork, Simulation
from tests.simulation.stories import INSTALLED, STORIES


@cache
def installed() -> bytes:
    """Version 1 serves; not a test's business how it came to that."""
    import asyncio

    start = Simulation(INSTALLED)
    asyncio.run(start.run())
    return pickle.dumps((start.world, start.invariants))


@pytest.mark.parametrize("name", STORIES)
async def test_a_story_ends_the_same_whatever_happens_to_any_of_its_writes(name: str) -> None:
    pass
