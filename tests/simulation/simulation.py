"""Runs a story: the world and its controllers, tick by tick, with forks at every look that writes."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sluice.controller.memory import Memory

from tests.simulation.controller import Controller, Fault
from tests.simulation.invariants import Invariants, replicas, weights
from tests.simulation.world import World

TICK = 0.5
DOWNTIME = 2.0
PATIENCE = 240.0
MOST_LOOKS = 12
# How many there are depends on when something happened; of Jobs those that have ended.
UNTOLD = ("Event", "Pod", "RolloutRecord", "Job")


@dataclass(frozen=True)
class Chapter:
    """Something a person does, and what must come of it."""

    act: Callable[[World], None]
    until: Callable[[World], bool]
    title: str = ""


Story = tuple[Chapter, ...]


@dataclass
class Fork:
    """The moment before a look that writes: everything needed to live through it again."""

    frozen: bytes
    time: float
    chapter: int
    acted: bool
    writes: int = 0


@dataclass
class Simulation:
    """One run of a story."""

    story: Story
    world: World = field(default_factory=World)
    invariants: Invariants = field(default_factory=Invariants)
    memory: Memory = field(default_factory=Memory)
    fault: Fault | None = None
    chapter: int = 0
    acted: bool = False
    fork_from: int = 1000  # the chapter from which on every look that writes is kept
    forks: list[Fork] = field(default_factory=list)
    down_until: float = 0.0
    seen: int = -1
    rival: Controller | None = None  # another operator that does not know that it leads no more

    @classmethod
    def resume(cls, story: Story, fork: Fork, fault: Fault) -> Simulation:
        world, invariants, memory = pickle.loads(fork.frozen)
        return cls(story, world, invariants, memory, fault, fork.chapter, fork.acted)

    async def run(self) -> dict[str, Any]:
        """Live through the rest of the story; return how things stand in the end."""
        await self.begin()
        while self.chapter < len(self.story):
            await self.live(self.story[self.chapter])
            self.chapter += 1
        await self._rest()
        self.controller.task.cancel()
        return end_of(self.world)

    async def begin(self) -> None:
        """Start the controller."""
        self.controller = self._start(self.memory, self.fault)
        await self._look()

    async def live(self, chapter: Chapter) -> None:
        """Do what the chapter says, and wait for what must come of it."""
        if not self.acted:
            chapter.act(self.world)
            self.acted = self.world.poked = True
        patience = self.world.time + PATIENCE
        while not chapter.until(self.world):
            assert self.world.time < patience, f"{chapter.title} never came; {self.world.status.get('message')}"
            await self.tick()
        self.acted = False

    async def _rest(self) -> None:
        """Wait until nothing changes any more."""
        quiet = 0
        while quiet < 25:
            before = self.world.store.version
            await self.tick()
            quiet = 0 if self.world.store.version != before else quiet + 1

    async def tick(self) -> None:
        self.world.step(TICK)
        self.invariants.after_step(self.world)
        if self.controller.task.cancelling():
            await asyncio.wait({self.controller.task})
        if not self.controller.running:
            if self.world.time < self.down_until or self.world.md is None:
                return
            self.controller = self._start(Memory(), None)
            await self._look()
        elif self.controller.due or self.world.store.version != self.seen or self.world.poked:
            self.world.poked = False
            await self._look()

    def kill(self, downtime: float) -> None:
        """End the operator between two writes, without a word; another one begins after a while."""
        if self.controller.running:
            self.controller.task.cancel()
            self.down_until = self.world.time + downtime

    async def overlap(self) -> None:
        """Let another operator look too, with what it remembers from its last look."""
        if self.rival is None or not self.rival.running:
            self.rival = self._start(Memory(), None)
        self.rival.wake()
        await self.rival.settle()
        self.rival.raise_bugs()

    def _start(self, memory: Memory, fault: Fault | None) -> Controller:
        return Controller(self.world, self.invariants, memory, fault)

    async def _look(self) -> None:
        """Let the controller look, again and again while it asks for it at once."""
        for _ in range(MOST_LOOKS):
            fork = self._fork() if self.chapter >= self.fork_from else None
            writes = self.controller.api.writes
            self.controller.wake()
            await self.controller.settle()
            self.controller.raise_bugs()
            self.seen = self.world.store.version
            if fork and self.controller.api.writes > writes:
                fork.writes = self.controller.api.writes - writes
                self.forks.append(fork)
            self.invariants.after_look(self.world, self.controller.memory.status, complete=self.controller.complete)
            if not self.controller.running:
                if not self.controller.crashed:
                    self.world.release()
                self.down_until = self.world.time + DOWNTIME
                return
            if not self.controller.due:
                return
        raise AssertionError(f"{MOST_LOOKS} looks without any time passing: {self.world.status.get('message')}")

    def _fork(self) -> Fork:
        frozen = pickle.dumps((self.world, self.invariants, self.controller.memory))
        return Fork(frozen, self.world.time, self.chapter, self.acted)


def installed() -> tuple[World, Invariants]:
    """Version 1 serves: where most stories begin."""
    world, invariants = pickle.loads(_installed())
    return world, invariants


@cache
def _installed() -> bytes:
    from tests.simulation.stories import INSTALLED

    start = Simulation(INSTALLED)
    asyncio.run(start.run())
    return pickle.dumps((start.world, start.invariants))


def end_of(world: World) -> dict[str, Any]:
    """How things stand, without what depends on the moment something happened."""
    status = world.status
    return {
        "stable": status.get("model"),
        "candidate": status.get("candidate"),
        "rejected": [(one["revision"]["modelVersion"], one["reason"]) for one in status.get("rejected", ())],
        "records": [
            (one["spec"]["candidate"]["modelVersion"], one["status"]["outcome"])
            for one in sorted(world.store.of_kind("RolloutRecord"), key=lambda it: it["spec"]["startedAt"])
        ],
        "retired": [entry["revision"]["modelVersion"] for entry in status.get("retired", ())],
        "route": weights(world),
        "live": world.live,
        "replicas": replicas(world),
        "ready": {name: world.ready(name) for name in replicas(world)},
        "conditions": {c["type"]: (c["status"], c["reason"]) for c in status.get("conditions", ())},
        "annotations": (world.md or {}).get("metadata", {}).get("annotations"),
        "kinds": sorted(key[0] for key in world.store.objects if key[0] not in UNTOLD),
        "asked": [job["metadata"]["name"] for job in world.store.of_kind("Job") if not job.get("status")],
        "pods": sorted(life.revision for life in world.lives.values() if life.serving),
    }
