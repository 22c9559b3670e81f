"""Caches of the API server that lag: nobody acts on what is no longer so where that does harm."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from tests.simulation.simulation import Simulation, installed
from tests.simulation.stories import RECREATE, serves
from tests.simulation.world import World

MOST_TICKS = 600
Turn = Callable[[Simulation], None]


def newer(sim: Simulation) -> None:
    sim.world.push("3")


def abort(sim: Simulation) -> None:
    sim.world.wish("abort", sim.world.status["rollout"]["revision"]["name"])


def takeover(sim: Simulation) -> None:
    sim.kill(1.0)
    abort(sim)


def stable_is_gone(world: World) -> bool:
    """The candidate's pods are about to start."""
    return "downSince" in world.status and not world.store.of_kind("Pod")


async def live_through(sim: Simulation, lag: float, turn: Turn, ends_with: str) -> World:
    RECREATE(sim.world)
    await sim.begin()
    sim.world.push("2")
    for _ in range(MOST_TICKS):
        await sim.tick()
        if stable_is_gone(sim.world):
            break
    sim.world.lag(lag)
    await sim.tick()
    turn(sim)
    for _ in range(MOST_TICKS):
        await sim.tick()
        if serves(ends_with)(sim.world):
            return sim.world
    raise AssertionError(f"{ends_with} never serves: {sim.world.status.get('message')}")


@pytest.mark.parametrize(
    ("turn", "ends_with"), [(newer, "3"), (abort, "1"), (takeover, "1")], ids=["newer", "abort", "takeover"]
)
@pytest.mark.parametrize("lag", [0.5, 1.5, 3.0, 8.0, 20.0])
def test_recreate_never_has_pods_of_two_versions_however_old_the_caches_are(
    lag: float, turn: Turn, ends_with: str
) -> None:
    world = asyncio.run(live_through(Simulation((), *installed()), lag, turn, ends_with))
    assert world.crowded == []
