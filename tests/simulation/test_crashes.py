"""A crash before and after every write, a lost request and a lost answer at every write: the story ends the same."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.simulation import gated, plainly, stories, tested, varied
from tests.simulation.controller import Fault, Mode
from tests.simulation.simulation import Fork, Simulation, installed
from tests.simulation.stories import INSTALLED

STORIES = {**stories.STORIES, **gated.STORIES, **tested.STORIES, **varied.STORIES}
FORK_FROM = stories.FORK_FROM | gated.FORK_FROM | tested.FORK_FROM | varied.FORK_FROM
# A process that dies between storing a decision and telling of it takes the event with it.
DEADLY = (Mode.CRASH_BEFORE, Mode.CRASH_AFTER)


def faults(fork: Fork) -> Iterator[Fault]:
    """Every write of a look; a crash before a write is the crash after the one before it, but for the first."""
    for write in range(fork.writes):
        for mode in Mode:
            if mode is not Mode.CRASH_BEFORE or write == 0:
                yield Fault(write, mode)


async def live_through(start: Simulation) -> int:
    """Compare each run with one fault with the run without; return the number of faults."""
    story, expected, count = start.story, await start.run(), 0
    for fork in start.forks:
        for fault in faults(fork):
            count += 1
            again = Simulation.resume(story, fork, fault)
            try:
                end = await again.run()
            except AssertionError as error:
                raise AssertionError(f"{fault} in the look at {fork.time} s: {error}") from error
            assert differences(expected, end) == {}, f"{fault} in the look at {fork.time} s"
            assert again.world.unserved == 0, f"{again.world.unserved} requests found no pod"
            assert again.world.crowded == [], f"{fault} in the look at {fork.time} s"
            told, should = milestones(again), milestones(start)
            assert not told - should, f"{fault} in the look at {fork.time} s: {told - should} told too often"
            assert fault.mode in DEADLY or told == should, (
                f"{fault} in the look at {fork.time} s: {should - told} not told"
            )
    return count


def milestones(simulation: Simulation) -> Counter[str]:
    """What was told of beginnings and ends; how much lies between them depends on when harm is proven."""
    between = ("StepCompleted", "WeightSet", "GatePassed")
    return Counter(reason for reason in simulation.invariants.told if reason not in between)


def differences(expected: dict[str, Any], end: dict[str, Any]) -> dict[str, Any]:
    return {key: (expected[key], end[key]) for key in expected if expected[key] != end[key]}


def test_an_install_ends_the_same_whatever_happens_to_any_of_its_writes() -> None:
    assert asyncio.run(live_through(Simulation(INSTALLED, fork_from=0))) > 20


@pytest.mark.parametrize("name", STORIES)
def test_a_story_ends_the_same_whatever_happens_to_any_of_its_writes(name: str) -> None:
    world, invariants = installed()
    start = Simulation(STORIES[name], world, invariants, fork_from=FORK_FROM.get(name, 0))
    assert asyncio.run(live_through(start))


@pytest.mark.parametrize("name", plainly.STORIES)
def test_so_does_a_story_without_a_gateway(name: str) -> None:
    start = Simulation(plainly.STORIES[name], fork_from=plainly.FORK_FROM[name])
    assert asyncio.run(live_through(start))
