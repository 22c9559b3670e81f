"""Whole stories, from the first install on."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sluice.core.observation import Unresolved
from sluice.kube.api import Manifest

from tests.simulation.gateway import mirrored
from tests.simulation.pods import Behaviour, Judgement
from tests.simulation.simulation import Chapter, Story
from tests.simulation.world import NAME, NAMESPACE, World

SPEC: Manifest = {
    "model": {"uri": "models:/penguins@champion"},
    "replicas": 2,
    "traffic": {"gateway": {"name": "public"}},
    "strategy": {
        "canary": {
            "steps": [
                {"setWeight": 20},
                {"analysis": {"marginAbsolute": 0.1}},
                {"pause": {"duration": "2s"}},
                {"setWeight": 50},
                {"analysis": {"marginAbsolute": 0.05}},
            ]
        }
    },
    "analysis": {"minRequests": 20},
    "progressDeadlineSeconds": 60,
    "scaleDownDelaySeconds": 2,
}


LATENCY: Manifest = {
    "metrics": [{"name": "errors", "errorRate": {}}, {"name": "latency", "latency": {"marginAbsolute": 0.05}}]
}


def install(number: str) -> Callable[[World], None]:
    def act(world: World) -> None:
        world.push(number)
        world.submit(SPEC)

    return act


def push(
    number: str,
    *,
    errors: float = 0.0,
    behaviour: Behaviour = Behaviour.FINE,
    seconds: float = 0.02,
    differs: float = 0.0,
    gates: dict[str, Judgement] | None = None,
    converts: float = 0.3,
) -> Callable[[World], None]:
    return lambda world: world.push(
        number, errors=errors, behaviour=behaviour, seconds=seconds, differs=differs, gates=gates, converts=converts
    )


def serves(number: str) -> Callable[[World], bool]:
    """All traffic, live, goes to a version, and nothing is going on."""
    return lambda world: (
        world.status.get("model") == f"{NAME}/{number}"
        and "rollout" not in world.status
        and world.live == {world.revision(number): 100}
    )


def weight(number: str, least: int) -> Callable[[World], bool]:
    return lambda world: world.live.get(world.revision(number), 0) >= least


def rejected(number: str) -> Callable[[World], bool]:
    def until(world: World) -> bool:
        rejected = [entry["revision"]["modelVersion"] for entry in world.status.get("rejected", ())]
        return (
            number in rejected
            and "rollout" not in world.status
            and (sum(world.live.get(world.revision(n), 0) for n in world.versions if n != number) == 100)
        )

    return until


INSTALLED: Story = (Chapter(install("1"), serves("1"), "1 is installed"),)
PROMOTED: Story = (*INSTALLED, Chapter(push("2"), serves("2"), "2 is promoted"))


def wish(action: str, number: str) -> Callable[[World], None]:
    return lambda world: world.wish(action, world.revision(number))


def edit(**changes: object) -> Callable[[World], None]:
    return lambda world: world.edit(**changes)


def answered_wish(world: World) -> bool:
    return not world.status.get("lastAction", {}).get("pending", True)


def registry_fails(world: World) -> None:
    world.outage = Unresolved("RegistryUnreachable", "the registry can't be reached")


def registry_is_back(world: World) -> None:
    world.outage, world.poked = None, True


WITH_ALIAS = {"uri": "models:/penguins@champion", "promotedAlias": "live"}


def names(alias: str, number: str) -> Callable[[World], bool]:
    return lambda world: world.aliases.get(alias) == number


def says(*words: str) -> Callable[[World], bool]:
    return lambda world: all(word in world.status.get("message", "") for word in words)


def gone(world: World) -> bool:
    return world.md is None and {key[0] for key in world.store.objects} <= {"Event", "Gateway", "RolloutRecord"}


def mended(number: str) -> Callable[[World], None]:
    """The cause was elsewhere: the same version is fine now, and somebody asks for another try."""

    def act(world: World) -> None:
        world.versions[number].errors = 0.0
        world.wish("retry", world.revision(number))

    return act


def both(*conditions: Callable[[World], bool]) -> Callable[[World], bool]:
    return lambda world: all(condition(world) for condition in conditions)


EARLY_ADOPTERS: list[Manifest] = [
    {"header": {"name": "x-group", "value": "early"}},
    {"cookie": {"name": "group", "value": "beta"}},
]


def early_adopters(*steps: Manifest, **more: object) -> Callable[[World], None]:
    """A canary that those get first who match, and send requests all the time."""

    def act(world: World) -> None:
        world.targeted_rate = 20.0
        world.edit(strategy={"canary": {"match": EARLY_ADOPTERS, "steps": list(steps)} | more})

    return act


def targeted(number: str | None) -> Callable[[World], bool]:
    return lambda world: world.targeted == (world.revision(number) if number else None)


def not_targeted(world: World) -> bool:
    """Nobody is, and no route for it is left."""
    return world.targeted is None and "targeted" not in world.status and world.proxied_targeted is None


RECREATE = edit(strategy={"canary": None, "recreate": {}})


def blue_green(**wants: object) -> Callable[[World], None]:
    preview = {"preview": {"pathPrefix": "/preview"}, "previewReplicas": 1}
    return edit(strategy={"canary": None, "blueGreen": preview | wants})


def shadow(**wants: object) -> Callable[[World], None]:
    limits = {"maxErrorRate": 0.05, "maxDisagreement": 0.1, "minPairs": 50}
    return edit(strategy={"canary": None, "shadow": limits | wants})


def copies(number: str | None) -> Callable[[World], bool]:
    """Copies of requests, live, go to a version, or to nobody."""

    def until(world: World) -> bool:
        found = mirrored(world.proxied)
        return (found and found[0]) == (world.revision(number) if number else None)

    return until


def compared(world: World) -> bool:
    """The record of the rollout says how answers differ, as long as the collector has not lost it."""
    status = world.store.objects["RolloutRecord", NAMESPACE, world.status["record"]]["status"]
    pairs, said = status["evidence"]["pairs"], status["disagreement"]
    seen = 0 < said["atLeast"] < said["share"] < said["atMost"] <= 1 and "durations" in pairs
    return bool(seen and pairs["classes"]["flips"][0]["count"] == pairs["different"])


def previewed(number: str | None) -> Callable[[World], bool]:
    return lambda world: world.previewed == (world.revision(number) if number else None)


def nothing(world: World) -> None:
    """Let time pass."""


def no_traffic(number: str) -> Callable[[World], bool]:
    return lambda world: world.revision(number) not in world.live


def serves_all(number: str) -> Callable[[World], bool]:
    return lambda world: world.live == {world.revision(number): 100}


def in_gap_no_more(world: World) -> bool:
    return "downSince" not in world.status


def runs_nothing(world: World) -> bool:
    return not any(life.serving for life in world.lives.values())


# From here on, by name: what a controller may crash in at any write.
STORIES: Mapping[str, tuple[Chapter, ...]] = {
    "promoted": (Chapter(push("2"), serves("2"), "2 is promoted"),),
    "harmful": (Chapter(push("2", errors=0.5), rejected("2"), "2 is rolled back"),),
    "slow": (
        Chapter(lambda world: world.edit(analysis=LATENCY), serves("1"), "latency counts"),
        Chapter(push("2", seconds=0.3), rejected("2"), "2 is rolled back"),
    ),
    "crashing": (Chapter(push("2", behaviour=Behaviour.CRASH), rejected("2"), "2 is rolled back"),),
    "wrong digest": (Chapter(push("2", behaviour=Behaviour.WRONG_DIGEST), rejected("2"), "2 is rolled back"),),
    "aborted": (
        Chapter(push("2"), weight("2", 20), "2 has traffic"),
        Chapter(wish("abort", "2"), both(rejected("2"), answered_wish), "2 is aborted"),
    ),
    "superseded": (
        Chapter(push("2", errors=0.01), weight("2", 20), "2 has traffic"),
        Chapter(push("3"), serves("3"), "3 is promoted"),
    ),
    "taken back": (
        Chapter(push("2"), weight("2", 20), "2 has traffic"),
        Chapter(push("1"), serves("1"), "1 has all traffic again"),
    ),
    "back to warm": (
        Chapter(push("2"), serves("2"), "2 is promoted"),
        Chapter(push("1"), serves("1"), "1 is promoted again"),
    ),
    "scaled": (
        Chapter(push("2"), weight("2", 20), "2 has traffic"),
        Chapter(edit(replicas=4), weight("2", 50), "2 has half of the traffic"),
        Chapter(edit(replicas=3), serves("2"), "2 is promoted"),
    ),
    "tried again": (
        Chapter(push("2", errors=0.5), rejected("2"), "2 is rolled back"),
        Chapter(mended("2"), both(serves("2"), answered_wish), "2 is promoted"),
    ),
    "gone back": (
        Chapter(push("2"), serves("2"), "2 is promoted"),
        Chapter(wish("rollback", "1"), both(serves("1"), answered_wish), "1 is back"),
    ),
    "promoted by a person": (
        Chapter(edit(strategy={"canary": {"steps": [{"setWeight": 20}, {"pause": {}}]}}), serves("1"), "steps"),
        Chapter(push("2"), says("until somebody promotes"), "2 waits for a person"),
        Chapter(wish("promote", "2"), both(serves("2"), answered_wish), "2 is promoted"),
    ),
    "steps skipped": (
        Chapter(push("2"), weight("2", 20), "2 has traffic"),
        Chapter(wish("promote-full", "2"), both(serves("2"), answered_wish), "2 is promoted"),
    ),
    "written back": (
        Chapter(edit(model=WITH_ALIAS), names("live", "1"), "1 is live"),
        Chapter(push("2"), both(serves("2"), names("live", "2")), "2 is live"),
    ),
    "registry down": (
        Chapter(push("2"), weight("2", 20), "2 has traffic"),
        Chapter(registry_fails, serves("2"), "2 is promoted all the same"),
        Chapter(registry_is_back, serves("2"), "2 still serves"),
    ),
    "recreated": (
        Chapter(RECREATE, serves("1"), "nothing happens yet"),
        Chapter(push("2"), both(serves("2"), in_gap_no_more), "2 serves"),
    ),
    "recreated in vain": (
        Chapter(RECREATE, serves("1"), "nothing happens yet"),
        Chapter(push("2", behaviour=Behaviour.CRASH), both(rejected("2"), in_gap_no_more), "1 serves again"),
    ),
    "recreate aborted": (
        Chapter(RECREATE, serves("1"), "nothing happens yet"),
        Chapter(push("2"), runs_nothing, "1 is stopped"),
        Chapter(wish("abort", "2"), both(rejected("2"), answered_wish, in_gap_no_more), "1 serves again"),
    ),
    "switched": (
        Chapter(blue_green(pause={}, verify={"maxErrorRate": 0.05}), serves("1"), "nothing happens yet"),
        Chapter(push("2"), both(says("until somebody promotes"), previewed("2"), no_traffic("2")), "2 is previewed"),
        Chapter(wish("promote", "2"), both(serves("2"), answered_wish, previewed(None)), "2 serves"),
    ),
    "switched back": (
        Chapter(blue_green(verify={"maxErrorRate": 0.05}), serves("1"), "nothing happens yet"),
        Chapter(
            push("2", errors=0.5), both(rejected("2"), serves_all("1"), previewed(None)), "1 has all traffic again"
        ),
    ),
    "preview aborted": (
        Chapter(blue_green(pause={"duration": "1h"}), serves("1"), "nothing happens yet"),
        Chapter(push("2"), both(says("pausing at 0 %"), previewed("2")), "2 is previewed"),
        Chapter(wish("abort", "2"), both(rejected("2"), answered_wish, previewed(None)), "2 is given up"),
    ),
    "shadowed": (
        Chapter(shadow(then="Promote"), serves("1"), "nothing happens yet"),
        Chapter(push("2"), both(copies("2"), no_traffic("2")), "2 gets copies"),
        Chapter(nothing, both(serves("2"), copies(None)), "2 serves"),
    ),
    "shadowed, then a canary": (
        Chapter(
            edit(strategy={"canary": {"steps": [{"mirror": {"percent": 50}}, *SPEC["strategy"]["canary"]["steps"]]}}),
            serves("1"),
            "nothing happens yet",
        ),
        Chapter(push("2"), both(copies("2"), no_traffic("2")), "2 gets copies"),
        Chapter(nothing, both(weight("2", 20), copies(None)), "2 has traffic"),
        Chapter(nothing, serves("2"), "2 serves"),
    ),
    "shadowed and held": (
        Chapter(shadow(then="Hold"), serves("1"), "nothing happens yet"),
        Chapter(
            push("2"),
            both(says("until somebody promotes"), says("answers differ in"), copies("2"), no_traffic("2")),
            "2 is held",
        ),
        Chapter(wish("promote", "2"), both(serves("2"), answered_wish, copies(None)), "2 serves"),
    ),
    "answers otherwise": (
        Chapter(shadow(then="Hold"), serves("1"), "nothing happens yet"),
        Chapter(push("2", differs=0.4), both(rejected("2"), copies(None), compared), "2 is rolled back"),
    ),
    "fails in the shadow": (
        Chapter(shadow(then="Promote"), serves("1"), "nothing happens yet"),
        Chapter(push("2", errors=0.5), both(rejected("2"), copies(None)), "2 is rolled back"),
    ),
    "early adopters": (
        Chapter(early_adopters({"pause": {}}, *SPEC["strategy"]["canary"]["steps"][:2]), serves("1"), "nothing yet"),
        Chapter(push("2"), both(says("until somebody promotes"), targeted("2"), no_traffic("2")), "2 has its users"),
        Chapter(wish("promote", "2"), both(serves("2"), answered_wish, not_targeted), "2 serves"),
    ),
    "early adopters harmed": (
        Chapter(early_adopters({"pause": {}}, {"setWeight": 20}), serves("1"), "nothing happens yet"),
        Chapter(push("2", errors=0.5), both(rejected("2"), not_targeted), "2 is rolled back"),
    ),
    "early adopters aborted": (
        Chapter(early_adopters({"setWeight": 20}, {"pause": {}}), serves("1"), "nothing happens yet"),
        Chapter(push("2"), both(weight("2", 20), targeted("2")), "2 has its users and others"),
        Chapter(wish("abort", "2"), both(rejected("2"), answered_wish, not_targeted), "2 is aborted"),
    ),
    "early adopters of two versions": (
        Chapter(early_adopters({"pause": {}}, {"setWeight": 20}), serves("1"), "nothing happens yet"),
        Chapter(push("2"), targeted("2"), "2 has its users"),
        Chapter(push("3"), targeted("3"), "3 has them"),
        Chapter(edit(strategy={"canary": {"match": None, "steps": [{"setWeight": 50}]}}), not_targeted, "no more"),
        Chapter(push("3"), both(serves("3"), not_targeted), "3 serves"),
    ),
    "deleted": (
        Chapter(push("2"), weight("2", 20), "2 has traffic"),
        Chapter(World.delete, gone, "nothing is left"),
    ),
}

# The chapter in which faults begin, where the ones before are the beginning of another story.
FORK_FROM = {name: 1 for name, story in STORIES.items() if len(story) > 1}
