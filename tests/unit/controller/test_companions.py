"""What stands beside a Deployment, on a cluster that somebody else edits, too; and how many writes it costs."""

from __future__ import annotations

from typing import Any

import pytest
from sluice.controller.memory import Memory
from sluice.kube.api import Manifest, Resource

from tests.simulation.autoscalers import set_replicas
from tests.simulation.invariants import replicas
from tests.simulation.simulation import installed
from tests.simulation.store import copy
from tests.simulation.world import NAMESPACE, World
from tests.unit.controller.bench import Bench, FailingApi

AUTO = {"minReplicas": 2, "maxReplicas": 6}
COMPANIONS = ("HorizontalPodAutoscaler", "PodDisruptionBudget")


class Reading(FailingApi):
    """Notes what is listed."""

    listed: list[str] = []  # noqa: RUF012 - set anew by each test

    async def list(self, resource: Resource, namespace: str, labels: str) -> list[Manifest]:
        self.listed.append(resource.kind)
        return await super().list(resource, namespace, labels)


@pytest.fixture
def bench() -> Bench:
    world, invariants = installed()
    api = Reading(world, invariants)
    api.listed = []
    return Bench(world, api)


async def autoscaled(bench: Bench, **changes: Any) -> str:
    """Let the load say how many pods there are; return the stable revision."""
    bench.world.edit(replicas=None, autoscaling=AUTO | changes)
    await bench.look()
    await bench.look()
    return bench.world.revision("1")


def of(world: World, kind: str) -> list[Manifest]:
    return world.store.of_kind(kind)


def told(bench: Bench) -> list[str]:
    return [event["message"] for event in of(bench.world, "Event") if event["reason"] == "Repaired"]


@pytest.mark.parametrize(("pods", "budgets"), [(0, 0), (1, 0), (2, 1), (4, 1)])
async def test_a_budget_is_written_where_there_is_more_than_one_pod(bench: Bench, pods: int, budgets: int) -> None:
    bench.world.edit(replicas=pods)
    await bench.look()
    assert len(of(bench.world, "PodDisruptionBudget")) == budgets
    bench.memory = Memory()
    bench.api.written.clear()
    await bench.look()
    assert {kind for _, kind in bench.api.written} <= {"ModelDeployment", "Event"}


@pytest.mark.parametrize("pods", [0, 1])
async def test_nobody_asks_for_what_is_not_there(bench: Bench, pods: int) -> None:
    bench.world.edit(replicas=pods)
    await bench.look()
    bench.api.listed.clear()  # type: ignore[attr-defined]
    await bench.look()
    assert not set(bench.api.listed) & set(COMPANIONS)  # type: ignore[attr-defined]


async def test_to_autoscale_what_runs_changes_no_number(bench: Bench) -> None:
    bench.world.edit(replicas=4)
    await bench.look()
    revision = await autoscaled(bench)
    assert replicas(bench.world) == {revision: 4}
    assert of(bench.world, "HorizontalPodAutoscaler")[0]["spec"]["minReplicas"] == 2
    assert told(bench) == []


async def test_what_the_autoscaler_writes_is_left_alone(bench: Bench) -> None:
    revision = await autoscaled(bench)
    for number in (5, 3, 2, 6):
        set_replicas(bench.world.store, of(bench.world, "Deployment")[0], number)
        await bench.look()
        await bench.look()
        assert replicas(bench.world) == {revision: number}
        bench.api.written.clear()
        await bench.look()
        assert ("apply", "Deployment") not in bench.api.written
    assert told(bench) == []


async def test_below_the_floor_nobody_waits_for_the_autoscaler(bench: Bench) -> None:
    revision = await autoscaled(bench)
    set_replicas(bench.world.store, of(bench.world, "Deployment")[0], 0)
    await bench.look()
    assert replicas(bench.world) == {revision: 2}


async def test_without_autoscaling_the_user_says_it_again_and_no_hand_edit_is_told(bench: Bench) -> None:
    revision = await autoscaled(bench)
    set_replicas(bench.world.store, of(bench.world, "Deployment")[0], 6)
    await bench.look()
    bench.world.edit(autoscaling=None, replicas=1)
    await bench.look()
    assert replicas(bench.world) == {revision: 1}
    assert [of(bench.world, kind) for kind in COMPANIONS] == [[], []]
    assert told(bench) == []
    set_replicas(bench.world.store, of(bench.world, "Deployment")[0], 6)
    await bench.look()
    assert replicas(bench.world) == {revision: 1}
    assert len(told(bench)) == 1, "now it is one"


@pytest.mark.parametrize("kind", COMPANIONS)
async def test_what_others_change_or_delete_is_put_back(bench: Bench, kind: str) -> None:
    await autoscaled(bench)
    (found,) = of(bench.world, kind)
    changed = copy(found)
    changed["spec"]["maxReplicas" if kind.startswith("Horizontal") else "maxUnavailable"] = 9
    bench.world.store.write(changed)
    await bench.look()
    assert of(bench.world, kind)[0]["spec"] == found["spec"]
    bench.world.store.delete(kind, NAMESPACE, found["metadata"]["name"])
    await bench.look()
    assert of(bench.world, kind)[0]["spec"] == found["spec"]
    assert len(told(bench)) == 2


async def test_what_an_autoscaler_says_of_its_work_costs_no_write(bench: Bench) -> None:
    await autoscaled(bench)
    changed = copy(of(bench.world, "HorizontalPodAutoscaler")[0])
    blind = {"type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric", "message": "no metrics"}
    changed["status"] = {"conditions": [blind]}
    bench.world.store.write(changed)
    bench.api.written.clear()
    await bench.look()
    assert [kind for _, kind in bench.api.written] in ([], ["ModelDeployment"])
    bench.world.step(6)
    await bench.look()
    assert "the autoscaler can't do its work: FailedGetResourceMetric: no metrics" in bench.world.status["message"]
