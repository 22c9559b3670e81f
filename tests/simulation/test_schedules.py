"""Random misfortune, by seeds: whatever comes, the invariants hold, and once it is over the wanted version serves.

SLUICE_SCHEDULES=5000 runs more of them, SLUICE_SCHEDULE=17 a single one.
"""

from __future__ import annotations

import asyncio
import os
import random

import pytest

from tests.simulation.chaos import (
    ACTIONS,
    LAST,
    LAST_SHADOW,
    LAST_WITHOUT_GATEWAY,
    SHADOWS,
    STRATEGIES,
    TARGETED,
    TESTS,
    VARIANTS,
    WITH_GATES,
    WITHOUT_GATEWAY,
    early_adopters,
    go_back,
    heal,
)
from tests.simulation.plainly import PLAIN
from tests.simulation.simulation import Simulation
from tests.simulation.stories import SPEC, says, serves
from tests.simulation.world import World

TROUBLED_TICKS = 70
PATIENCE_TICKS = 400
BATCH = 20
OVERLAPS = 0.05
# From this seed on people change the strategy too; so those before stay what they were when they found something.
ALL_STRATEGIES = 10_000
EARLY_ADOPTERS = 20_000  # from here on they ask for early adopters too
WITH_SHADOWS = 100_000  # and from here on for copies of requests
GATED = 200_000  # and for gates
PLAIN_FROM = 300_000  # from here on to the next there is no gateway, and nothing that needs one
TESTED = 400_000  # and from here on for A/B tests, beside all else
VARIED = 500_000  # and from here on with variants
MORE = (
    (ALL_STRATEGIES, STRATEGIES),
    (EARLY_ADOPTERS, TARGETED),
    (WITH_SHADOWS, SHADOWS),
    (GATED, WITH_GATES),
    (TESTED, TESTS),
    (VARIED, VARIANTS),
)
# What each range of seeds is about, by its first.
RANGES = {
    0: "canary",
    ALL_STRATEGIES: "strategies that change",
    EARLY_ADOPTERS: "with early adopters",
    WITH_SHADOWS: "with shadows",
    GATED: "with gates",
    PLAIN_FROM: "without a gateway",
    TESTED: "with A/B tests",
    VARIED: "with variants",
}
FOUND = (
    250,
    346,
    763,
    4169,
    4715,
    5337,
    8136,
    100_427,
    100_436,
    300_615,
    400_630,
    500_376,
    500_516,
    500_741,
    501_177,
)  # each has found something once


async def live_through(seed: int) -> None:
    rng, actions = random.Random(seed), dict(ACTIONS)
    plain = PLAIN_FROM <= seed < TESTED
    for first, more in ((PLAIN_FROM, WITHOUT_GATEWAY),) if plain else MORE:
        actions |= more if seed >= first else {}
    last = (*LAST, LAST_SHADOW) if seed >= WITH_SHADOWS else LAST
    last = LAST_WITHOUT_GATEWAY if plain else last
    sim = Simulation((), World(rng=random.Random(-seed)))
    sim.world.push("1")
    sim.world.submit((PLAIN if plain else SPEC) | {"progressDeadlineSeconds": 20})
    if seed >= EARLY_ADOPTERS and not plain:
        early_adopters(rng, sim)
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
    number = heal(sim, rng.choice(last) if seed >= ALL_STRATEGIES else SPEC["strategy"])
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
    begins = (0, ALL_STRATEGIES, EARLY_ADOPTERS, WITH_SHADOWS)
    gated = range(GATED, GATED + number // 2)  # they take longer
    tested = range(TESTED, TESTED + number // 2)
    varied = range(VARIED, VARIED + number // 2)
    plain = range(PLAIN_FROM, PLAIN_FROM + number // 2)
    return [
        *FOUND,
        *(seed for first in begins for seed in range(first, first + number)),
        *gated,
        *plain,
        *tested,
        *varied,
    ]


@pytest.mark.parametrize("first", range(0, len(seeds()), BATCH))
def test_whatever_goes_wrong_the_wanted_version_serves_in_the_end(first: int) -> None:
    for seed in seeds()[first : first + BATCH]:
        try:
            asyncio.run(live_through(seed))
        except AssertionError as error:
            raise AssertionError(f"SLUICE_SCHEDULE={seed}: {error}") from error
