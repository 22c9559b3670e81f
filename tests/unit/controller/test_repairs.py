"""What somebody else has changed is put back, and an event says what and whose it was."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sluice.controller.memory import Memory
from sluice.kube.errors import ConflictError

from tests.simulation.invariants import weights
from tests.simulation.store import copy
from tests.simulation.world import NAME, NAMESPACE, World
from tests.unit.controller.bench import Bench, FailingApi

Edit = Callable[[dict[str, Any]], None]


def edit(world: World, kind: str, change: Edit) -> None:
    changed = copy(world.store.of_kind(kind)[0])
    change(changed)
    world.store.write(changed)


def told(world: World) -> list[str]:
    return [event["message"] for event in world.store.of_kind("Event") if event["reason"] == "Repaired"]


def shift(route: dict[str, Any]) -> None:
    backends = route["spec"]["rules"][0]["backendRefs"]
    backends[0]["weight"] = 40
    backends.append(copy(backends[0]) | {"name": "elsewhere", "weight": 60})


def scale(deployment: dict[str, Any]) -> None:
    deployment["spec"]["replicas"] = 9


def select(service: dict[str, Any]) -> None:
    service["spec"]["selector"]["sluice.dev/revision"] = "other"


def label(service: dict[str, Any]) -> None:
    service["metadata"]["labels"]["sluice.dev/revision"] = "other"


@pytest.mark.parametrize(
    ("kind", "change", "field"),
    [
        ("HTTPRoute", shift, "spec.rules"),
        ("Deployment", scale, "spec.replicas 9 -> 2"),
        ("Service", select, "spec.selector.sluice.dev/revision other ->"),
        ("Service", label, "metadata.labels.sluice.dev/revision other ->"),
    ],
)
async def test_an_edit_is_put_back_and_told_once(bench: Bench, kind: str, change: Edit, field: str) -> None:
    await bench.look()
    before = bench.world.store.of_kind(kind)[0]["spec"]
    edit(bench.world, kind, change)
    await bench.look()
    await bench.look()
    assert bench.world.store.of_kind(kind)[0]["spec"] == before
    (message,) = told(bench.world)
    assert message.startswith(
        f"{kind} {bench.world.store.of_kind(kind)[0]['metadata']['name']} was changed by somebody"
    )
    assert field in message


async def test_an_operator_that_begins_tells_of_edits_made_while_none_ran(bench: Bench) -> None:
    edit(bench.world, "Deployment", scale)
    bench.memory = Memory()
    await bench.look()
    assert len(told(bench.world)) == 1


async def test_fields_added_to_the_route_are_taken_out(bench: Bench) -> None:
    await bench.look()
    edit(bench.world, "HTTPRoute", lambda route: route["spec"].update(hostnames=["only.example"]))
    await bench.look()
    assert "hostnames" not in bench.world.store.of_kind("HTTPRoute")[0]["spec"]
    assert [message.partition("put back: ")[2] for message in told(bench.world)] == ["spec.hostnames removed"]


@pytest.mark.parametrize("write", ["merge", "apply"])
async def test_fields_added_to_the_route_are_taken_out_and_told_when_the_gateway_writes_in_between(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, write: str
) -> None:
    """The gateway's word on the edit comes at any moment; what is refused for it is done by the next look."""
    await bench.look()
    edit(bench.world, "HTTPRoute", lambda route: route["spec"].update(hostnames=["only.example"]))
    with monkeypatch.context() as patched:
        patched.setattr(bench.api, write, conflicts)
        with pytest.raises(ConflictError):
            await bench.look()
    await bench.look()
    assert "hostnames" not in bench.world.store.of_kind("HTTPRoute")[0]["spec"]
    assert [message.partition("put back: ")[2] for message in told(bench.world)] == ["spec.hostnames removed"]


async def conflicts(*_: object) -> None:
    raise ConflictError("the object has been modified")


@pytest.mark.parametrize("kind", ["Service", "Deployment", "HTTPRoute"])
async def test_what_was_deleted_is_made_again_and_told(bench: Bench, kind: str) -> None:
    await bench.look()
    name = NAME if kind == "HTTPRoute" else f"{NAME}-{bench.world.revision('1')}"
    bench.world.store.delete(kind, NAMESPACE, name)
    await bench.look()
    assert [one["metadata"]["name"] for one in bench.world.store.of_kind(kind)] == [name]
    assert told(bench.world) == [f"{kind} {name} was deleted, or had lost its labels: made again"]


async def test_two_operators_that_make_it_again_tell_it_once(bench: Bench) -> None:
    """As they overlap, the second one's cache does not show yet what the first one has made."""
    operators = bench, Bench(bench.world, FailingApi(bench.world, bench.api.invariants))
    for _ in range(2):
        for each in operators:
            await each.look()
    for times in (1, 2):
        bench.world.store.delete("Service", NAMESPACE, f"{NAME}-{bench.world.revision('1')}")
        bench.world.lag(5)
        for each in operators:
            await each.look()
            bench.world.time += 1
        assert len(told(bench.world)) == times
        bench.world.time += 60


async def test_a_rollout_of_our_own_is_no_repair(bench: Bench) -> None:
    bench.world.push("2")
    await bench.until(lambda world: world.status.get("model") == "penguins/2" and "rollout" not in world.status)
    assert weights(bench.world)[bench.world.revision("2")] == 100
    assert told(bench.world) == []


async def test_who_fights_over_a_field_fills_no_cluster_with_events(bench: Bench) -> None:
    await bench.look()
    for _ in range(20):
        edit(bench.world, "Deployment", scale)
        await bench.look()
        bench.world.time += 1
    assert len(told(bench.world)) == 1
    bench.world.time += 60
    edit(bench.world, "Deployment", scale)
    await bench.look()
    assert len(told(bench.world)) == 2


async def test_an_edit_of_a_warm_revision_is_put_back_by_whoever_has_rested(bench: Bench) -> None:
    bench.world.push("2")
    await bench.until(lambda world: world.status.get("model") == "penguins/2" and "rollout" not in world.status)
    bench.memory.rest()
    edit(bench.world, "Deployment", another_image)
    await bench.look()
    template = bench.world.store.of_kind("Deployment")[0]["spec"]["template"]
    assert template["spec"]["containers"][0]["image"] == "server:1"
    (message,) = told(bench.world)
    assert bench.world.revision("1") in message


def another_image(deployment: dict[str, Any]) -> None:
    deployment["spec"]["template"]["spec"]["containers"][0]["image"] = "hacked:1"
