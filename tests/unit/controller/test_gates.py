"""Gates are asked as the plan says: once, of nobody any more when it is over, and a refusal is an answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from sluice.api.outcomes import GateOutcome
from sluice.api.spec import parse_spec
from sluice.controller.gates import Gates
from sluice.controller.target import Target
from sluice.core.plan import Gating
from sluice.kube.api import Manifest, Resource
from sluice.kube.errors import ForbiddenError, KubeError, UnavailableError

from tests.simulation.controller import SimulatedApi
from tests.simulation.gated import ALL_GATES, GATES
from tests.simulation.gates import SimulatedHooks
from tests.simulation.invariants import Invariants
from tests.simulation.stories import SPEC
from tests.simulation.world import NAME, NAMESPACE, World
from tests.unit.core.moments import revision

KEY = (NAMESPACE, NAME)
TARGET = Target(NAMESPACE, NAME, "abc", "1", parse_spec(SPEC | {"gates": GATES}))
ROUND = Gating("penguins-abc-1-0", ALL_GATES, revision("2"), revision("1"))
NEXT_ROUND = Gating("penguins-abc-1-1", ALL_GATES, revision("2"), revision("1"))


@dataclass
class Api(SimulatedApi):
    """May refuse to create, and counts."""

    refuses: KubeError | None = None
    created: int = 0

    async def create(self, resource: Resource, manifest: Manifest) -> None:
        self.created += 1
        if self.refuses:
            raise self.refuses
        await super().create(resource, manifest)


@dataclass
class Bench:
    """Gates on a cluster of their own."""

    world: World = field(default_factory=World)

    def __post_init__(self) -> None:
        self.api = Api(self.world, Invariants())
        self.hooks = SimulatedHooks(self.world)
        self.gates = Gates(self.api, "http://mlflow", self.hooks)
        self.world.push("2")

    @property
    def live(self) -> dict[tuple[str, str], Manifest]:
        return {("Job", job["metadata"]["name"]): job for job in self.world.store.of_kind("Job")}

    @property
    def asked(self) -> set[str]:
        return {job["metadata"]["labels"]["sluice.dev/gate"] for job in self.live.values()}

    async def ask(self, gating: Gating | None) -> None:
        await self.gates(TARGET, gating, self.live)

    def finish(self) -> None:
        for job in self.world.store.of_kind("Job"):
            done = {"conditions": [{"type": "Complete", "status": "True"}]}
            self.world.store.write(job | {"status": done, "metadata": dict(job["metadata"])})


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_everybody_is_asked_once(bench: Bench) -> None:
    for _ in range(3):
        await bench.ask(ROUND)
    assert bench.asked == {"signature", "goldenSet", "fairness"}
    assert bench.api.created == 3
    assert bench.world.questions == ["penguins-abc-1-0/smoke"]


async def test_a_job_that_was_made_and_is_not_seen_yet_is_no_trouble(bench: Bench) -> None:
    await bench.ask(ROUND)
    await bench.gates(TARGET, ROUND, {})
    assert len(bench.live) == 3


@pytest.mark.parametrize("gating", [None, NEXT_ROUND], ids=["it is over", "another try"])
async def test_nobody_is_asked_any_more_for_nothing(bench: Bench, gating: Gating | None) -> None:
    await bench.ask(ROUND)
    before = set(bench.live)
    await bench.ask(gating)
    assert not before & set(bench.live)
    assert [state.round for state in bench.gates.states(KEY)] == ([gating.round] if gating else [])


async def test_finished_jobs_keep_their_logs(bench: Bench) -> None:
    await bench.ask(ROUND)
    bench.finish()
    await bench.ask(None)
    assert len(bench.live) == 3


async def test_a_job_that_is_refused_is_an_answer_and_is_not_tried_again(bench: Bench) -> None:
    bench.api.refuses = ForbiddenError("exceeded quota: jobs")
    for _ in range(2):
        await bench.ask(ROUND)
    assert bench.api.created == 3
    states = {state.name: state for state in bench.gates.states(KEY)}
    assert states["fairness"].outcome is GateOutcome.UNDECIDED
    assert states["fairness"].message == "its Job can't be made: exceeded quota: jobs"
    bench.api.refuses = None
    await bench.ask(NEXT_ROUND)
    assert bench.asked == {"signature", "goldenSet", "fairness"}


async def test_an_api_server_that_is_down_is_no_answer(bench: Bench) -> None:
    bench.api.refuses = UnavailableError("down")
    with pytest.raises(UnavailableError):
        await bench.ask(ROUND)
    assert [state for state in bench.gates.states(KEY) if state.outcome] == []


async def test_who_is_deleted_is_asked_about_no_more(bench: Bench) -> None:
    await bench.ask(ROUND)
    bench.gates.forget(KEY)
    assert bench.gates.states(KEY) == ()


async def test_a_hook_is_told_who_it_is_about(bench: Bench) -> None:
    await bench.ask(ROUND)
    ((question, _),) = bench.hooks.asked.values()
    body: Any = question.body
    assert (body["modelDeployment"], body["namespace"], body["gate"]) == (NAME, NAMESPACE, "smoke")
    assert body["rollout"] == "penguins-abc-1"
    assert body["candidate"]["version"] == "2"
    assert body["candidate"]["url"] == f"http://{NAME}-{revision('2').name}.{NAMESPACE}.svc"
    assert body["stable"]["digest"] == revision("1").digest
