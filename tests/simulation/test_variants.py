"""Users in a test of several versions: each stays with his own, and only those of a version that leaves go."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import pytest
from sluice.traffic.gateway_status import read_slots

from tests.simulation import users
from tests.simulation.simulation import Chapter, Simulation, installed
from tests.simulation.stories import both, nothing, rejected, serves, wish
from tests.simulation.varied import live, move, sent_away, two, variants
from tests.simulation.world import World

USERS = 400
LONG = {"minDuration": "90s"}


@pytest.fixture
def simulation() -> Simulation:
    world, invariants = installed()
    world.users = USERS
    return Simulation((), world, invariants)


async def told(simulation: Simulation, *chapters: Chapter) -> World:
    await simulation.begin()
    for chapter in chapters:
        await simulation.live(chapter)
    return simulation.world


def journeys(world: World, test: int = 0) -> dict[int, list[str]]:
    """The versions that each user has met in a test, in turn."""
    names = list(dict.fromkeys(name for name, _ in world.met if name))
    numbers = {world.revision(number): number for number in world.versions}
    return {user: [numbers[one] for one in met] for (name, user), met in world.met.items() if name == names[test]}


def paths(world: World, test: int = 0) -> set[tuple[str, ...]]:
    return {tuple(met) for met in journeys(world, test).values()}


def share(met: Iterable[list[str]], number: str) -> float:
    return sum(number in path for path in met) / USERS


def passed(seconds: float) -> Callable[[World], bool]:
    return lambda world: world.time >= seconds


BEGIN = Chapter(variants(**LONG), serves("1"), "nothing to test yet")
ALL = live(v1=40, v2=30, v3=30)


async def test_each_user_stays_with_one_of_three_versions_by_their_weights(simulation: Simulation) -> None:
    world = await told(simulation, BEGIN, Chapter(two(), ALL, "all have their users"))
    await simulation.live(Chapter(nothing, passed(world.time + 40), "time passes"))
    assert paths(world) == {("1",), ("2",), ("3",)}
    met = journeys(world).values()
    assert all(abs(share(met, number) - part) < 0.1 for number, part in (("1", 0.4), ("2", 0.3), ("3", 0.3)))
    assert world.unserved == 0


@pytest.mark.parametrize(("gone", "stays"), [("3", "2"), ("2", "3")])
async def test_only_the_users_of_who_is_dropped_move_and_they_go_to_stable(
    simulation: Simulation, gone: str, stays: str
) -> None:
    def harmful(world: World) -> None:
        two(errors=0.0)(world)
        world.versions[gone].errors = 0.5

    dropped = both(sent_away(gone, "HarmProven"), live(**{"v1": 70, f"v{stays}": 30}))
    world = await told(simulation, BEGIN, Chapter(harmful, dropped, "one is dropped"))
    await simulation.live(Chapter(nothing, passed(world.time + 30), "its places go"))
    assert paths(world) <= {("1",), (stays,), (gone,), (gone, "1")}
    assert (gone, "1") in paths(world)
    assert world.unserved == 0


async def test_who_loses_his_pods_gets_the_same_users_back_and_nobody_else_moves(simulation: Simulation) -> None:
    world = await told(simulation, BEGIN, Chapter(two(), ALL, "all have their users"))
    await simulation.live(Chapter(nothing, passed(world.time + 15), "time passes"))

    def lose(world: World) -> None:
        world.versions["3"].startup = 20.0
        for life in world.pods_of(world.revision("3")):
            world.end(life)

    await simulation.live(Chapter(lose, live(v1=70, v2=30), "its users are at stable"))
    await simulation.live(Chapter(nothing, passed(world.time + 10), "its places go"))
    (route,) = world.store.of_kind("HTTPRoute")
    lost = world.revision("3")
    assert lost not in {slot.revision for slot in read_slots(route) if slot.share}, "there is nobody to lead to"
    assert not users.experiment_of(route), "users of some versions alone are not counted"
    await simulation.live(Chapter(nothing, ALL, "and back"))
    await simulation.live(Chapter(nothing, passed(world.time + 30), "time passes"))
    parts = {tuple(dict.fromkeys(path)) for path in paths(world)}
    assert parts <= {("1",), ("2",), ("3",), ("3", "1"), ("1", "3")}, "who has 2 has never another"
    assert all(path[-1] == "3" for path in paths(world) if "3" in path and len(path) > 1), "they are all back"


async def test_other_users_are_in_the_next_test(simulation: Simulation) -> None:
    world = await told(simulation, BEGIN, Chapter(two(), ALL, "all have their users"))
    await simulation.live(Chapter(nothing, passed(world.time + 30), "time passes"))
    await simulation.live(Chapter(move("large", "4"), live(v1=40, v2=30, v4=30), "another test"))
    await simulation.live(Chapter(nothing, passed(world.time + 30), "time passes"))
    first, second = ({user for user, met in journeys(world, test).items() if "2" in met} for test in (0, 1))
    assert first - second
    assert second - first


async def test_an_abort_sends_all_to_stable_and_takes_all_pods_away(simulation: Simulation) -> None:
    world = await told(simulation, BEGIN, Chapter(two(), ALL, "all have their users"))
    await simulation.live(Chapter(wish("abort", "3"), both(rejected("2"), sent_away("3", "Aborted")), "both are gone"))
    await simulation.live(Chapter(nothing, passed(world.time + 30), "pods end"))
    assert world.live == {world.revision("1"): 100}
    assert not any(world.ready(world.revision(number)) for number in "23")
