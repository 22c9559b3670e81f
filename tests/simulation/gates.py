"""Who answers gates in the simulated cluster: Jobs that end after a while, and an HTTP hook."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sluice.api.outcomes import GateOutcome
from sluice.core.observation import GateState
from sluice.kube.api import Manifest
from sluice.resources.naming import LABEL_GATE
from sluice.sources.hooks import Question

from tests.simulation.pods import Judgement
from tests.simulation.store import copy

if TYPE_CHECKING:
    from tests.simulation.world import World

Key = tuple[str, str]
TAKES = 2.0  # seconds
ENDS = {
    Judgement.PASS: {"type": "Complete"},
    Judgement.FAIL: {"type": "Failed", "reason": "PodFailurePolicy"},
    Judgement.CANT_TELL: {"type": "Failed", "reason": "BackoffLimitExceeded"},
}
OUTCOMES = {
    Judgement.PASS: GateOutcome.PASSED,
    Judgement.FAIL: GateOutcome.FAILED,
    Judgement.CANT_TELL: GateOutcome.UNDECIDED,
}


def run_jobs(world: World) -> None:
    """Let Jobs begin and end."""
    for job in world.store.of_kind("Job"):
        began = world.jobs.setdefault(job["metadata"]["uid"], world.time)
        judgement = world.versions[_version(job)].gates.get(job["metadata"]["labels"][LABEL_GATE], Judgement.PASS)
        if world.time - began < TAKES or judgement not in ENDS or job.get("status"):
            continue
        changed = copy(job)
        changed["status"] = {"conditions": [{"status": "True", "message": "so it is"} | ENDS[judgement]]}
        world.store.write(changed)


def _version(job: Manifest) -> str:
    """The model version that a Job is about, as it is told."""
    (container,) = job["spec"]["template"]["spec"]["containers"]
    return next(str(one["value"]) for one in container["env"] if one["name"] == "SLUICE_MODEL_VERSION")


@dataclass
class SimulatedHooks:
    """Hooks of one operator process: what it has asked dies with it."""

    world: World
    asked: dict[tuple[str, str], tuple[Question, float]] = field(default_factory=dict)

    def ask(self, key: Key, question: Question) -> None:
        which = (question.round, question.gate)
        if which not in self.asked:
            self.asked[which] = (question, self.world.time)
            self.world.questions.append(question.headers["Idempotency-Key"])

    def keep(self, key: Key, round_: str | None) -> None:
        self.asked = {which: asked for which, asked in self.asked.items() if which[0] == round_}

    def states(self, key: Key) -> tuple[GateState, ...]:
        return tuple(self._state(question, began) for question, began in self.asked.values())

    def _state(self, question: Question, began: float) -> GateState:
        gates = self.world.versions[question.body["candidate"]["version"]].gates
        judgement = gates.get(question.gate, Judgement.PASS)
        answered = self.world.time - began >= TAKES
        return GateState(question.round, question.gate, OUTCOMES.get(judgement) if answered else None, "so it is")
