"""Two controllers at once, as when a lease changes hands: requests interleave and one of them hangs, by seeds."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass, field

import pytest

from tests.simulation import gated, stories, tested
from tests.simulation.controller import Controller
from tests.simulation.invariants import Invariants
from tests.simulation.simulation import Story, installed
from tests.simulation.world import World

STORIES = {**stories.STORIES, **gated.STORIES, **tested.STORIES}
STEP, PATIENCE = 0.5, 400.0
SEEDS = range(4)
HANGS = 0.02


@dataclass
class Turns:
    """Lets one request of a controller through at a time; a controller that hangs gets no turn for a while."""

    world: World
    rng: random.Random
    hangs_until: float = 0.0
    waiting: list[asyncio.Future[None]] = field(default_factory=list)

    def take(self) -> asyncio.Future[None]:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.append(turn)
        return turn

    def give(self) -> bool:
        """Let one request through, if one waits and the controller does not hang."""
        if not self.waiting or self.world.time < self.hangs_until:
            return False
        if self.rng.random() < HANGS:
            self.hangs_until = self.world.time + self.rng.uniform(1, 20)
            return False
        self.waiting.pop(self.rng.randrange(len(self.waiting))).set_result(None)
        return True


async def live_through(story: Story, seed: int, world: World, invariants: Invariants) -> None:
    rng = random.Random(seed)
    turns = [Turns(world, rng) for _ in range(2)]
    pair = [Controller(world, invariants, turn=each.take) for each in turns]
    for chapter in story:
        chapter.act(world)
        patience = world.time + PATIENCE
        while not chapter.until(world):
            assert world.time < patience, f"{chapter.title} never came: {world.status.get('message')}"
            await live_a_moment(world, pair, turns)
    for _ in range(60):
        await live_a_moment(world, pair, turns)
    for controller in pair:
        controller.task.cancel()


async def live_a_moment(world: World, pair: list[Controller], turns: list[Turns]) -> None:
    """Let time pass, and then each controller as far as it comes."""
    world.step(STEP)
    for controller in pair:
        if not controller.running:
            world.release()
        controller.wake()
    idle = 0
    while idle < 10:  # whoever got a turn needs some of the event loop's to come to his next request
        first, second = turns if turns[0].rng.random() < 0.5 else turns[::-1]
        idle = 0 if first.give() or second.give() else idle + 1
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
        assert world.unserved == 0, f"seed {seed}: {world.unserved} requests found no pod"
