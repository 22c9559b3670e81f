"""Stories of A/B tests: who wins, who does not, and what nobody can conclude."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sluice.kube.api import Manifest

from tests.simulation.gated import GATES, no_gate_runs
from tests.simulation.simulation import Chapter, Story
from tests.simulation.stories import (
    answered_wish,
    both,
    edit,
    no_traffic,
    nothing,
    push,
    rejected,
    says,
    serves,
    weight,
    wish,
)
from tests.simulation.world import World

GUARDS: Manifest = {"metrics": [{"name": "errors", "errorRate": {"marginAbsolute": 0.05}}]}
WANTS: Manifest = {
    "primary": {"metric": "conversion", "window": "2s"}, "minUnits": 100, "minDuration": "5s", "maxDuration": "100s",
}  # fmt: skip
STICKY: Manifest = {"sticky": {"header": "x-user-id"}}


def ab_test(**wants: object) -> Callable[[World], None]:
    return edit(strategy={"canary": None, "abTest": WANTS | wants}, analysis=GUARDS, traffic=STICKY)


def collector(*, away: bool) -> Callable[[World], None]:
    def act(world: World) -> None:
        world.collector_away = away

    return act


def nobody_converts(world: World) -> None:
    world.versions["1"].converts = 0.0
    world.push("2", converts=0.0)


def because(number: str, reason: str) -> Callable[[World], bool]:
    """It is not tried again, for a reason."""

    def until(world: World) -> bool:
        last = (world.status.get("rejected") or [{}])[-1]
        return rejected(number)(world) and bool(last.get("reason") == reason)

    return until


def ended(outcome: str) -> Callable[[World], bool]:
    def until(world: World) -> bool:
        records = sorted(world.store.of_kind("RolloutRecord"), key=lambda it: it["spec"]["startedAt"])
        return bool(records) and bool(records[-1]["status"]["outcome"] == outcome)

    return until


def rollouts(number: int) -> Callable[[World], bool]:
    return lambda world: bool(world.status.get("rollouts") == number)


def is_fine(world: World) -> bool:
    """What is served is what is to be served."""
    conditions: dict[str, str] = {one["type"]: one["status"] for one in world.status["conditions"]}
    return conditions["Ready"] == "True" and conditions["Degraded"] == "False"


TESTING = both(weight("2", 50), says("conversion"))
BEGIN = Chapter(ab_test(), serves("1"), "nothing happens yet")

STORIES: Mapping[str, Story] = {
    "tested and won": (
        BEGIN,
        Chapter(push("2", converts=0.6), weight("2", 50), "half of the users have it"),
        Chapter(nothing, both(serves("2"), ended("Promoted")), "2 has won"),
    ),
    "tested after gates": (
        BEGIN,
        Chapter(edit(gates=GATES), serves("1"), "gates"),
        Chapter(push("2", converts=0.6), both(says("waiting for gates"), no_traffic("2")), "2 has to pass gates"),
        Chapter(nothing, weight("2", 50), "half of the users have it"),
        Chapter(nothing, both(serves("2"), ended("Promoted"), no_gate_runs), "2 has won"),
    ),
    "tested, won and held": (
        Chapter(ab_test(onWinner="Hold"), serves("1"), "nothing happens yet"),
        Chapter(push("2", converts=0.6), weight("2", 50), "half of the users have it"),
        Chapter(nothing, says("until somebody promotes", "better by"), "2 has won"),
        Chapter(wish("promote", "2"), both(serves("2"), answered_wish), "2 serves"),
    ),
    "tested, won and told of": (
        Chapter(ab_test(onWinner="Notify"), serves("1"), "nothing happens yet"),
        Chapter(push("2", converts=0.6), weight("2", 50), "half of the users have it"),
        Chapter(nothing, both(because("2", "Winner"), ended("Winner"), serves("1"), is_fine), "1 stays"),
        Chapter(wish("promote", "2"), both(serves("2"), rollouts(3), answered_wish), "2 serves without another test"),
    ),
    "tested without a winner": (
        Chapter(ab_test(maxDuration="40s"), serves("1"), "nothing happens yet"),
        Chapter(nobody_converts, weight("2", 50), "half of the users have it"),
        Chapter(nothing, both(because("2", "NoWinner"), ended("NoWinner"), serves("1"), is_fine), "1 stays"),
    ),
    "tested again": (
        Chapter(ab_test(maxDuration="40s"), serves("1"), "nothing happens yet"),
        Chapter(nobody_converts, because("2", "NoWinner"), "1 stays"),
        Chapter(wish("retry", "2"), both(rollouts(3), answered_wish), "it is tested again"),
        Chapter(nothing, both(because("2", "NoWinner"), ended("NoWinner")), "1 stays"),
    ),
    "tested and worse": (
        BEGIN,
        Chapter(push("2", converts=0.02), weight("2", 50), "half of the users have it"),
        Chapter(nothing, both(because("2", "ProvenWorse"), serves("1")), "2 is rolled back"),
    ),
    "tested and harmful": (
        BEGIN,
        Chapter(push("2", errors=0.5, converts=0.9), weight("2", 50), "half of the users have it"),
        Chapter(nothing, because("2", "HarmProven"), "2 is rolled back"),
    ),
    "tested while the collector comes and goes": (
        Chapter(ab_test(minDuration="60s"), serves("1"), "nothing happens yet"),
        Chapter(collector(away=True), serves("1"), "nothing happens yet"),
        Chapter(push("2", converts=0.6), both(says("the collector is away"), no_traffic("2")), "nobody has it yet"),
        Chapter(collector(away=False), TESTING, "half of the users have it"),
        Chapter(collector(away=True), both(weight("2", 50), says("the collector is away")), "traffic stays"),
        Chapter(collector(away=False), serves("2"), "2 has won"),
    ),
    "tested without a collector for too long": (
        Chapter(edit(progressDeadlineSeconds=20), serves("1"), "nothing happens yet"),
        Chapter(ab_test(maxDuration="20s"), serves("1"), "nothing happens yet"),
        Chapter(push("2", converts=0.6), weight("2", 50), "half of the users have it"),
        Chapter(collector(away=True), both(says("nothing could be concluded"), weight("2", 50)), "held"),
        Chapter(wish("abort", "2"), both(rejected("2"), answered_wish), "1 stays"),
    ),
    "tested until somebody is sure": (
        Chapter(ab_test(minDuration="90s"), serves("1"), "nothing happens yet"),
        Chapter(push("2"), TESTING, "half of the users have it"),
        Chapter(wish("promote", "2"), both(serves("2"), answered_wish), "2 serves"),
    ),
    "test aborted": (
        Chapter(ab_test(minDuration="90s"), serves("1"), "nothing happens yet"),
        Chapter(push("2"), TESTING, "half of the users have it"),
        Chapter(wish("abort", "2"), both(rejected("2"), answered_wish), "1 stays"),
    ),
    "test changed": (
        Chapter(ab_test(minDuration="90s"), serves("1"), "nothing happens yet"),
        Chapter(push("2", converts=0.6), TESTING, "half of the users have it"),
        Chapter(ab_test(weight=30), both(weight("2", 30), rollouts(3)), "another one"),
        Chapter(nothing, serves("2"), "2 has won"),
    ),
}

# The chapter in which faults begin: those before are the beginning of the first story.
FORK_FROM = dict.fromkeys(STORIES, 2) | {"tested and won": 1, "tested without a collector for too long": 3}
