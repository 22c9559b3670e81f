"""Plans made true on a cluster that somebody else edits, too."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest
from sluice.api.status import ModelDeploymentStatus
from sluice.controller.apply import Applier
from sluice.controller.memory import Memory
from sluice.controller.observer import Observer
from sluice.controller.reconcile import Reconciler
from sluice.controller.records import Records
from sluice.core import observation
from sluice.core.observation import Silent
from sluice.kube.errors import NotFoundError, RefusedError, UnavailableError

from tests.simulation.invariants import Invariants, weights
from tests.simulation.world import NAME, NAMESPACE, World
from tests.unit.controller.bench import (
    Bench,
    FailingApi,
    Resolver,
    gates,
    no_counts,
    nobody_sets,
    nothing_joined,
    nothing_tested,
)


async def test_a_lost_pod_template_is_made_again_from_what_runs(bench: Bench) -> None:
    before = bench.world.store.of_kind("Deployment")[0]["spec"]["template"]
    name = f"{NAME}-{bench.world.revision('1')}"
    bench.world.store.delete("ControllerRevision", NAMESPACE, name)
    bench.world.edit(server={})
    reconciled = Bench(bench.world, bench.api)
    await reconciled.look()
    assert bench.world.store.of_kind("ControllerRevision")[0]["data"]["template"] == before
    assert bench.world.store.of_kind("Deployment")[0]["spec"]["template"] == before


async def test_a_newer_operator_keeps_the_frozen_template(bench: Bench) -> None:
    generation = bench.world.store.of_kind("Deployment")[0]["metadata"]["generation"]
    bench.api.written.clear()
    upgraded = Reconciler(
        api=bench.api, registry=Resolver(bench.world), scrape=no_counts, compare=nothing_joined,
        test=nothing_tested, server_image="server:2",
        applier=Applier(bench.api, "http://another", Records(bench.api), nobody_sets, gates(bench.api, bench.world)),
        records=Records(bench.api), clock=lambda: bench.world.now,
    )  # fmt: skip
    await upgraded(NAMESPACE, NAME, Memory())
    assert bench.world.store.of_kind("Deployment")[0]["metadata"]["generation"] == generation


async def test_a_template_that_a_newer_operator_would_render_otherwise_starts_no_pod_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = bench.world.store.of_kind("Deployment")
    monkeypatch.setattr("sluice.resources.pod.SPREAD_OVER", ("example.test/rack",))
    bench.memory = Memory()
    await bench.look()
    assert bench.world.store.of_kind("Deployment") == before


async def test_facts_come_first_then_traffic_then_pods(bench: Bench) -> None:
    bench.world.push("2")
    await bench.until(lambda world: world.live.get(world.revision("2"), 0) == 20)
    bench.world.wish("abort", bench.world.revision("2"))
    bench.api.written.clear()
    await bench.look()
    kept, stored = ("apply", "RolloutRecord"), ("status", "ModelDeployment")
    assert bench.api.written[:3] == [kept, stored, ("apply", "HTTPRoute")]
    assert weights(bench.world) == {bench.world.revision("1"): 100}


async def test_a_deployment_that_can_not_be_written_does_not_hold_up_a_rollback(bench: Bench) -> None:
    bench.world.push("2")
    await bench.until(lambda world: world.live.get(world.revision("2"), 0) == 20)
    bench.world.wish("abort", bench.world.revision("2"))
    bench.api.failing["Deployment"] = RefusedError("quota")
    for deployment in bench.world.store.of_kind("Deployment"):
        bench.world.store.write(deployment | {"spec": deployment["spec"] | {"replicas": 7}})
    with pytest.raises(RefusedError):
        await bench.look()
    assert weights(bench.world) == {bench.world.revision("1"): 100}


async def test_nothing_follows_a_status_that_was_not_stored(bench: Bench) -> None:
    bench.world.push("2")
    bench.api.failing["ModelDeployment"] = UnavailableError("no")
    with pytest.raises(UnavailableError):
        await bench.look()
    assert bench.api.written == [("apply", "RolloutRecord")]


async def test_only_the_wish_that_was_answered_is_taken_off(bench: Bench) -> None:
    bench.world.wish("abort", "someone")
    bench.world.wish("retry", "someone")
    await bench.look()
    assert bench.world.md
    assert bench.world.md["metadata"]["annotations"] == {"sluice.dev/retry": "someone"}
    await bench.look()
    await bench.look()
    assert "annotations" not in bench.world.md["metadata"] or bench.world.md["metadata"]["annotations"] == {}
    assert bench.told("ActionRefused") == 2


async def test_an_object_that_is_not_there_is_not_found(bench: Bench) -> None:
    empty = World()
    with pytest.raises(NotFoundError, match="there is no ModelDeployment models/penguins"):
        await Bench(empty, FailingApi(empty, Invariants())).look()


async def test_an_object_that_is_going_is_left_alone(bench: Bench) -> None:
    bench.world.delete()
    assert await bench.look() is None
    assert bench.api.written == []


@dataclass
class Witness(Observer):
    """Notes which rollouts were seen to begin and to end, and how things stand."""

    changes: list[tuple[str, str]] = field(default_factory=list)
    last: str = ""

    def stored(self, namespace: str, name: str, before: ModelDeploymentStatus, after: ModelDeploymentStatus) -> None:
        change = candidate_of(before), candidate_of(after)
        if change[0] != change[1]:
            self.changes.append(change)

    def stands(self, namespace: str, name: str, status: ModelDeploymentStatus) -> None:
        self.last = candidate_of(status)


def candidate_of(status: ModelDeploymentStatus) -> str:
    return status.rollout.revision.model_version if status.rollout else ""


async def test_whoever_counts_along_is_told_of_each_change_once_and_after_a_restart_how_things_stand(
    bench: Bench,
) -> None:
    bench.observer = witness = Witness()
    bench.world.push("2")
    await bench.until(lambda world: world.status["candidate"] == f"{NAME}/2")
    restarted = Bench(bench.world, bench.api, observer=Witness())
    await restarted.look()
    assert restarted.observer == Witness(last="2")
    await bench.until(lambda world: world.status["model"] == f"{NAME}/2")
    assert witness == Witness([("", "2"), ("2", "")])


async def test_the_results_of_a_long_test_are_not_asked_for_at_every_look(bench: Bench) -> None:
    asked: list[tuple[str, str]] = []
    answers: list[Any] = [observation.TestResults({}), observation.TestResults({}), Silent("away"), Silent("away")]

    async def results(test: str, primary: Any) -> Any:
        asked.append((test, primary.metric))
        return answers[len(asked) - 1]

    reconcile = Reconciler(
        api=bench.api, registry=Resolver(bench.world), scrape=no_counts, compare=nothing_joined, test=results,
        records=Records(bench.api), server_image="server:1", clock=lambda: bench.world.now,
        applier=Applier(bench.api, "http://mlflow", Records(bench.api), nobody_sets, gates(bench.api, bench.world)),
    )  # fmt: skip
    test = {"primary": {"metric": "conversion"}, "minDuration": "50m"}
    bench.world.edit(strategy={"canary": None, "abTest": test})
    bench.world.push("2")
    for _ in range(3):
        await reconcile(NAMESPACE, NAME, bench.memory)
    record = bench.world.status["record"]
    assert asked == [(f"{NAMESPACE}/{record}", "conversion")]
    bench.world.step(29)
    await reconcile(NAMESPACE, NAME, bench.memory)
    assert len(asked) == 1
    bench.world.step(2)
    for looks in (2, 2, 3):
        await reconcile(NAMESPACE, NAME, bench.memory)
        assert len(asked) == looks
        if looks == 2:
            bench.world.step(20)
    await reconcile(NAMESPACE, NAME, bench.memory)
    assert len(asked) == 4, "what was not answered is asked again at once"
