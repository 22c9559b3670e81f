"""A canary whose users stick to a version: who has met the candidate keeps it while its share grows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.simulation.simulation import Chapter, Simulation, Story, installed
from tests.simulation.stories import (
    both,
    early_adopters,
    edit,
    nothing,
    push,
    rejected,
    says,
    serves,
    targeted,
    weight,
    wish,
)
from tests.simulation.test_crashes import live_through
from tests.simulation.test_sticky import STICKY, journeys, live, sticks
from tests.simulation.tested import because, ended, rollouts
from tests.simulation.world import World

USERS = 400
MARGIN = {"marginAbsolute": 0.05}
STEPS = ({"setWeight": 10}, {"analysis": MARGIN}, {"setWeight": 50}, {"analysis": MARGIN})
UNTIL_ALL_CAME = {"pause": {"duration": "15s"}}
LOOSE = {"metrics": [{"name": "errors", "errorRate": MARGIN}], "minRequests": 50}


def begin(users: int = 0, steps: Sequence[Any] = STEPS) -> Callable[[World], None]:
    def act(world: World) -> None:
        world.users = users
        world.edit(traffic=STICKY, strategy={"canary": {"steps": [*steps]}}, analysis=LOOSE)

    return act


@pytest.fixture
def simulation() -> Simulation:
    world, invariants = installed()
    return Simulation((), world, invariants)


async def test_a_good_version_is_promoted_and_nobody_goes_back(simulation: Simulation) -> None:
    world = await live(
        simulation,
        Chapter(begin(USERS, (*STEPS, UNTIL_ALL_CAME)), sticks, "users stick"),
        Chapter(push("2"), weight("2", 10), "a few have 2"),
        Chapter(nothing, weight("2", 50), "half of them have it"),
        Chapter(nothing, both(serves("2"), ended("Promoted")), "2 serves"),
    )
    old, new = world.revision("1"), world.revision("2")
    paths = journeys(world)
    assert all(met in ([old], [old, new], [new]) for met in paths)
    assert 0.4 < sum(new in met for met in paths) / USERS < 0.6
    assert world.unserved == 0
    (record,) = (one for one in world.store.of_kind("RolloutRecord") if one["spec"]["candidate"]["name"] == new)
    assert record["spec"]["unit"] == "users by cookie session"
    assert [len(one["closed"]) for one in record["status"]["evidence"]["metrics"]] == [1]


async def test_other_users_are_first_in_the_next_rollout(simulation: Simulation) -> None:
    def first(world: World, number: str) -> set[int]:
        return {user for (_, user), met in world.met.items() if world.revision(number) in met}

    world = await live(
        simulation,
        Chapter(begin(USERS, ({"setWeight": 10}, {"pause": {}})), sticks, "users stick"),
        Chapter(push("2"), both(weight("2", 10), says("paused")), "a few have 2"),
        Chapter(wish("abort", "2"), rejected("2"), "2 is aborted"),
        Chapter(push("3"), both(weight("3", 10), says("paused")), "a few have 3"),
        Chapter(wish("abort", "3"), rejected("3"), "3 is aborted"),
        Chapter(push("4"), both(weight("4", 10), says("paused")), "a few have 4"),
        Chapter(wish("abort", "4"), rejected("4"), "4 is aborted"),
    )
    groups = [first(world, number) for number in "234"]
    assert all(0.02 < len(group) / USERS < 0.15 for group in groups)
    assert len(set.union(*groups)) > 1.5 * max(map(len, groups)), "by chance two groups may have much in common"
    assert not set.intersection(*groups)


async def test_mirror_steps_come_before_the_first_user(simulation: Simulation) -> None:
    mirror = {"mirror": {"percent": 100, "minPairs": 30, "maxErrorRate": 0.05}}
    world = await live(
        simulation,
        Chapter(begin(USERS, (mirror, *STEPS)), sticks, "users stick"),
        Chapter(push("2"), weight("2", 10), "it has answered copies as it should"),
        Chapter(nothing, serves("2"), "2 serves"),
    )
    assert all(len(met) <= 2 for met in journeys(world))
    assert world.unserved == 0


async def test_early_adopters_have_it_beside_those_who_are_drawn(simulation: Simulation) -> None:
    def both_kinds(world: World) -> None:
        world.users = USERS
        world.edit(traffic=STICKY, analysis=LOOSE)
        early_adopters(*STEPS)(world)

    world = await live(
        simulation,
        Chapter(both_kinds, sticks, "users stick"),
        Chapter(push("2"), both(targeted("2"), weight("2", 50)), "early adopters and half of the others have it"),
        Chapter(nothing, serves("2"), "2 serves"),
    )
    assert all(len(met) <= 2 for met in journeys(world))
    assert world.unserved == 0


STORIES: dict[str, Story] = {
    "good": (
        Chapter(begin(), sticks, "users stick"),
        Chapter(push("2"), weight("2", 50), "half of the users have 2"),
        Chapter(nothing, both(serves("2"), ended("Promoted")), "2 serves"),
    ),
    "fails": (
        Chapter(begin(), sticks, "users stick"),
        Chapter(push("2", errors=0.5), because("2", "HarmProven"), "2 is rolled back"),
    ),
    "changed": (
        Chapter(begin(), sticks, "users stick"),
        Chapter(push("2"), weight("2", 50), "half of the users have 2"),
        Chapter(
            edit(strategy={"canary": {"steps": [{"setWeight": 30}, {"pause": {"duration": "5s"}}]}}),
            both(rollouts(3), weight("2", 30)), "another rollout",
        ),
        Chapter(nothing, serves("2"), "2 serves"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", STORIES)
def test_a_story_ends_the_same_whatever_happens_to_any_of_its_writes(name: str) -> None:
    world, invariants = installed()
    first = 0 if name == "good" else 1  # they begin alike
    assert asyncio.run(live_through(Simulation(STORIES[name], world, invariants, fork_from=first)))
