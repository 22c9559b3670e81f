"""The leader's work: over as soon as one part of it is, and never deaf to SIGTERM."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterable
from dataclasses import dataclass, field

import kopf
import pytest
from sluice.controller.daemon import Daemon
from sluice.controller.handlers import Handlers
from sluice.controller.memory import Memory
from sluice.controller.wakeups import Wakeups
from sluice.controller.work import Work
from sluice.core.observation import Unresolved
from sluice.registry.watch import RegistryWatch

from tests.simulation.controller import SimulatedApi
from tests.simulation.invariants import Invariants
from tests.simulation.world import World


class Silent:
    async def resolve(self, uri: str) -> Unresolved:
        return Unresolved("RegistryUnreachable", "down")


async def look(namespace: str, name: str, memory: Memory) -> float:
    return 1.0


def handlers(watch: RegistryWatch) -> Handlers:
    wakeups = Wakeups()
    return Handlers(Daemon(look, SimulatedApi(World(), Invariants()), wakeups), watch, wakeups)


@dataclass
class Kopf:
    """What of kopf matters here: it takes the signals, and runs until something breaks it."""

    breaks: asyncio.Event = field(default_factory=asyncio.Event)
    signalled: bool = False
    root_ends: asyncio.Event = field(default_factory=asyncio.Event)
    ignored: frozenset[asyncio.Task[None]] = frozenset()

    async def spawn_tasks(self, **_: object) -> list[asyncio.Task[object]]:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.take)
        return [asyncio.create_task(self.root_ends.wait(), name="a watcher of kopf's")]

    async def run_tasks(self, roots: object, ignored: Iterable[asyncio.Task[None]]) -> None:
        self.ignored = frozenset(ignored)
        await self.breaks.wait()
        raise ZeroDivisionError

    def take(self) -> None:
        self.signalled = True


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Kopf:
    fake = Kopf()
    monkeypatch.setattr(kopf, "spawn_tasks", fake.spawn_tasks)
    monkeypatch.setattr(kopf, "run_tasks", fake.run_tasks)
    return fake


async def test_when_kopf_ends_the_work_is_over_and_says_why(fake: Kopf, caplog: pytest.LogCaptureFixture) -> None:
    work = Work()
    await work.start(handlers(RegistryWatch(Silent())), lambda: None)
    assert work.problem is None
    fake.breaks.set()
    await work.ended()
    assert work.problem == "kopf has ended"
    assert "ZeroDivisionError" in caplog.text


async def test_when_a_part_of_kopf_ends_nobody_waits_until_kopf_has_stopped_its_daemons(fake: Kopf) -> None:
    work = Work()
    await work.start(handlers(RegistryWatch(Silent())), lambda: None)
    fake.root_ends.set()
    await work.ended()
    assert work.problem == "a watcher of kopf's has ended"


async def test_when_the_poller_ends_the_work_is_over(fake: Kopf) -> None:
    class Broken(RegistryWatch):
        async def run(self) -> None:
            raise ZeroDivisionError

    work = Work()
    await work.start(handlers(Broken(Silent())), lambda: None)
    await work.ended()
    assert work.problem == "the registry's poller has ended"


async def test_sigterm_is_ours_also_after_kopf_has_started(fake: Kopf) -> None:
    told, loop = asyncio.Event(), asyncio.get_running_loop()
    await Work().start(handlers(RegistryWatch(Silent())), lambda: loop.add_signal_handler(signal.SIGTERM, told.set))
    signal.raise_signal(signal.SIGTERM)
    await told.wait()
    assert not fake.signalled
    loop.remove_signal_handler(signal.SIGTERM)


async def test_kopf_leaves_the_tasks_of_others_alone(fake: Kopf) -> None:
    await Work().start(handlers(RegistryWatch(Silent())), lambda: None)
    await asyncio.sleep(0)
    assert asyncio.current_task() in fake.ignored
    assert "the registry's poller" in {task.get_name() for task in fake.ignored}
