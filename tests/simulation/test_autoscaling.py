"""Autoscalers that see only their own pods' load, or follow whims, while versions are rolled out."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping

import pytest
from sluice.kube.api import Manifest

from tests.simulation.chaos import (
    ACTIONS,
    blue_green,
    edit_deployment,
    fail_write,
    gateway,
    go_back,
    heal,
    kill_operator,
    kill_pod,
    overload,
    pause,
    push,
    recreate,
    wish,
)
from tests.simulation.invariants import Invariants, replicas
from tests.simulation.pods import Behaviour
from tests.simulation.simulation import Chapter, Simulation, Story
from tests.simulation.stories import SPEC, both, edit, rejected, serves, weight
from tests.simulation.stories import push as pushed
from tests.simulation.stories import wish as wished
from tests.simulation.test_crashes import live_through
from tests.simulation.test_schedules import decide_like_a_person
from tests.simulation.world import World

AUTOSCALED: Manifest = {k: v for k, v in SPEC.items() if k != "replicas"} | {
    "autoscaling": {"minReplicas": 2, "maxReplicas": 8},
    "strategy": {"canary": {"steps": [{"setWeight": 40}, {"analysis": {"marginAbsolute": 0.1}}]}},
}


def install(load: float) -> Callable[[World], None]:
    def act(world: World) -> None:
        world.load = load
        world.push("1")
        world.submit(AUTOSCALED)

    return act


def has(number: str, pods: int) -> Callable[[World], bool]:
    """A version has so many ready pods, and no more are wanted."""
    return lambda world: world.ready(world.revision(number)) == pods == replicas(world).get(world.revision(number))


def load(pods: float) -> Callable[[World], None]:
    def act(world: World) -> None:
        world.load = pods

    return act


SERVES_FIVE: Story = (
    Chapter(install(1), both(serves("1"), has("1", 2)), "1 has as few pods as allowed"),
    Chapter(load(5), has("1", 5), "1 is scaled up"),
)
STORIES: Mapping[str, Story] = {
    "promoted": (Chapter(pushed("2"), both(serves("2"), has("2", 5)), "2 is promoted"),),
    "more load in mid-rollout": (
        Chapter(pushed("2"), weight("2", 40), "2 has traffic"),
        Chapter(load(8), both(serves("2"), has("2", 8)), "2 is promoted, with pods for more"),
    ),
    "less load in mid-rollout": (
        Chapter(pushed("2"), weight("2", 40), "2 has traffic"),
        Chapter(load(3), both(serves("2"), has("2", 3)), "2 is promoted, and scaled down once all is seen"),
    ),
    "aborted": (
        Chapter(pushed("2"), weight("2", 40), "2 has traffic"),
        Chapter(wished("abort", "2"), both(rejected("2"), has("1", 5), has("2", 0)), "1 has all its pods"),
    ),
    "crashing": (
        Chapter(pushed("2", behaviour=Behaviour.CRASH), both(rejected("2"), has("2", 0)), "2 is rolled back"),
    ),
    "recreated": (
        Chapter(edit(strategy={"canary": None, "recreate": {}}), serves("1"), "nothing happens yet"),
        Chapter(pushed("2"), both(serves("2"), has("2", 5)), "2 has as many pods as 1 had"),
    ),
    "recreated in vain": (
        Chapter(edit(strategy={"canary": None, "recreate": {}}), serves("1"), "nothing happens yet"),
        Chapter(pushed("2", behaviour=Behaviour.CRASH), both(rejected("2"), has("1", 5)), "1 has its pods again"),
    ),
    "switched": (
        Chapter(edit(strategy={"canary": None, "blueGreen": {}}), serves("1"), "nothing happens yet"),
        Chapter(pushed("2"), both(serves("2"), has("2", 5)), "2 has all of it at once"),
    ),
    "no more autoscaling": (
        Chapter(edit(autoscaling=None, replicas=3), has("1", 3), "the user says how many"),
        Chapter(pushed("2"), both(serves("2"), has("2", 3)), "2 is promoted"),
    ),
    "autoscaling again": (
        Chapter(edit(autoscaling=None, replicas=3), has("1", 3), "the user says how many"),
        Chapter(edit(autoscaling=AUTOSCALED["autoscaling"], replicas=None), has("1", 5), "the load does again"),
    ),
}


def five_pods() -> tuple[World, Invariants]:
    start = Simulation(SERVES_FIVE)
    asyncio.run(start.run())
    return start.world, start.invariants


@pytest.mark.parametrize("name", STORIES)
def test_a_story_ends_the_same_whatever_happens_to_any_of_its_writes(name: str) -> None:
    world, invariants = five_pods()
    start = Simulation(STORIES[name], world, invariants, fork_from=len(STORIES[name]) - 1)
    assert asyncio.run(live_through(start))
    repaired = [event["message"] for event in world.store.of_kind("Event") if event["reason"] == "Repaired"]
    assert repaired == [], "what an autoscaler does is no hand edit"


async def test_stable_keeps_what_all_traffic_needs_while_its_autoscaler_sees_half_of_it() -> None:
    fewest = 9

    def watch(world: World) -> bool:
        nonlocal fewest
        fewest = min(fewest, replicas(world)[world.revision("1")])
        return world.status.get("model") == "penguins/2"

    sim = Simulation((*SERVES_FIVE, Chapter(pushed("2"), watch, "2 is promoted")))
    await sim.run()
    assert fewest == 5


async def test_a_promoted_version_keeps_its_pods_until_its_autoscaler_has_seen_all_traffic() -> None:
    sim = Simulation((*SERVES_FIVE, Chapter(pushed("2"), serves("2"), "2 is promoted")))
    await sim.begin()
    for chapter in sim.story:
        await sim.live(chapter)
    sim.world.load = 0.0  # what an autoscaler says that has not measured yet
    for _ in range(60):
        await sim.tick()
        assert replicas(sim.world)[sim.world.revision("2")] == 5
    await sim.live(Chapter(lambda _: None, has("2", 2), "it scales down in the end"))


async def test_nothing_is_left_of_a_retired_version_s_autoscaler() -> None:
    sim = Simulation((*SERVES_FIVE, Chapter(pushed("2"), both(serves("2"), has("1", 0)), "1 is scaled down")))
    await sim.run()
    for kind in ("HorizontalPodAutoscaler", "PodDisruptionBudget"):
        names = [found["metadata"]["name"] for found in sim.world.store.of_kind(kind)]
        assert names == [f"penguins-{sim.world.revision('2')}"]


MISFORTUNES = {
    action: ACTIONS.get(action, 2)
    for action in (
        push, go_back, wish, pause, kill_pod, gateway, edit_deployment, fail_write, overload, kill_operator, recreate,
        blue_green,
    )
}  # fmt: skip
BATCH = 20


async def live_through_whims(seed: int) -> None:
    rng = random.Random(seed)
    sim = Simulation((), World(rng=random.Random(-seed)))
    sim.world.push("1")
    sim.world.submit(AUTOSCALED | {"progressDeadlineSeconds": 20})
    sim.world.load, sim.world.whims = 3.0, True
    await sim.begin()
    for _ in range(70):
        if rng.random() < 0.25:
            rng.choices(list(MISFORTUNES), list(MISFORTUNES.values()))[0](rng, sim)
        await sim.tick()
    sim.world.whims = False
    number = heal(sim, AUTOSCALED["strategy"])
    for _ in range(600):
        await sim.tick()
        decide_like_a_person(sim.world)
        if both(serves(number), has(number, 3))(sim.world):
            return
    raise AssertionError(f"{number} never serves: {sim.world.status.get('message')}")


@pytest.mark.parametrize("first", range(0, 100, BATCH))
def test_whatever_autoscalers_do_no_version_has_more_traffic_than_its_pods_carry(first: int) -> None:
    for seed in range(first, first + BATCH):
        try:
            asyncio.run(live_through_whims(seed))
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
