"""Without a gateway, seen from outside: what a Service of all versions promises."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from sluice.kube.api import SERVICES

from tests.simulation.invariants import answered
from tests.simulation.plainly import INSTALLED, PLAIN, shares
from tests.simulation.simulation import Chapter, Simulation
from tests.simulation.store import copy
from tests.simulation.stories import both, edit, nothing, push, rejected, says, serves, serves_all, weight, wish
from tests.simulation.world import NAME, NAMESPACE, World

HELD = edit(strategy={"canary": {"steps": [{"setWeight": 20}, {"pause": {}}]}})
FOREIGN = {
    "kind": "Service", "metadata": {"name": NAME, "namespace": NAMESPACE}, "spec": {"selector": {"app": "mine"}}
}  # fmt: skip


@dataclass
class Rollout:
    """A simulation that begins where version 1 serves, or with nothing at all."""

    simulation: Simulation

    @property
    def world(self) -> World:
        return self.simulation.world

    async def tell(self, act: Callable[[World], object], until: Callable[[World], bool]) -> None:
        if not hasattr(self.simulation, "controller"):
            await self.simulation.begin()
        await self.simulation.live(Chapter(lambda world: (act(world), None)[1], until, "what was told"))

    async def wait(self, seconds: float) -> None:
        end = self.world.time + seconds
        await self.tell(nothing, lambda world: world.time >= end)

    @property
    def version(self) -> str:
        found = self.world.store.get(SERVICES, NAMESPACE, NAME)
        return str(found and found["metadata"]["resourceVersion"])


@pytest.fixture
async def rollout() -> Rollout:
    found = Rollout(Simulation(()))
    await found.tell(INSTALLED[0].act, INSTALLED[0].until)
    return found


def available(world: World) -> tuple[str, str] | None:
    found = (one for one in world.status.get("conditions", ()) if one["type"] == "Available")
    return next(((one["status"], one["reason"]) for one in found), None)


async def held(rollout: Rollout) -> None:
    """Version 2 has one of four pods, until somebody decides."""
    await rollout.tell(HELD, serves("1"))
    await rollout.tell(push("2"), both(says("until somebody promotes"), shares("2", 25)))


async def test_who_is_started_has_no_request_before_its_share(rollout: Rollout) -> None:
    await rollout.tell(edit(strategy={"canary": None, "blueGreen": {"pause": {}}}), serves("1"))
    await rollout.tell(push("2"), says("until somebody promotes"))
    await rollout.wait(20)
    assert answered(rollout.world.pods_of(rollout.world.revision("2"))) == 0


async def test_an_abort_changes_the_service_once(rollout: Rollout) -> None:
    await held(rollout)
    written: list[str] = []

    def aborted(world: World) -> bool:
        written.append(rollout.version)
        return rejected("2")(world)

    await rollout.tell(wish("abort", "2"), aborted)
    await rollout.wait(20)
    assert len({*written, rollout.version}) == 2
    assert rollout.world.unserved == 0


async def test_without_an_operator_pods_come_and_go_behind_the_service(rollout: Rollout) -> None:
    await held(rollout)
    rollout.simulation.kill(60)
    (life,) = [life for life in rollout.world.pods_of(rollout.world.revision("2")) if life.serving]
    await rollout.tell(lambda world: world.end(life), serves_all("1"))
    await rollout.wait(10)
    assert not rollout.simulation.controller.running
    assert rollout.world.live[rollout.world.revision("2")] == 25, "its successor"
    assert rollout.world.unserved == 0


async def test_a_pause_lets_no_share_grow(rollout: Rollout) -> None:
    await held(rollout)
    steps = [{"setWeight": 20}, {"pause": {}}, {"setWeight": 50}, {"pause": {}}]
    await rollout.tell(edit(strategy={"canary": {"steps": steps}}), says("until somebody promotes"))
    await rollout.tell(edit(paused=True), says("paused"))
    await rollout.tell(wish("promote", "2"), lambda world: world.status["step"].startswith("3/"))
    await rollout.wait(20)
    assert rollout.world.live[rollout.world.revision("2")] == 25
    await rollout.tell(edit(paused=False), shares("2", 50))


async def test_people_read_how_many_pods_it_is(rollout: Rollout) -> None:
    await held(rollout)
    await rollout.wait(3)
    assert rollout.world.status["weight"] == 25
    assert rollout.world.status["message"].endswith("1 of the 4 pods behind the Service are the candidate's")


async def test_a_hand_edit_of_the_service_is_put_back(rollout: Rollout) -> None:
    def lead_elsewhere(world: World) -> None:
        (service,) = (one for one in world.store.of_kind("Service") if one["metadata"]["name"] == NAME)
        changed = copy(service)
        changed["spec"]["selector"] = {"app": "mine"}
        world.store.write(changed)

    await rollout.tell(lead_elsewhere, lambda _: "Repaired" in rollout.simulation.invariants.told)
    await rollout.wait(5)
    assert serves("1")(rollout.world)


async def test_a_service_of_somebody_else_is_left_alone() -> None:
    rollout = Rollout(Simulation(()))
    rollout.world.store.create(copy(FOREIGN))
    rollout.world.push("1")
    await rollout.tell(lambda world: world.submit(PLAIN), lambda world: available(world) == ("False", "ServiceTaken"))
    assert says("that Sluice has not made: delete it")(rollout.world)
    found = rollout.world.store.get(SERVICES, NAMESPACE, NAME)
    assert found
    assert found["spec"] == FOREIGN["spec"]
    await rollout.tell(lambda world: world.store.delete("Service", NAMESPACE, NAME), serves("1"))


async def test_evidence_knows_how_the_pods_have_split_it(rollout: Rollout) -> None:
    await rollout.tell(push("2"), weight("2", 50))
    await rollout.tell(nothing, serves("2"))
    (record,) = (one for one in rollout.world.store.of_kind("RolloutRecord") if one["spec"].get("stable"))
    total = record["status"]["evidence"]["total"]
    assert total["candidateRequests"] > 100
    assert record["status"]["outcome"] == "Promoted"
    halves = [
        one
        for one in record["status"]["decisions"]
        if one["inputs"].get("servicePods") == {"candidate": 3, "stable": 3}
    ]
    assert halves, "what was decided with half of the pods says so"
    assert "sample-ratio mismatch" not in str(record["status"]["decisions"])
