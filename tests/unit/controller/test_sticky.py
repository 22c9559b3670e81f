"""The policy by which users stick to a version: there as long as it is wanted, and never in the way of others."""

from __future__ import annotations

import pytest
from sluice.controller.memory import Memory
from sluice.kube.api import Manifest, Resource
from sluice.kube.errors import ForbiddenError, RefusedError
from sluice.traffic import gateway_api

from tests.simulation.invariants import weights
from tests.simulation.simulation import installed
from tests.simulation.store import copy
from tests.simulation.stories import serves
from tests.simulation.world import NAME, NAMESPACE, World
from tests.unit.controller.bench import Bench, FailingApi
from tests.unit.controller.test_companions import Reading

POLICY = ("BackendTrafficPolicy", NAMESPACE, NAME)
STICKY = {"gateway": {"name": "public"}, "sticky": {"header": "x-user-id"}}


@pytest.fixture
def bench() -> Bench:
    world, invariants = installed()
    api = Reading(world, invariants)
    api.listed = []
    return Bench(world, api)


def policy_of(world: World) -> Manifest | None:
    return world.store.objects.get(POLICY)


def degraded(world: World) -> tuple[str, str]:
    (found,) = (c for c in world.status["conditions"] if c["type"] == "Degraded")
    return found["status"], found["reason"]


def condition(world: World, kind: str) -> str:
    return str(next(c["status"] for c in world.status["conditions"] if c["type"] == kind))


async def sticky(bench: Bench) -> Manifest:
    bench.world.edit(traffic=STICKY)
    await bench.until(lambda world: world.sticks)
    found = policy_of(bench.world)
    assert found
    return found


async def test_it_comes_with_the_wish_and_goes_with_it(bench: Bench) -> None:
    found = await sticky(bench)
    assert found["spec"]["loadBalancer"]["consistentHash"]["headers"] == [{"name": "x-user-id"}]
    bench.world.edit(traffic={"sticky": None})
    await bench.look()
    assert policy_of(bench.world) is None
    assert not gateway_api.names_users(bench.world.store.of_kind("HTTPRoute")[0])
    assert bench.told("Repaired") == 0


async def test_where_nobody_wants_it_nobody_asks_for_it(bench: Bench) -> None:
    await bench.look()
    bench.api.listed.clear()  # type: ignore[attr-defined]
    await bench.look()
    assert "BackendTrafficPolicy" not in bench.api.listed  # type: ignore[attr-defined]


async def test_one_that_begins_anew_writes_nothing_again(bench: Bench) -> None:
    await sticky(bench)
    bench.memory = Memory()
    bench.api.written.clear()
    await bench.look()
    assert {kind for _, kind in bench.api.written} <= {"ModelDeployment", "Event"}


async def test_what_somebody_edits_is_put_back_and_told(bench: Bench) -> None:
    found = copy(await sticky(bench))
    found["spec"]["loadBalancer"]["consistentHash"] = {"type": "SourceIP"}
    bench.world.store.write(found)
    await bench.until(lambda world: world.sticks)
    again = policy_of(bench.world)
    assert again
    assert again["spec"]["loadBalancer"]["consistentHash"]["type"] == "Headers"
    assert bench.told("Repaired") == 1


async def test_one_that_somebody_deletes_is_made_again_and_told(bench: Bench) -> None:
    await sticky(bench)
    bench.world.store.delete(*POLICY)
    await bench.look()
    assert policy_of(bench.world)
    assert bench.told("Repaired") == 1


async def test_it_looks_again_until_the_route_is_as_it_is_to_be(bench: Bench) -> None:
    await sticky(bench)
    await bench.until(lambda world: condition(world, "Ready") == "True")
    assert (await bench.look() or 0) > 1
    changed = copy(bench.world.store.of_kind("HTTPRoute")[0])
    before = changed["spec"]["rules"][0]["backendRefs"]
    changed["spec"]["rules"][0]["backendRefs"] = [before[0] | {"weight": 500_000}, before[0] | {"weight": 500_000}]
    bench.world.store.write(changed)
    waits = []
    for _ in range(20):
        waits.append(await bench.look())
        bench.world.step(0.5)
    assert bench.world.store.of_kind("HTTPRoute")[0]["spec"]["rules"][0]["backendRefs"] == before
    assert waits[0] == 1
    assert (waits[-1] or 0) > 1


