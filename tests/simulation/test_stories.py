"""Whole rollouts on the simulated cluster: what people are promised, seen from outside."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.simulation.invariants import answered
from tests.simulation.pods import Behaviour
from tests.simulation.simulation import Chapter, Simulation, installed
from tests.simulation.store import copy
from tests.simulation.stories import LATENCY, SPEC, push, rejected, says, serves, weight, wish
from tests.simulation.world import World

Condition = Callable[[World], bool]


@dataclass
class Rollout:
    """A simulation that begins where version 1 serves."""

    simulation: Simulation

    @property
    def world(self) -> World:
        return self.simulation.world

    async def tell(self, act: Callable[[World], None], until: Condition) -> None:
        if not hasattr(self.simulation, "controller"):
            await self.simulation.begin()
        await self.simulation.live(Chapter(act, until, "what was told"))

    async def wait(self, seconds: float) -> None:
        end = self.world.time + seconds
        await self.tell(lambda _: None, lambda world: world.time >= end)

    @property
    def message(self) -> str:
        return str(self.world.status["message"])


@pytest.fixture
def rollout() -> Rollout:
    world, invariants = installed()
    return Rollout(Simulation((), world, invariants))


def nothing(world: World) -> None:
    pass


def nothing_else(_: World) -> bool:
    return True


def rename_backend(world: World, number: str, name: str) -> None:
    """Let the backend of a version lead to another Service, as by a hand edit."""
    world.tampered = True
    (route,) = world.store.of_kind("HTTPRoute")
    changed = copy(route)
    for backend in changed["spec"]["rules"][0]["backendRefs"]:
        if backend["name"].endswith(world.revision(number)):
            backend["name"] = name
    world.store.write(changed)


async def test_promotion_keeps_the_pods_and_loads_each_model_once(rollout: Rollout) -> None:
    await rollout.tell(push("2"), weight("2", 100))
    before = {life.uid for life in rollout.world.pods_of(rollout.world.revision("2")) if life.serving}
    await rollout.tell(nothing, serves("2"))
    await rollout.wait(30)
    lives = rollout.world.pods_of(rollout.world.revision("2"))
    assert {life.uid for life in lives} == before
    assert sum(life.loads for life in lives) == SPEC["replicas"]
    assert rollout.world.unserved == 0


async def test_going_back_to_a_warm_version_loads_nothing(rollout: Rollout) -> None:
    await rollout.tell(push("2"), serves("2"))
    loads = sum(life.loads for life in rollout.world.lives.values())
    await rollout.tell(push("1"), serves("1"))
    assert sum(life.loads for life in rollout.world.lives.values()) == loads


async def test_a_person_gets_a_warm_version_back_in_one_step_of_the_route(rollout: Rollout) -> None:
    rollout.world.edit(scaleDownDelaySeconds=300)
    await rollout.tell(push("2"), serves("2"))
    await rollout.wait(10)
    (route,) = rollout.world.store.of_kind("HTTPRoute")
    await rollout.tell(wish("rollback", "1"), lambda world: world.live == {world.revision("1"): 100})
    (after,) = rollout.world.store.of_kind("HTTPRoute")
    assert after["metadata"]["generation"] == route["metadata"]["generation"] + 1


async def test_who_takes_the_serving_backend_out_of_the_route_costs_seconds(rollout: Rollout) -> None:
    rollout.world.edit(scaleDownDelaySeconds=300)
    await rollout.tell(push("2"), serves("2"))
    await rollout.wait(10)
    await rollout.tell(lambda world: rename_backend(world, "2", "my-service"), nothing_else)
    await rollout.wait(10)
    assert rollout.world.live == {rollout.world.revision("2"): 100}


async def test_an_abort_at_all_traffic_takes_as_long_as_at_less(rollout: Rollout) -> None:
    held = {"canary": {"steps": [{"setWeight": 100}, {"pause": {}}]}}
    rollout.world.edit(strategy=held)
    await rollout.tell(push("2"), says("until somebody promotes"))
    await rollout.wait(20)
    began = rollout.world.time
    await rollout.tell(wish("abort", "2"), lambda world: world.live == {world.revision("1"): 100})
    assert rollout.world.time - began <= rollout.world.gateway_delay + rollout.world.proxy_delay + 1


async def test_many_warm_versions_fit_into_the_route(rollout: Rollout) -> None:
    steps = {"canary": {"steps": [{"setWeight": 50}]}}
    rollout.world.edit(scaleDownDelaySeconds=100_000, replicas=1, strategy=steps)
    for number in range(2, 20):
        await rollout.tell(push(str(number)), serves(str(number)))
    (route,) = rollout.world.store.of_kind("HTTPRoute")
    assert len(route["spec"]["rules"][0]["backendRefs"]) <= 16


async def test_all_traffic_in_one_step_waits_until_the_proxies_know_the_version(rollout: Rollout) -> None:
    rollout.world.edit(strategy={"canary": {"steps": [{"setWeight": 100}]}})
    await rollout.tell(push("2"), serves("2"))
    assert rollout.world.unserved == 0


async def test_a_dead_version_is_off_traffic_within_seconds(rollout: Rollout) -> None:
    await rollout.tell(push("2", errors=1.0), weight("2", 20))
    began = rollout.world.time
    await rollout.tell(nothing, rejected("2"))
    assert rollout.world.time - began <= 3
    failed = sum(life.failed for life in rollout.world.pods_of(rollout.world.revision("2")))
    assert failed <= 3 * 0.2 * rollout.world.rate


@pytest.mark.parametrize(
    ("behaviour", "because"),
    [
        (Behaviour.CRASH, "Crashed"),
        (Behaviour.OUT_OF_MEMORY, "OOMKilled"),
        (Behaviour.NO_IMAGE, "ImagePullBackOff"),
        (Behaviour.WRONG_DIGEST, "DigestMismatch"),
        (Behaviour.NEVER_READY, "ProgressDeadlineExceeded"),
        (Behaviour.UNSCHEDULABLE, "ProgressDeadlineExceeded"),
        (Behaviour.REGISTRY_DOWN, "ProgressDeadlineExceeded"),
    ],
)
async def test_a_version_that_can_not_run_gets_no_request(rollout: Rollout, behaviour: Behaviour, because: str) -> None:
    await rollout.tell(push("2", behaviour=behaviour), rejected("2"))
    assert rollout.world.status["rejected"][-1]["reason"] == because
    assert answered(rollout.world.pods_of(rollout.world.revision("2"))) == 0
    await rollout.wait(60)
    assert rollout.simulation.invariants.told.count("RolloutStarted") == 1, "not tried again by itself"


async def test_a_slow_gateway_delays_and_does_not_mislead(rollout: Rollout) -> None:
    rollout.world.gateway_delay = 20.0
    await rollout.tell(push("2"), says("waiting for the gateway"))
    await rollout.tell(nothing, serves("2"))


async def test_a_gateway_that_refuses_is_said_and_waited_for(rollout: Rollout) -> None:
    rollout.world.gateway_refuses = "no such listener"
    await rollout.tell(push("2"), says("waiting for the gateway", "no such listener"))
    await rollout.wait(200)
    assert rollout.world.status["rollout"]["weight"] == 20
    assert rollout.world.live == {rollout.world.revision("1"): 100}
    rollout.world.gateway_refuses = ""
    await rollout.tell(nothing, serves("2"))


async def test_unreadable_pods_hold_the_analysis_and_lose_nothing(rollout: Rollout) -> None:
    await rollout.tell(push("2"), weight("2", 20))
    hidden = rollout.world.pods_of(rollout.world.revision("1"))[0]
    hidden.reachable = False
    await rollout.wait(15)
    assert "can't be read (timeout)" in rollout.message
    assert rollout.world.status["verdict"] == "Error"
    hidden.reachable = True
    await rollout.tell(nothing, serves("2"))


async def test_without_traffic_a_person_decides(rollout: Rollout) -> None:
    rollout.world.rate = 0.0
    await rollout.tell(push("2"), says("held", "No data"))
    assert rollout.world.status["verdict"] == "Inconclusive"
    for _ in range(2):
        await rollout.tell(wish("promote", "2"), lambda world: world.status.get("verdict") != "Inconclusive")
        if "rollout" in rollout.world.status:
            await rollout.tell(nothing, lambda world: says("held")(world) or serves("2")(world))
    await rollout.tell(nothing, serves("2"))


async def test_a_pause_keeps_still_and_goes_on(rollout: Rollout) -> None:
    await rollout.tell(push("2"), weight("2", 20))
    await rollout.tell(lambda world: world.edit(paused=True), says("paused at 20 %"))
    await rollout.wait(200)
    assert rollout.world.live[rollout.world.revision("2")] == 20
    await rollout.tell(lambda world: world.edit(paused=False), serves("2"))


async def test_a_paused_version_that_does_harm_is_rolled_back(rollout: Rollout) -> None:
    await rollout.tell(push("2"), weight("2", 20))
    await rollout.tell(lambda world: world.edit(paused=True), says("paused"))

    def fail(world: World) -> None:
        world.versions["2"].errors = 0.5
        for life in world.lives.values():
            life.version = world.versions[life.version.number]

    await rollout.tell(fail, rejected("2"))


async def test_scaling_to_zero_in_mid_rollout_promotes_nothing(rollout: Rollout) -> None:
    await rollout.tell(push("2", errors=0.5), lambda world: "rollout" in world.status)
    await rollout.tell(lambda world: world.edit(replicas=0), says("replicas is 0"))
    await rollout.wait(200)
    assert rollout.world.status["model"] == "penguins/1"
    await rollout.tell(lambda world: world.edit(replicas=2), rejected("2"))


async def test_removing_steps_in_mid_rollout_promotes_nothing_unproven(rollout: Rollout) -> None:
    await rollout.tell(push("2", errors=0.03), weight("2", 20))
    steps = [{"setWeight": 30}, {"analysis": {"marginAbsolute": 0.005, "minRequests": 5000}}]
    await rollout.tell(lambda world: world.edit(strategy={"canary": {"steps": steps}}), weight("2", 30))
    await rollout.wait(10)
    assert rollout.world.status["model"] == "penguins/1"


async def test_two_versions_within_a_second(rollout: Rollout) -> None:
    def both(world: World) -> None:
        world.push("2")
        world.push("3")

    await rollout.tell(both, serves("3"))
    assert rollout.world.revision("2") == "none", "never started"


async def test_a_lost_pod_of_the_candidate_lowers_its_weight_and_it_comes_back(rollout: Rollout) -> None:
    await rollout.tell(push("2"), weight("2", 50))

    def lose(world: World) -> None:
        for life in world.pods_of(world.revision("2")):
            world.end(life)

    await rollout.tell(lose, says("weight lowered from 50 to 0 %"))
    await rollout.tell(nothing, serves("2"))


async def test_losing_all_facts_does_not_delete_what_serves(rollout: Rollout) -> None:
    """Somebody restores the object from a backup, without its status."""
    await rollout.tell(push("2"), serves("2"))

    def lose_status(world: World) -> None:
        assert world.md
        kept = {key: world.md[key] for key in ("apiVersion", "kind", "spec")}
        world.store.write(kept | {"metadata": dict(world.md["metadata"])})

    await rollout.tell(lose_status, serves("2"))
    assert rollout.world.unserved == 0


async def test_an_unresolved_registry_at_the_first_install_is_said_and_waited_for() -> None:
    rollout = Rollout(Simulation(()))
    await rollout.tell(lambda world: world.submit(SPEC), says("there is no models:/penguins@champion"))
    await rollout.tell(push("1"), serves("1"))


async def test_a_slow_version_is_rolled_back_for_being_slow(rollout: Rollout) -> None:
    await rollout.tell(lambda world: world.edit(analysis=LATENCY), serves("1"))
    await rollout.tell(push("2", seconds=0.3), rejected("2"))
    assert "slower: 100 % of the candidate's answers took longer than 1.2 x 22 ms" in rollout.message
    assert "0 % of stable's longer than" in rollout.message
    assert sum(life.failed for life in rollout.world.lives.values()) == 0


async def test_without_the_metric_a_slow_version_is_promoted(rollout: Rollout) -> None:
    await rollout.tell(push("2", seconds=0.3), serves("2"))


async def test_a_version_within_the_margin_is_promoted_with_the_metric(rollout: Rollout) -> None:
    await rollout.tell(lambda world: world.edit(analysis=LATENCY), serves("1"))
    await rollout.tell(push("2", seconds=0.022), weight("2", 20))
    await rollout.wait(3)
    assert "no durations of the candidate yet" in rollout.message
    await rollout.tell(nothing, serves("2"))
