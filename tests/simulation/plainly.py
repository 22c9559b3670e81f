"""Stories without a gateway: a Service leads to the pods, whose numbers are the split."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sluice.kube.api import Manifest

from tests.simulation.pods import Behaviour
from tests.simulation.simulation import Chapter
from tests.simulation.stories import (
    RECREATE,
    SPEC,
    answered_wish,
    both,
    edit,
    gone,
    in_gap_no_more,
    no_traffic,
    nothing,
    push,
    rejected,
    runs_nothing,
    says,
    serves,
    serves_all,
    weight,
    wish,
)
from tests.simulation.world import World

PLAIN: Manifest = {key: value for key, value in SPEC.items() if key != "traffic"} | {"replicas": 3}
# Beside 3 of stable: 1 of 4 pods has 25 %, 3 of 6 have half.


def install(number: str) -> Callable[[World], None]:
    def act(world: World) -> None:
        world.push(number)
        world.submit(PLAIN)

    return act


def shares(number: str, percent: int) -> Callable[[World], bool]:
    return lambda world: world.live.get(world.revision(number), 0) == percent


BLUE_GREEN = edit(strategy={"canary": None, "blueGreen": {"pause": {}, "verify": {"maxErrorRate": 0.05}}})
INSTALLED = (Chapter(install("1"), serves("1"), "1 is installed"),)
STORIES: Mapping[str, tuple[Chapter, ...]] = {
    "promoted without a gateway": (
        *INSTALLED,
        Chapter(push("2"), shares("2", 25), "2 has one of four pods"),
        Chapter(nothing, shares("2", 50), "2 has half of the pods"),
        Chapter(nothing, serves("2"), "2 is promoted"),
    ),
    "harmful without a gateway": (
        *INSTALLED,
        Chapter(push("2", errors=0.5), rejected("2"), "2 is rolled back"),
    ),
    "crashing without a gateway": (
        *INSTALLED,
        Chapter(push("2", behaviour=Behaviour.CRASH), rejected("2"), "2 is rolled back"),
    ),
    "aborted without a gateway": (
        *INSTALLED,
        Chapter(push("2"), weight("2", 20), "2 has traffic"),
        Chapter(wish("abort", "2"), both(rejected("2"), answered_wish), "2 is aborted"),
    ),
    "superseded without a gateway": (
        *INSTALLED,
        Chapter(push("2", errors=0.01), shares("2", 25), "2 has traffic"),
        Chapter(push("3"), serves("3"), "3 is promoted"),
    ),
    "warm versions make room": (
        *INSTALLED,
        Chapter(edit(scaleDownDelaySeconds=600), serves("1"), "1 would be kept warm"),
        Chapter(push("2"), serves("2"), "2 is promoted, 1 is warm"),
        Chapter(push("3"), serves("3"), "3 is promoted, 1 had to end"),
    ),
    "gone back without a gateway": (
        *INSTALLED,
        Chapter(push("2"), serves("2"), "2 is promoted"),
        Chapter(wish("rollback", "1"), both(serves("1"), answered_wish), "1 is back"),
    ),
    "steps skipped without a gateway": (
        *INSTALLED,
        Chapter(push("2"), weight("2", 20), "2 has traffic"),
        Chapter(wish("promote-full", "2"), both(serves("2"), answered_wish), "2 is promoted"),
    ),
    "scaled without a gateway": (
        *INSTALLED,
        Chapter(push("2"), shares("2", 25), "2 has traffic"),
        Chapter(edit(replicas=4), shares("2", 50), "2 has half of the traffic"),
        Chapter(edit(replicas=2), serves("2"), "2 is promoted"),
    ),
    "switched without a gateway": (
        *INSTALLED,
        Chapter(BLUE_GREEN, serves("1"), "nothing happens yet"),
        Chapter(push("2"), both(says("until somebody promotes"), no_traffic("2")), "2 is ready, without traffic"),
        Chapter(wish("promote", "2"), both(serves("2"), answered_wish), "2 serves"),
    ),
    "from all pods to a share": (
        *INSTALLED,
        Chapter(BLUE_GREEN, serves("1"), "nothing happens yet"),
        Chapter(push("2"), both(says("until somebody promotes"), no_traffic("2")), "2 has three pods, no traffic"),
        Chapter(edit(strategy=SPEC["strategy"] | {"blueGreen": None}), shares("2", 25), "2 has one of four pods"),
        Chapter(nothing, serves("2"), "2 is promoted"),
    ),
    "switched back without a gateway": (
        *INSTALLED,
        Chapter(edit(strategy={"canary": None, "blueGreen": {"verify": {"maxErrorRate": 0.05}}}), serves("1"), "yet"),
        Chapter(push("2", errors=0.5), both(rejected("2"), serves_all("1")), "1 has all traffic again"),
    ),
    "recreated without a gateway": (
        *INSTALLED,
        Chapter(RECREATE, serves("1"), "nothing happens yet"),
        Chapter(push("2"), both(serves("2"), in_gap_no_more), "2 serves"),
    ),
    "recreate aborted without a gateway": (
        *INSTALLED,
        Chapter(RECREATE, serves("1"), "nothing happens yet"),
        Chapter(push("2"), runs_nothing, "1 is stopped"),
        Chapter(wish("abort", "2"), both(rejected("2"), answered_wish, in_gap_no_more), "1 serves again"),
    ),
    "deleted without a gateway": (
        *INSTALLED,
        Chapter(push("2"), weight("2", 20), "2 has traffic"),
        Chapter(World.delete, gone, "nothing is left"),
    ),
}

FORK_FROM = {name: len(INSTALLED) for name in STORIES} | {"promoted without a gateway": 0}
