"""Stories of A/B tests with variants: the best wins, who does harm goes, and everybody else stays where he is."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sluice.kube.api import Manifest

from tests.simulation.pods import Behaviour
from tests.simulation.simulation import Chapter, Story
from tests.simulation.stories import answered_wish, both, edit, nothing, rejected, says, serves, wish
from tests.simulation.tested import GUARDS, STICKY, WANTS, ended, is_fine, rollouts
from tests.simulation.world import NAME, World

LARGE: Manifest = {"name": "large", "model": {"uri": f"models:/{NAME}@large"}, "weight": 30}


def variants(**wants: object) -> Callable[[World], None]:
    """Both names mean what is served, so that there is nothing to test yet."""

    def act(world: World) -> None:
        world.aliases["large"] = "1"
        test = WANTS | {"weight": 30, "variants": [LARGE]} | wants
        world.edit(strategy={"canary": None, "abTest": test}, analysis=GUARDS, traffic=STICKY)

    return act


def two(candidate: float = 0.3, large: float = 0.3, *, errors: float = 0.0, **more: object) -> Callable[[World], None]:
    """Version 2 is the candidate, and 3 the variant; each converts some of its users."""

    def act(world: World) -> None:
        world.push("3", converts=large, errors=errors, alias=False, **more)  # type: ignore[arg-type]
        world.push("2", converts=candidate)
        world.aliases["large"] = "3"

    return act


def live(**percent: int) -> Callable[[World], bool]:
    """Versions have so much of the traffic: `v2=30`."""
    return lambda world: world.live == {world.revision(number[1:]): share for number, share in percent.items()}


def sent_away(number: str, reason: str) -> Callable[[World], bool]:
    """A version is out of the test, for a reason, whatever goes on."""

    def until(world: World) -> bool:
        gone = {one["revision"]["modelVersion"]: one["reason"] for one in world.status.get("rejected", ())}
        return bool(gone.get(number) == reason)

    return until


def move(alias: str, number: str, converts: float = 0.3) -> Callable[[World], None]:
    def act(world: World) -> None:
        world.push(number, converts=converts, alias=False)
        world.aliases[alias] = number

    return act


def nobody_converts(world: World) -> None:
    two(0.0, 0.0)(world)
    world.versions["1"].converts = 0.0


ALL = live(v1=40, v2=30, v3=30)
BEGIN = Chapter(variants(), serves("1"), "nothing to test yet")
LONG = Chapter(variants(minDuration="90s"), serves("1"), "nothing to test yet")

STORIES: Mapping[str, Story] = {
    "the variant wins": (
        BEGIN,
        Chapter(two(large=0.7), ALL, "both have their users"),
        Chapter(nothing, both(serves("3"), sent_away("2", "NoWinner"), ended("Promoted"), is_fine), "3 has won"),
    ),
    "the candidate wins": (
        BEGIN,
        Chapter(two(candidate=0.7), ALL, "both have their users"),
        Chapter(nothing, both(serves("2"), sent_away("3", "NoWinner"), ended("Promoted"), is_fine), "2 has won"),
    ),
    "the variant wins and is told of": (
        Chapter(variants(onWinner="Notify"), serves("1"), "nothing to test yet"),
        Chapter(two(large=0.7), ALL, "both have their users"),
        Chapter(nothing, both(serves("1"), sent_away("3", "Winner"), ended("Winner"), is_fine), "1 stays"),
        Chapter(wish("promote", "3"), both(serves("3"), answered_wish, is_fine), "3 serves without another test"),
    ),
    "the variant does harm and the candidate wins": (
        Chapter(variants(minDuration="15s"), serves("1"), "nothing to test yet"),
        Chapter(two(candidate=0.7, errors=0.5), both(sent_away("3", "HarmProven"), live(v1=70, v2=30)), "3 is dropped"),
        Chapter(nothing, both(serves("2"), ended("Promoted")), "2 has won"),
    ),
    "the candidate is worse and the variant wins": (
        Chapter(variants(minDuration="15s"), serves("1"), "nothing to test yet"),
        Chapter(
            two(candidate=0.02, large=0.7), both(sent_away("2", "ProvenWorse"), live(v1=70, v3=30)), "2 is dropped"
        ),
        Chapter(nothing, both(serves("3"), ended("Promoted")), "3 has won"),
    ),
    "both are worse": (
        BEGIN,
        Chapter(two(candidate=0.01, large=0.01), ALL, "both have their users"),
        Chapter(nothing, both(sent_away("2", "ProvenWorse"), sent_away("3", "ProvenWorse"), serves("1")), "1 stays"),
    ),
    "the variant never starts": (
        Chapter(edit(progressDeadlineSeconds=20), serves("1"), "nothing happens yet"),
        BEGIN,
        Chapter(
            two(candidate=0.7, behaviour=Behaviour.NEVER_READY),
            both(sent_away("3", "ProgressDeadlineExceeded"), live(v1=70, v2=30)),
            "2 is tested alone",
        ),
        Chapter(nothing, both(serves("2"), ended("Promoted")), "2 has won"),
    ),
    "nobody wins": (
        Chapter(variants(maxDuration="40s"), serves("1"), "begin"),
        Chapter(nobody_converts, ALL, "both have their users"),
        Chapter(
            nothing,
            both(sent_away("2", "NoWinner"), sent_away("3", "NoWinner"), ended("NoWinner"), serves("1"), is_fine),
            "1 stays",
        ),
    ),
    "aborted with variants": (
        LONG,
        Chapter(two(), ALL, "both have their users"),
        Chapter(
            wish("abort", "2"), both(rejected("2"), sent_away("3", "Aborted"), answered_wish, serves("1")), "1 stays"
        ),
    ),
    "the variant is preferred by a person": (
        LONG,
        Chapter(two(), both(ALL, says("conversion")), "both have their users"),
        Chapter(wish("promote", "3"), both(serves("3"), sent_away("2", "NoWinner"), answered_wish), "3 serves"),
    ),
    "the variant's alias moves": (
        BEGIN,
        Chapter(two(), ALL, "both have their users"),
        Chapter(move("large", "4", converts=0.8), both(live(v1=40, v2=30, v4=30), rollouts(3)), "another test"),
        Chapter(nothing, both(serves("4"), ended("Promoted")), "4 has won"),
    ),
    "the variant wins and is held": (
        Chapter(variants(onWinner="Hold"), serves("1"), "nothing to test yet"),
        Chapter(two(large=0.7), both(says("until somebody promotes"), live(v1=70, v3=30)), "3 has won"),
        Chapter(wish("promote", "3"), both(serves("3"), answered_wish), "3 serves"),
    ),
}


# The chapter in which faults begin: those before are the beginning of the first story.
FORK_FROM = dict.fromkeys(STORIES, 2) | {"the variant wins": 1, "the variant never starts": 2}
