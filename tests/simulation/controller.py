"""The real controller on the simulated cluster: its own daemon, reconciler and decisions; only the edges are ours."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

from sluice.api.ab_test import Primary
from sluice.api.pairs import Pairs
from sluice.controller.apply import Applier
from sluice.controller.clock import SteadyClock
from sluice.controller.daemon import Daemon
from sluice.controller.gates import Gates
from sluice.controller.memory import Memory
from sluice.controller.reconcile import Reconciler
from sluice.controller.records import Records
from sluice.controller.wakeups import Key, Wakeups
from sluice.core.observation import Pod, ResolvedModel, Scrape, Silent, TestResults, Unresolved
from sluice.kube.api import ENDPOINT_SLICES, POLICIES, KubeApi, Manifest, Resource
from sluice.kube.errors import KubeError, NotFoundError, UnavailableError
from sluice.kube.horizon import Horizon

from tests.simulation.gates import SimulatedHooks
from tests.simulation.invariants import Invariants
from tests.simulation.store import Store
from tests.simulation.world import NAME, NAMESPACE, World

T = TypeVar("T")

OVERLOADED = 0.6  # the share of requests that an overloaded API server refuses


class Crash(BaseException):
    """The process is gone; no `except Exception` may see it."""


class Mode(StrEnum):
    """What goes wrong with one write."""

    CRASH_BEFORE = "crash before"
    CRASH_AFTER = "crash after"
    ANSWER_LOST = "answer lost"
    REQUEST_LOST = "request lost"


@dataclass
class Fault:
    """One write, counted from 0, and what goes wrong with it."""

    write: int
    mode: Mode


async def at_once() -> None:
    """Do not wait for a turn."""


@dataclass
class SimulatedApi(KubeApi):
    """The API as one controller sees it: every write is checked, and may fail on purpose."""

    world: World
    invariants: Invariants
    fault: Fault | None = None
    writes: int = 0
    turn: Callable[[], asyncio.Future[None]] | None = None
    hear: Callable[[datetime], None] = lambda _: None
    horizon: Horizon = field(default_factory=Horizon)

    async def get(self, resource: Resource, namespace: str, name: str) -> Manifest | None:
        await self._my_turn()
        found = self._cached(resource).get(resource, namespace, name)
        return self._saw(resource, found) if found else None

    async def list(self, resource: Resource, namespace: str, labels: str) -> list[Manifest]:
        await self._my_turn()
        self._known(resource)
        if resource == ENDPOINT_SLICES:
            return self.world.endpoint_slices(self._cached(resource))
        return [self._saw(resource, found) for found in self._cached(resource).select(resource, namespace, labels)]

    def _known(self, resource: Resource) -> None:
        if resource == POLICIES and not self.world.has_policies:
            raise NotFoundError("the server could not find the requested resource")

    def _cached(self, resource: Resource) -> Store:
        """What a read of these objects is answered from: the cache, unless more is known already."""
        since = self.horizon.of(resource)
        return self.world.store if since is None else self.world.cached(int(since))

    def _saw(self, resource: Resource, found: Manifest) -> Manifest:
        self.horizon.saw(resource.plural, found["metadata"])
        return found

    async def apply(self, resource: Resource, manifest: Manifest) -> Manifest:
        self._known(resource)
        return self._saw(resource, await self._write(lambda: self.world.store.apply(manifest)))

    async def apply_status(self, resource: Resource, manifest: Manifest) -> Manifest:
        return await self._write(lambda: self.world.store.apply_status(manifest))

    async def merge(self, resource: Resource, namespace: str, name: str, patch: Manifest) -> Manifest:
        merged = await self._write(lambda: self.world.store.merge(resource, namespace, name, patch))
        return self._saw(resource, merged)

    async def create(self, resource: Resource, manifest: Manifest) -> None:
        await self._write(lambda: self.world.store.create(manifest))

    async def replace(self, resource: Resource, manifest: Manifest) -> Manifest:
        return await self._write(lambda: self.world.store.replace(manifest))

    async def delete(self, resource: Resource, namespace: str, name: str) -> None:
        await self._write(lambda: self.world.store.delete(resource.kind, namespace, name))

    async def _my_turn(self) -> None:
        if self.turn:
            await self.turn()
        self.hear(self.world.now)
        if self.world.time < self.world.overloaded_until and self.world.rng.random() < OVERLOADED:
            raise UnavailableError("too many requests")

    async def _write(self, commit: Callable[[], T]) -> T:
        await self._my_turn()
        mode = self.fault.mode if self.fault and self.fault.write == self.writes else None
        self.writes += 1
        if mode is Mode.CRASH_BEFORE:
            raise Crash
        if mode is Mode.REQUEST_LOST:
            raise UnavailableError("the request was lost")
        before = self.invariants.before_write(self.world)
        answer = commit()
        self.invariants.after_write(self.world, before)
        if mode is Mode.CRASH_AFTER:
            raise Crash
        if mode is Mode.ANSWER_LOST:
            raise UnavailableError("the answer was lost")
        return answer


@dataclass
class SimulatedWakeups(Wakeups):
    """Waits in simulated time: the world wakes the controller when it is due."""

    world: World | None = None
    due: float = 0.0
    waiting: asyncio.Future[None] | None = None
    waits: list[float] = field(default_factory=list)

    async def wait(self, key: Key, seconds: float, least: float = 0.0) -> None:
        assert self.world
        self.waits.append(seconds)
        self.due = self.world.time + seconds
        self.waiting = asyncio.get_running_loop().create_future()
        await self.waiting


@dataclass
class Stop:
    """The daemon's flag."""

    set: bool = False

    def __bool__(self) -> bool:
        return self.set


