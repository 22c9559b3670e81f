"""The thin layer to kopf: handlers only wake, and the daemon ends when it is told to."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import kopf
import pytest
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
    await task
    assert len(world.store.of_kind("HTTPRoute")) == routes


async def test_a_change_follows_the_new_uri_and_wakes(handlers: Handlers) -> None:
    event = handlers.wakeups.add(KEY)
    handlers.changed(NAMESPACE, NAME, SPEC, "MODIFIED")
    assert event.is_set()
    assert SPEC["model"]["uri"] in handlers.watch._followers


async def test_an_object_that_is_gone_is_not_followed(handlers: Handlers) -> None:
    """The last events come when the daemon has ended, and must not follow the URI for ever."""
    handlers.changed(NAMESPACE, NAME, SPEC, "MODIFIED")
    handlers.changed(NAMESPACE, NAME, SPEC, "DELETED")
    assert handlers.watch._followers == {}


@pytest.mark.parametrize(
    ("labels", "woken"),
    [({"sluice.dev/model-deployment": NAME}, True), ({"sluice.dev/model-deployment": "whales"}, False), ({}, False)],
    ids=["own", "another's", "nobody's"],
)
async def test_a_child_wakes_its_owner(handlers: Handlers, labels: dict[str, str], woken: bool) -> None:
    event = handlers.wakeups.add(KEY)
    handlers.child_changed(NAMESPACE, labels)
    assert event.is_set() is woken


def test_everything_is_registered_explicitly(handlers: Handlers) -> None:
    registry, settings = kopf.OperatorRegistry(), kopf.OperatorSettings()
    register(registry, handlers)
    configure(settings)
    assert settings.persistence.finalizer == FINALIZER
    assert not settings.posting.enabled
