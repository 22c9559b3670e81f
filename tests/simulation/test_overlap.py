"""Two controllers at once, as when a lease changes hands: their requests interleave in every order, by seeds."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

import pytest

from tests.simulation.controller import Controller
from tests.simulation.invariants import Invariants
from tests.simulation.simulation import Story, installed
from tests.simulation.stories import STORIES
from tests.simulation.world import World

STEP, PATIENCE = 0.5, 240.0
SEEDS = range(6)


@dataclass
class Turns:
    """Lets one request through at a time, in an order drawn at random."""

    rng: random.Random
    waiting: list[asyncio.Future[None]] = field(default_factory=list)

    def take(self) -> asyncio.Future[None]:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.append(turn)
        return turn

    async def let_all_through(self) -> None:
        while await self._somebody_waits():
            self.waiting.pop(self.rng.randrange(len(self.waiting))).set_result(None)

    def let_one_through(self) -> None:
        if self.waiting:
            self.waiting.pop(self.rng.randrange(len(self.waiting))).set_result(None)

    async def _somebody_waits(self) -> bool:
        for _ in range(10):  # whoever got a turn goes on to his next request, or to sleep
            await asyncio.sleep(0)
        return bool(self.waiting)


async def live_through(story: Story, seed: int, world: World, invariants: Invariants) -> None:
    turns = Turns(random.Random(seed))
    pair = [Controller(world, invariants, turn=turns.take) for _ in range(2)]
    for chapter in story:
        chapter.act(world)
        patience = world.time + PATIENCE
        while not chapter.until(world):
            assert world.time < patience, f"{chapter.title} never came: {world.status.get('message')}"
            await live_a_moment(world, pair, turns)
    for _ in range(40):
        await live_a_moment(world, pair, turns)
    for controller in pair:
        controller.task.cancel()


async def live_a_moment(world: World, pair: list[Controller], turns: Turns) -> None:
    """Let time pass, sometimes in the middle of a look: one of the two is as slow as it likes."""
    world.step(STEP)
    for controller in pair:
        if not controller.running:
            world.release()
        controller.wake()
    if turns.rng.random() < 0.5:
        await turns.let_all_through()
    else:
        for _ in range(turns.rng.randrange(12)):
            turns.let_one_through()
            await asyncio.sleep(0)
    for controller in pair:
        controller.raise_bugs()


@pytest.mark.parametrize("name", STORIES)
def test_two_controllers_at_once_do_no_harm_and_come_to_the_same_end(name: str) -> None:
    for seed in SEEDS:
        world, invariants = installed()
        try:
            asyncio.run(live_through(STORIES[name], seed, world, invariants))
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
        assert STORIES[name][-1].until(world), f"seed {seed}: {world.status.get('message')}"
