"""Users in an A/B test: they stick to a version, move once, and no change of the route costs a request.

A canary plays the test here: what it gives the candidate is the share of the users.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sluice.controller import reconcile
from sluice.core.decide import decide
from sluice.core.plan import Experiment, Plan
from sluice.traffic import gateway_api

from tests.simulation import users
from tests.simulation.pods import Behaviour
from tests.simulation.simulation import Chapter, Simulation, Story, installed
from tests.simulation.stories import both, edit, push, rejected, says, serves, weight, wish
from tests.simulation.test_crashes import live_through
from tests.simulation.tested import rollouts
from tests.simulation.world import World

MOST = 50
USERS = 400
STICKY = {"gateway": {"name": "public"}, "sticky": {"cookie": "session"}}
STEPS = {"canary": {"steps": [{"setWeight": MOST}, {"pause": {"duration": "20s"}}]}}
SHORT = {"canary": {"steps": [{"setWeight": MOST}, {"pause": {"duration": "3s"}}]}}
STEPWISE = {
    "canary": {"steps": [{"setWeight": 20}, {"pause": {"duration": "15s"}}, {"setWeight": MOST}, {"pause": {}}]}
}


@pytest.fixture(autouse=True)
def _tested(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each rollout with a stable version be a test."""

    def decides(*known: Any, **more: Any) -> Plan:
        plan = decide(*known, **more)
        rollout = plan.status.rollout
        tested = rollout and plan.status.stable and not rollout.direct
        return replace(plan, experiment=Experiment(rollout.revision.name, MOST)) if rollout and tested else plan

    monkeypatch.setattr(reconcile, "decide", decides)


def passed(seconds: float) -> Callable[[World], bool]:
    return lambda world: world.time >= seconds


def nothing(_: World) -> None:
    pass


def begin(strategy: Any = STEPS, number: int = USERS) -> Callable[[World], None]:
    def act(world: World) -> None:
        world.users = number
        world.edit(traffic=STICKY, strategy=strategy)

    return act


def sticks(world: World) -> bool:
    return world.sticks


def journeys(world: World, test: int = 0) -> list[list[str]]:
    """The versions that each user has met in a test, in turn."""
    names = list(dict.fromkeys(name for name, _ in world.met if name))
    return [met for (name, _), met in world.met.items() if name == names[test]]


@pytest.fixture
def simulation() -> Simulation:
    world, invariants = installed()
    return Simulation((), world, invariants)


async def live(simulation: Simulation, *chapters: Chapter) -> World:
    await simulation.begin()
    for chapter in chapters:
        await simulation.live(chapter)
    return simulation.world


USERS_STICK = Chapter(begin(), sticks, "users stick")


async def test_each_user_moves_once_and_half_of_them_do(simulation: Simulation) -> None:
    world = await live(
        simulation,
        USERS_STICK,
        Chapter(push("2"), weight("2", MOST), "2 has its users"),
        Chapter(nothing, serves("2"), "2 serves"),
    )
    old, new = world.revision("1"), world.revision("2")
    assert all(met in ([old], [old, new], [new]) for met in journeys(world))
    treated = [met for met in journeys(world) if new in met]
    assert 0.4 < len(treated) / USERS < 0.6
    assert world.unserved == 0


async def test_who_has_no_ready_pod_has_no_place_in_the_route_and_no_users(simulation: Simulation) -> None:
    """The gateway would make no clusters for his places, however long they are there."""
    world = await live(simulation, USERS_STICK)
    await simulation.live(Chapter(push("2", behaviour=Behaviour.NEVER_READY), passed(world.time + 20), "it starts"))
    (route,) = world.store.of_kind("HTTPRoute")
    assert not users.experiment_of(route), "users of one version alone are not counted"
    assert gateway_api.read(route).parked == frozenset()
    await simulation.live(Chapter(nothing, rejected("2"), "2 is given up"))
    assert world.unserved == 0


async def test_pods_that_are_lost_in_a_test_cost_their_users_nothing_but_time(simulation: Simulation) -> None:
    world = await live(
        simulation, Chapter(begin(STEPWISE), sticks, "users stick"), Chapter(push("2"), weight("2", MOST), "half")
    )

    def lose(world: World) -> None:
        for life in world.pods_of(world.revision("2")):
            world.end(life)

    lost = world.time
    await simulation.live(Chapter(lose, lambda world: world.live == {world.revision("1"): 100}, "all are back"))
    await simulation.live(Chapter(nothing, weight("2", MOST), "and again half"))
    await simulation.live(Chapter(nothing, passed(lost + 60), "time passes"))
    old, new = world.revision("1"), world.revision("2")
    assert all(met in ([old], [old, new], [new], [old, new, old, new], [new, old, new], [old, new, old], [new, old])
               for met in journeys(world)), "the same ones"  # fmt: skip


async def test_a_share_that_grows_moves_nobody_back(simulation: Simulation) -> None:
    world = await live(
        simulation,
        Chapter(begin(STEPWISE), sticks, "users stick"),
        Chapter(push("2"), weight("2", 20), "2 has a few"),
        Chapter(nothing, weight("2", MOST), "2 has half"),
        Chapter(nothing, passed(60), "time passes"),
        Chapter(wish("abort", "2"), rejected("2"), "2 is given up"),
    )
    old, new = world.revision("1"), world.revision("2")
    paths = journeys(world)
    assert all(met in ([old], [old, new], [new], [old, new, old], [new, old]) for met in paths), "back only in the end"
    assert 0.4 < sum(new in met for met in paths) / USERS < 0.6


