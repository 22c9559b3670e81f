"""The thin layer to kopf: handlers only wake, and the daemon ends when it is told to."""

from __future__ import annotations

import asyncio
import inspect
from dataclasses import dataclass, field, replace
from typing import Any

import kopf
import pytest
from sluice.api.model import ModelSource
from sluice.controller.daemon import Daemon
from sluice.controller.handlers import FINALIZER, Handlers, configure, register
from sluice.controller.memory import Memory
from sluice.controller.wakeups import Wakeups
from sluice.core.observation import Unresolved
from sluice.registry.watch import RegistryWatch

from tests.simulation.controller import SimulatedApi
from tests.simulation.invariants import Invariants
from tests.simulation.simulation import installed
from tests.simulation.world import NAME, NAMESPACE, World

KEY = (NAMESPACE, NAME)
SPEC = {"model": {"uri": "models:/penguins@champion"}}


class Silent:
    """A registry that knows nothing."""

    async def resolve(self, uri: str) -> Unresolved:
        return Unresolved("RegistryUnreachable", "down")


@dataclass
class Stopped:
    """kopf's flag."""

    event: asyncio.Event = field(default_factory=asyncio.Event)
    reason: kopf.DaemonStoppingReason | None = None

    def __bool__(self) -> bool:
        return self.event.is_set()

    async def wait(self) -> None:
        await self.event.wait()

    def stop(self, reason: kopf.DaemonStoppingReason) -> None:
        self.reason = reason
        self.event.set()


async def look(namespace: str, name: str, memory: Memory) -> float:
    return 100_000.0


@pytest.fixture
def world() -> World:
    return installed()[0]


@pytest.fixture
def handlers(world: World, monkeypatch: pytest.MonkeyPatch) -> Handlers:
    monkeypatch.setattr("sluice.controller.wakeups.BREATH_SECONDS", 0.0)
    wakeups = Wakeups()
    daemon = Daemon(look, SimulatedApi(world, Invariants()), wakeups)
    return Handlers(daemon, RegistryWatch(Silent()), wakeups)


@pytest.mark.parametrize(
    ("reason", "routes"),
    [(kopf.DaemonStoppingReason.RESOURCE_DELETED, 0), (kopf.DaemonStoppingReason.OPERATOR_EXITING, 1)],
    ids=["deleted", "operator ends"],
)
async def test_the_daemon_ends_at_once_and_takes_the_route_only_with_the_resource(
    world: World, handlers: Handlers, reason: kopf.DaemonStoppingReason, routes: int
) -> None:
    stopped = Stopped()
    task = asyncio.create_task(handlers.live(NAMESPACE, NAME, stopped))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not task.done()
    stopped.stop(reason)
    await handlers.changed(NAMESPACE, NAME, SPEC, "MODIFIED")
    await task
    assert len(world.store.of_kind("HTTPRoute")) == routes


async def test_a_change_follows_the_new_uri_and_wakes(handlers: Handlers) -> None:
    event = handlers.wakeups.add(KEY)
    await handlers.changed(NAMESPACE, NAME, SPEC, "MODIFIED")
    assert event.is_set()
    assert SPEC["model"]["uri"] in handlers.watch._followers


async def test_a_digest_in_the_spec_is_part_of_what_is_followed(handlers: Handlers) -> None:
    handlers.wakeups.add(KEY)
    digest = "sha256:" + "0a" * 32
    await handlers.changed(NAMESPACE, NAME, {"model": {"uri": "s3://bucket/penguins", "digest": digest}}, "MODIFIED")
    assert list(handlers.watch._followers) == [ModelSource(uri="s3://bucket/penguins", digest=digest).reference]


async def test_the_variants_of_a_test_are_followed_too(handlers: Handlers) -> None:
    wake = handlers.wakeups.add(KEY)
    wants = [{"name": "large", "model": {"uri": "models:/penguins@large"}}, {"name": "odd"}]
    spec = SPEC | {"strategy": {"abTest": {"variants": wants}}}
    await handlers.changed(NAMESPACE, NAME, spec, "MODIFIED")
    assert {*handlers.watch._followers} == {SPEC["model"]["uri"], "models:/penguins@large"}
    wake.clear()
    handlers.watch._wake("models:/penguins@large")
    assert wake.is_set()
    await handlers.changed(NAMESPACE, NAME, SPEC, "MODIFIED")
    assert {*handlers.watch._followers} == {SPEC["model"]["uri"]}


async def test_an_object_that_is_gone_is_not_followed(handlers: Handlers) -> None:
    """The last events come when the daemon has ended, and must not follow the URI for ever."""
    await handlers.changed(NAMESPACE, NAME, SPEC, "MODIFIED")
    await handlers.changed(NAMESPACE, NAME, SPEC, "DELETED")
    assert handlers.watch._followers == {}


@pytest.mark.parametrize(
    ("labels", "woken"),
    [({"sluice.dev/model-deployment": NAME}, True), ({"sluice.dev/model-deployment": "whales"}, False), ({}, False)],
    ids=["own", "another's", "nobody's"],
)
async def test_a_child_wakes_its_owner(handlers: Handlers, labels: dict[str, str], woken: bool) -> None:
    event = handlers.wakeups.add(KEY)
    await handlers.child_changed(NAMESPACE, labels)
    assert event.is_set() is woken


def test_everything_is_registered_explicitly(handlers: Handlers) -> None:
    registry, settings = kopf.OperatorRegistry(), kopf.OperatorSettings()
    register(registry, handlers)
    configure(settings)
    assert settings.persistence.finalizer == FINALIZER
    assert not settings.posting.enabled