@dataclass
class Controller:
    """One running operator process, with the memory it has (from before a fault, if a test says so)."""

    world: World
    invariants: Invariants
    memory: Memory = field(default_factory=Memory)
    fault: Fault | None = None
    turn: Callable[[], asyncio.Future[None]] | None = None
    looks: int = 0
    complete: bool = False
    bug: Exception | None = None

    def __post_init__(self) -> None:
        clock = SteadyClock(lambda: self.world.now, lambda: self.world.time)
        self.api = SimulatedApi(self.world, self.invariants, self.fault, turn=self.turn, hear=clock.hear)
        self.wakeups = SimulatedWakeups(world=self.world)
        self.stop = Stop()
        records = Records(self.api, history=3)
        self.reconciler = Reconciler(
            api=self.api,
            registry=self,
            scrape=self._scrape,
            compare=self._compare,
            test=self._test,
            applier=Applier(
                self.api,
                "http://mlflow",
                records,
                self._set_alias,
                Gates(self.api, "http://mlflow", SimulatedHooks(self.world)),
            ),
            server_image="server:1",
            clock=clock,
            records=records,
        )
        daemon = Daemon(self._look, self.api, self.wakeups)
        self.task = asyncio.get_running_loop().create_task(daemon.run(NAMESPACE, NAME, self.stop))

    @property
    def running(self) -> bool:
        return not self.task.done()

    @property
    def killed(self) -> bool:
        return self.task.cancelled()

    @property
    def crashed(self) -> bool:
        return self.killed or (self.task.done() and isinstance(self.task.exception(), Crash))

    @property
    def idle(self) -> bool:
        """Whether it waits for time to pass, or has ended."""
        return not self.running or bool(self.wakeups.waiting and not self.wakeups.waiting.done())

    @property
    def due(self) -> bool:
        return self.running and self.idle and self.world.time >= self.wakeups.due

    def wake(self) -> None:
        if self.wakeups.waiting and not self.wakeups.waiting.done():
            self.wakeups.waiting.set_result(None)

    async def settle(self) -> None:
        """Let it work until it waits."""
        while not self.idle:  # noqa: ASYNC110 - every turn of the event loop brings it on
            await asyncio.sleep(0)

    def raise_bugs(self) -> None:
        """Fail with whatever ended the daemon, unless it was a crash on purpose."""
        if self.killed:
            return
        error = self.bug or (self.task.exception() if self.task.done() else None)
        if error and not isinstance(error, Crash):
            raise error

    async def get(self, uri: str) -> ResolvedModel | Unresolved:
        return self.world.resolve(uri)

    async def _set_alias(self, model: str, alias: str, version: str) -> Unresolved | None:
        return self.world.set_alias(alias, version)

    async def _scrape(self, wanted: Iterable[Pod]) -> Scrape:
        return self.world.scrape(list(wanted))

    async def _compare(self, comparison: str) -> Pairs | Silent:
        return self.world.compare(comparison)

    async def _test(self, test: str, primary: Primary) -> TestResults | Silent:
        return self.world.results(test, primary.window.total_seconds())

    async def _look(self, namespace: str, name: str, memory: Memory) -> float | None:
        self.looks += 1
        self.complete = False
        try:
            wait = await self.reconciler(namespace, name, self.memory)
            self.complete = wait is not None
            return wait
        except KubeError:
            raise
        except Exception as error:
            self.bug = error
            raise
