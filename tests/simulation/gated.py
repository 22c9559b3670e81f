"""Stories with gates: nobody meets the candidate before all have passed, neither users nor copies."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sluice.kube.api import Manifest

from tests.simulation.pods import Judgement
from tests.simulation.simulation import Chapter
from tests.simulation.stories import (
    answered_wish,
    blue_green,
    both,
    copies,
    early_adopters,
    edit,
    no_traffic,
    not_targeted,
    nothing,
    push,
    rejected,
    says,
    serves,
    shadow,
    targeted,
    weight,
    wish,
)
from tests.simulation.world import World

GATES: Manifest = {
    "signature": {},
    "goldenSet": {"minAccuracy": 0.9},
    "hooks": [
        {"name": "smoke", "http": {"url": "http://ci/gate"}},
        {"name": "fairness", "job": {"template": {"spec": {"containers": [{"name": "test", "image": "test:1"}]}}}},
    ],
}
GATED = edit(gates=GATES, strategy={"canary": {"steps": [{"setWeight": 50}]}})
ALL_GATES = ("signature", "goldenSet", "smoke", "fairness")


def no_gate_runs(world: World) -> bool:
    """Nobody is asked any more, and the status says so."""
    jobs = [job for job in world.store.of_kind("Job") if not job.get("status")]
    return not jobs and "gating" not in world.status


def retried_with_better_luck(number: str) -> Callable[[World], None]:
    def act(world: World) -> None:
        world.versions[number].gates = {}
        world.wish("retry", world.revision(number))

    return act


EARLY = early_adopters({"pause": {}}, {"setWeight": 20})
HELD = says("until somebody promotes")
COPIED_FIRST = edit(strategy={"canary": {"steps": [{"mirror": {"minPairs": 50}}, {"setWeight": 50}]}})

STORIES: Mapping[str, tuple[Chapter, ...]] = {
    "gates passed": (
        Chapter(GATED, serves("1"), "gates"),
        Chapter(push("2"), serves("2"), "2 is promoted"),
    ),
    "gate failed": (
        Chapter(GATED, serves("1"), "gates"),
        Chapter(push("2", gates={"goldenSet": Judgement.FAIL}), both(rejected("2"), no_gate_runs), "2 is rolled back"),
    ),
    "hook failed": (
        Chapter(blue_green(pause={}), serves("1"), "nothing happens yet"),
        Chapter(edit(gates=GATES), serves("1"), "gates"),
        Chapter(push("2", gates={"smoke": Judgement.FAIL}), both(rejected("2"), no_gate_runs), "2 is rolled back"),
    ),
    "gate that can't tell": (
        Chapter(GATED, serves("1"), "gates"),
        Chapter(push("2", gates={"fairness": Judgement.CANT_TELL}), says("held", "fairness can't tell"), "2 is held"),
        Chapter(wish("promote", "2"), both(serves("2"), answered_wish), "2 is promoted"),
    ),
    "gates asked again": (
        Chapter(GATED, serves("1"), "gates"),
        Chapter(push("2", gates={"fairness": Judgement.CANT_TELL}), says("held", "fairness can't tell"), "2 is held"),
        Chapter(retried_with_better_luck("2"), both(serves("2"), answered_wish), "2 is promoted"),
    ),
    "gate without an answer": (
        Chapter(GATED, serves("1"), "gates"),
        Chapter(
            push("2", gates={"smoke": Judgement.NEVER, "fairness": Judgement.NEVER}), says("held: not all"), "held"
        ),
        Chapter(wish("abort", "2"), both(rejected("2"), answered_wish, no_gate_runs), "2 is given up"),
    ),
    "aborted at the gates": (
        Chapter(GATED, serves("1"), "gates"),
        Chapter(push("2", gates=dict.fromkeys(ALL_GATES, Judgement.NEVER)), says("waiting for gates"), "2 is asked"),
        Chapter(wish("abort", "2"), both(rejected("2"), answered_wish, no_gate_runs), "2 is given up"),
    ),
    "gates before early adopters": (
        Chapter(EARLY, serves("1"), "nothing happens yet"),
        Chapter(edit(gates=GATES), serves("1"), "gates"),
        Chapter(push("2"), both(HELD, targeted("2"), no_traffic("2")), "2 has its users"),
        Chapter(wish("promote", "2"), both(serves("2"), answered_wish, not_targeted), "2 serves"),
    ),
    "early adopters spared": (
        Chapter(EARLY, serves("1"), "nothing happens yet"),
        Chapter(edit(gates=GATES), serves("1"), "gates"),
        Chapter(
            push("2", errors=0.5, gates={"signature": Judgement.FAIL}),
            both(rejected("2"), no_gate_runs),
            "2 is rolled back",
        ),
    ),
    "gates for who has early adopters": (
        Chapter(EARLY, serves("1"), "nothing happens yet"),
        Chapter(push("2"), both(HELD, targeted("2")), "2 has its users"),
        Chapter(edit(gates=GATES), not_targeted, "2 has to pass gates"),
        Chapter(nothing, both(HELD, targeted("2")), "2 has its users again"),
        Chapter(wish("promote", "2"), both(serves("2"), answered_wish, not_targeted), "2 serves"),
    ),
    "gates before a shadow": (
        Chapter(shadow(then="Promote"), serves("1"), "nothing happens yet"),
        Chapter(edit(gates=GATES), serves("1"), "gates"),
        Chapter(push("2"), both(copies("2"), no_traffic("2")), "2 gets copies"),
        Chapter(nothing, both(serves("2"), copies(None)), "2 serves"),
    ),
    "shadow spared": (
        Chapter(shadow(then="Hold"), serves("1"), "nothing happens yet"),
        Chapter(edit(gates=GATES), serves("1"), "gates"),
        Chapter(push("2", gates={"smoke": Judgement.FAIL}), both(rejected("2"), no_gate_runs), "2 is rolled back"),
    ),
    "gates for who gets copies": (
        Chapter(shadow(then="Hold"), serves("1"), "nothing happens yet"),
        Chapter(push("2"), both(HELD, copies("2")), "2 is held"),
        Chapter(edit(gates=GATES), copies(None), "2 has to pass gates"),
        Chapter(nothing, both(HELD, copies("2"), no_traffic("2")), "2 is held again"),
        Chapter(wish("promote", "2"), both(serves("2"), answered_wish, copies(None)), "2 serves"),
    ),
    "gates before copies of a canary": (
        Chapter(COPIED_FIRST, serves("1"), "nothing happens yet"),
        Chapter(edit(gates=GATES), serves("1"), "gates"),
        Chapter(push("2"), both(copies("2"), no_traffic("2")), "2 gets copies"),
        Chapter(nothing, both(weight("2", 50), copies(None)), "2 has traffic"),
        Chapter(nothing, serves("2"), "2 serves"),
    ),
}

# The chapter in which faults begin: those before are the beginning of another story.
LATER = ("gates before", "gates asked again", "early adopters spared", "shadow spared")
FORK_FROM = {name: 2 if name.startswith(LATER) else 1 for name in STORIES}