def test_who_watches_some_namespaces_reads_nothing_of_the_whole_cluster() -> None:
    everywhere, some = kopf.OperatorSettings(), kopf.OperatorSettings()
    configure(everywhere)
    configure(some, namespaced=True)
    assert (everywhere.scanning.disabled, some.scanning.disabled) == (False, True)


async def test_the_first_look_waits_for_the_finalizer(handlers: Handlers) -> None:
    looked = asyncio.Event()

    async def noted(namespace: str, name: str, memory: Memory) -> float:
        looked.set()
        return 100_000.0

    handlers = replace(handlers, daemon=replace(handlers.daemon, reconcile=noted))
    stopped, meta = Stopped(), dict[str, list[str]]()
    task = asyncio.create_task(handlers.live(NAMESPACE, NAME, stopped, meta=meta))
    for _ in range(10):
        await asyncio.sleep(0)
    assert not looked.is_set()
    meta["finalizers"] = [FINALIZER]
    await handlers.changed(NAMESPACE, NAME, SPEC, "MODIFIED")
    await looked.wait()
    stopped.stop(kopf.DaemonStoppingReason.OPERATOR_EXITING)
    await handlers.changed(NAMESPACE, NAME, SPEC, "MODIFIED")
    await task


async def test_our_own_write_wakes_nobody(handlers: Handlers) -> None:
    event, meta = handlers.wakeups.add(KEY), {"resourceVersion": "7"}
    stored = {"metadata": meta}
    handlers.echoes.wrote({"kind": "Deployment", "metadata": {}}, stored)
    await handlers.child_changed(NAMESPACE, {"sluice.dev/model-deployment": NAME}, meta=meta)
    handlers.echoes.wrote({"kind": "ModelDeployment", "metadata": {"resourceVersion": "6"}}, stored)
    await handlers.changed(NAMESPACE, NAME, SPEC, "MODIFIED", meta=meta)
    assert not event.is_set()
    assert SPEC["model"]["uri"] in handlers.watch._followers, "it is followed all the same"
    await handlers.changed(NAMESPACE, NAME, SPEC, "MODIFIED", meta={"resourceVersion": "8"})
    assert event.is_set()


@pytest.mark.parametrize(
    ("change", "woken"),
    [
        ({"status": {"observedGeneration": 1}}, False),
        ({"meta": {"generation": 2}}, True),
        ({"labels": {"sluice.dev/model-deployment": NAME, "more": "x"}}, True),
        ({"status": {"replicas": 1}}, True),
        ({"spec": {"replicas": 1}}, True),
        ({"status": {"conditions": [{"type": "ReplicaFailure"}]}}, True),
        ({"type": "DELETED"}, True),
    ],
    ids=["its status", "its spec", "its labels", "a pod is left", "scaled up", "can't make pods", "deleted"],
)
async def test_the_status_of_a_deployment_without_pods_wakes_nobody(
    handlers: Handlers, change: dict[str, Any], woken: bool
) -> None:
    seen: dict[str, Any] = {
        "uid": "u", "namespace": NAMESPACE, "labels": {"sluice.dev/model-deployment": NAME}, "meta": {"generation": 1},
        "spec": {"replicas": 0}, "status": {}, "type": "ADDED",
    }  # fmt: skip
    event = handlers.wakeups.add(KEY)
    await handlers.deployment_changed(**seen)
    assert event.is_set(), "the first sight of it is news"
    event.clear()
    await handlers.deployment_changed(**(seen | {"type": "MODIFIED"} | change))
    assert event.is_set() is woken


@pytest.mark.parametrize(
    ("change", "woken"),
    [
        ({"status": {"currentMetrics": [{}]}}, False),
        ({"spec": {"minReplicas": 1}}, True),
        ({"labels": {"sluice.dev/model-deployment": NAME, "more": "x"}}, True),
        ({"type": "DELETED"}, True),
    ],
    ids=["its status", "its spec", "its labels", "deleted"],
)
async def test_what_an_autoscaler_writes_about_its_work_wakes_nobody(
    handlers: Handlers, change: dict[str, Any], woken: bool
) -> None:
    seen: dict[str, Any] = {
        "uid": "u", "namespace": NAMESPACE, "labels": {"sluice.dev/model-deployment": NAME}, "meta": {},
        "spec": {"minReplicas": 2}, "status": {}, "type": "ADDED",
    }  # fmt: skip
    event = handlers.wakeups.add(KEY)
    await handlers.companion_changed(**seen)
    assert event.is_set(), "the first sight of it is news"
    event.clear()
    await handlers.companion_changed(**(seen | {"type": "MODIFIED"} | change))
    assert event.is_set() is woken
    await handlers.companion_changed(**(seen | {"type": "DELETED"}))
    assert handlers.wanted == {}


@pytest.mark.parametrize(
    ("status", "kept"), [({"message": "x"}, {}), ({"rollout": {"weight": 20}, "message": "x"}, {"rollout": True})]
)
async def test_what_kopf_keeps_of_an_object_is_only_what_is_read_of_it(
    handlers: Handlers, status: dict[str, Any], kept: dict[str, Any]
) -> None:
    body = {"metadata": {"name": NAME, "managedFields": [{}]}, "spec": SPEC, "status": status}
    event: dict[str, Any] = {"type": "MODIFIED", "object": body}
    await handlers.changed(NAMESPACE, NAME, SPEC, "MODIFIED", event=event)
    assert body == {"metadata": {"name": NAME}, "status": kept}


def test_kopf_runs_no_handler_in_a_thread(handlers: Handlers) -> None:
    """An event that is set in another thread wakes the loop only when something else does."""
    registry = kopf.OperatorRegistry()
    register(registry, handlers)
    found = [*registry._watching.get_all_handlers(), *registry._spawning.get_all_handlers()]
    assert len(found) == 9
    assert all(inspect.iscoroutinefunction(handler.fn) for handler in found)