async def test_other_users_are_in_the_next_test(simulation: Simulation) -> None:
    world = await live(
        simulation,
        USERS_STICK,
        Chapter(push("2"), weight("2", MOST), "2 has its users"),
        Chapter(nothing, serves("2"), "2 serves"),
        Chapter(push("3"), weight("3", MOST), "3 has its users"),
        Chapter(nothing, serves("3"), "3 serves"),
    )
    first, second = list(dict.fromkeys(name for name, _ in world.met if name))
    groups = [
        {user for (name, user), met in world.met.items() if name == test and world.revision(number) in met}
        for test, number in ((first, "2"), (second, "3"))
    ]
    assert 0.15 < len(groups[0] & groups[1]) / USERS < 0.35


async def test_the_first_users_wait_for_the_policy(simulation: Simulation) -> None:
    world = simulation.world
    world.policy_refused = "another one has attached to it"

    def both(world: World) -> None:
        begin()(world)
        world.push("2")

    def let(world: World) -> None:
        world.policy_refused = ""
        policy = world.store.objects["BackendTrafficPolicy", "models", "penguins"]
        world.taken_at.pop((policy["metadata"]["uid"], policy["metadata"]["generation"]))
        world.poked = True

    def has_waited(world: World) -> bool:
        return world.time > 40

    await live(simulation, Chapter(both, has_waited, "nothing"))
    assert world.live == {world.revision("1"): 100}
    await simulation.live(Chapter(let, weight("2", MOST), "users"))
    await simulation.live(Chapter(nothing, serves("2"), "2 serves"))
    assert all(len(met) <= 2 for met in journeys(world))


async def test_a_route_that_is_restored_by_hand_during_a_test_ends_as_it_was(simulation: Simulation) -> None:
    world = await live(
        simulation,
        Chapter(begin(STEPWISE), sticks, "users stick"),
        Chapter(push("2"), weight("2", MOST), "2 has half"),
    )
    (route,) = world.store.of_kind("HTTPRoute")
    placed = [users.revision_at(route, position) for position in range(0, users.WHOLE, 997)]
    world.tampered = True
    broken = route | {"spec": route["spec"] | {"rules": [dict(route["spec"]["rules"][0])]}}
    broken["spec"]["rules"][0]["backendRefs"] = route["spec"]["rules"][0]["backendRefs"][:5]
    world.store.write(broken)
    end = world.time + 20
    await simulation.live(Chapter(nothing, lambda world: world.time > end, "time passes"))
    (route,) = world.store.of_kind("HTTPRoute")
    assert [users.revision_at(route, position) for position in range(0, users.WHOLE, 997)] == placed


async def test_warm_versions_fit_into_the_route_of_a_test(simulation: Simulation) -> None:
    world = simulation.world
    world.edit(scaleDownDelaySeconds=100_000, replicas=1)
    await live(simulation, Chapter(begin(SHORT, 0), sticks, "users stick"))
    for number in map(str, range(2, 9)):
        await simulation.live(Chapter(push(number), weight(number, MOST), "it has its users"))
        (route,) = world.store.of_kind("HTTPRoute")
        assert len(route["spec"]["rules"][0]["backendRefs"]) <= 16
        await simulation.live(Chapter(nothing, serves(number), "it serves"))
    end = world.time + 10
    await simulation.live(Chapter(nothing, lambda world: world.time > end, "all is in place"))
    warm = [entry["revision"]["name"] for entry in world.status["retired"]]
    assert len(warm) == 7
    parked = gateway_api.read(world.store.of_kind("HTTPRoute")[0]).parked
    assert parked == {*warm[-4:]}, "the newest of them, to return at once"


STORIES: dict[str, Story] = {
    "won": (
        Chapter(begin(SHORT, 0), sticks, "users stick"),
        Chapter(push("2"), weight("2", MOST), "2 has its users"),
        Chapter(nothing, serves("2"), "2 serves"),
    ),
    "fails": (
        Chapter(begin(SHORT, 0), sticks, "users stick"),
        Chapter(push("2", errors=0.5), rejected("2"), "2 is rolled back"),
    ),
    "no more users": (
        Chapter(begin(STEPWISE, 0), sticks, "users stick"),
        Chapter(push("2"), both(weight("2", MOST), says("somebody promotes")), "2 has its users"),
        Chapter(edit(traffic={"sticky": None}), both(lambda world: not world.sticks, rollouts(3)), "each by itself"),
        Chapter(nothing, both(weight("2", MOST), says("somebody promotes")), "2 has them again"),
        Chapter(wish("abort", "2"), rejected("2"), "2 is aborted"),
    ),
    "one test after another": (
        Chapter(begin(STEPWISE, 0), sticks, "users stick"),
        Chapter(push("2"), weight("2", 20), "2 has its users"),
        Chapter(push("3"), weight("3", MOST), "3 has them"),
        Chapter(wish("promote-full", "3"), serves("3"), "3 serves"),
    ),
}


@pytest.mark.parametrize("name", STORIES)
def test_a_story_ends_the_same_whatever_happens_to_any_of_its_writes(name: str) -> None:
    world, invariants = installed()
    first = 0 if name == "won" else 1  # they begin alike
    assert asyncio.run(live_through(Simulation(STORIES[name], world, invariants, fork_from=first)))
