"""Random misfortune, by seeds: whatever comes, the invariants hold, and once it is over the wanted version serves.

SLUICE_SCHEDULES=5000 runs more of them, SLUICE_SCHEDULE=17 a single one.
"""

from __future__ import annotations

import asyncio
import os
import random

import pytest

from tests.simulation.chaos import ACTIONS, LAST, STRATEGIES, WITH_GATES, go_back, heal
from tests.simulation.simulation import Simulation
from tests.simulation.stories import SPEC, says, serves
from tests.simulation.world import World

TROUBLED_TICKS = 70
PATIENCE_TICKS = 400
BATCH = 20
OVERLAPS = 0.05
# From this seed on people change the strategy too; so those before stay what they were when they found something.
ALL_STRATEGIES = 10_000
GATED = 20_000  # and gates
FOUND = (250, 346, 763, 4169, 4715, 5337, 8136)  # each has found something once


async def live_through(seed: int) -> None:
    rng, actions = random.Random(seed), ACTIONS | (STRATEGIES if seed >= ALL_STRATEGIES else {})
    actions |= WITH_GATES if seed >= GATED else {}
    sim = Simulation((), World(rng=random.Random(-seed)))
    sim.world.push("1")
    sim.world.submit(SPEC | {"progressDeadlineSeconds": 20})
    await sim.begin()
    for _ in range(TROUBLED_TICKS):
        if rng.random() < 0.25:
            action = rng.choices(list(actions), list(actions.values()))[0]
            action(rng, sim)
        if sim.world.time < sim.world.flapping_until:
            go_back(rng, sim)
        await sim.tick()
        if rng.random() < OVERLAPS:  # after the kubelets have told of what was done to their pods
            await sim.overlap()
    number = heal(sim, rng.choice(LAST) if seed >= ALL_STRATEGIES else SPEC["strategy"])
    for _ in range(PATIENCE_TICKS):
        await sim.tick()
        decide_like_a_person(sim.world)
        if serves(number)(sim.world):
            return
    raise AssertionError(f"{number} never serves: {sim.world.status.get('message')}")


def decide_like_a_person(world: World) -> None:
    """What is held as inconclusive waits for somebody; for example beside a stable version that is dead."""
    if world.status.get("verdict") == "Inconclusive" or says("until somebody promotes")(world):
        world.wish("promote", world.status["rollout"]["revision"]["name"])


def seeds() -> list[int]:
    if "SLUICE_SCHEDULE" in os.environ:
        return [int(os.environ["SLUICE_SCHEDULE"])]
    number = int(os.environ.get("SLUICE_SCHEDULES", "200"))
    return [*FOUND, *range(number), *range(ALL_STRATEGIES, ALL_STRATEGIES + number), *range(GATED, GATED + number // 2)]


@pytest.mark.parametrize("first", range(0, len(seeds()), BATCH))
def test_whatever_goes_wrong_the_wanted_version_serves_in_the_end(first: int) -> None:
    for seed in seeds()[first : first + BATCH]:
        try:
            asyncio.run(live_through(seed))
        except AssertionError as error:
            raise AssertionError(f"SLUICE_SCHEDULE={seed}: {error}") from error