async def test_somebody_elses_of_the_same_name_is_left_alone_and_said(bench: Bench) -> None:
    before = {"loadBalancer": {"type": "LeastRequest"}}
    foreign = {
        "apiVersion": "gateway.envoyproxy.io/v1alpha1", "kind": "BackendTrafficPolicy",
        "metadata": {"name": NAME, "namespace": NAMESPACE}, "spec": before,
    }  # fmt: skip
    bench.world.store.apply(foreign)
    bench.world.edit(traffic=STICKY)
    await bench.until(lambda world: degraded(world) == ("True", "UsersNotSticky"))
    assert "that Sluice has not made" in bench.world.status["message"]
    bench.world.edit(traffic={"sticky": None})
    await bench.look()
    await bench.look()
    found = policy_of(bench.world)
    assert found
    assert found["spec"] == before
    assert not found["metadata"].get("ownerReferences")


async def test_one_without_its_labels_is_still_ours(bench: Bench) -> None:
    found = copy(await sticky(bench))
    found["metadata"]["labels"] = {}
    bench.world.store.write(found)
    await bench.look()
    again = policy_of(bench.world)
    assert again
    assert again["metadata"]["labels"]["sluice.dev/model-deployment"] == NAME


async def test_another_header_changes_the_one_policy(bench: Bench) -> None:
    first = await sticky(bench)
    bench.world.edit(traffic={"sticky": {"header": None, "cookie": "session"}})
    await bench.until(lambda world: world.sticks)
    second = policy_of(bench.world)
    assert second
    assert second["metadata"]["uid"] == first["metadata"]["uid"]
    assert second["spec"]["loadBalancer"]["consistentHash"] == {"type": "Cookie", "cookie": {"name": "session"}}


async def test_without_the_api_all_else_goes_on_and_it_is_said(bench: Bench) -> None:
    bench.world.has_policies = False
    bench.world.edit(traffic=STICKY)
    bench.world.push("2")
    await bench.until(lambda world: "first users wait for it" in world.status.get("message", ""))
    await bench.look()
    assert degraded(bench.world) == ("True", "UsersNotSticky")
    assert "needs Envoy Gateway's BackendTrafficPolicy" in bench.world.status["message"]
    assert condition(bench.world, "Available") == "True"
    assert weights(bench.world) == {bench.world.revision("1"): 100}
    bench.world.has_policies = True
    await bench.until(lambda world: world.sticks)
    await bench.until(serves("2"))
    await bench.look()
    assert degraded(bench.world)[0] == "False"


async def test_a_canary_that_waits_for_it_goes_on_without_it_when_nobody_wants_it_any_more(bench: Bench) -> None:
    bench.world.has_policies = False
    bench.world.edit(traffic=STICKY)
    bench.world.push("2")
    await bench.until(lambda world: "first users wait for it" in world.status.get("message", ""))
    bench.world.edit(traffic={"sticky": None})
    await bench.until(serves("2"))


async def test_while_the_gateway_has_only_to_answer_nothing_is_degraded(bench: Bench) -> None:
    bench.world.gateway_delay = 3.0
    bench.world.edit(traffic=STICKY)
    for _ in range(4):
        await bench.look()
        assert degraded(bench.world)[0] == "False"
        bench.world.step(0.5)


async def test_what_the_gateway_refuses_is_said_in_its_words(bench: Bench) -> None:
    bench.world.policy_refused = "another BackendTrafficPolicy has already attached to it"
    bench.world.edit(traffic=STICKY)
    await bench.until(lambda world: degraded(world) == ("True", "UsersNotSticky"))
    assert "another BackendTrafficPolicy has already attached to it" in bench.world.status["message"]
    assert weights(bench.world) == {bench.world.revision("1"): 100}


async def test_one_that_the_api_server_refuses_is_said_and_does_not_end_the_look(bench: Bench) -> None:
    bench.api.failing["BackendTrafficPolicy"] = RefusedError("spec.mergeType: field not declared in schema")
    bench.world.edit(traffic=STICKY)
    bench.world.push("2")
    await bench.until(lambda world: "first users wait for it" in world.status.get("message", ""))
    assert "can't be written: spec.mergeType: field not declared in schema" in bench.world.status["message"]


class Narrow(FailingApi):
    """A role from before there were such policies."""

    async def list(self, resource: Resource, namespace: str, labels: str) -> list[Manifest]:
        if resource.kind == "BackendTrafficPolicy":
            raise ForbiddenError("not allowed")
        return await super().list(resource, namespace, labels)


async def test_one_that_may_not_be_read_is_said_with_what_to_do(bench: Bench) -> None:
    api = Narrow(bench.world, bench.api.invariants)
    api.failing["BackendTrafficPolicy"] = ForbiddenError("not allowed")
    narrow = Bench(bench.world, api)
    bench.world.edit(traffic=STICKY)
    await narrow.look()
    await narrow.look()
    assert "upgrade its Helm chart" in bench.world.status["message"]
