"""Candidates over one API server in memory, in simulated time: requests are lost, late or doubled, processes freeze."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Coroutine, Generator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from sluice.kube.api import Manifest, Resource
from sluice.kube.errors import KubeError, UnavailableError
from sluice.kube.lease import Election, Elector

from tests.simulation.store import Store, copy

NAMESPACE, NAME = "sluice-system", "sluice"
RESTART_SECONDS = 1.0


class Fate(StrEnum):
    """What becomes of a request."""

    ANSWERED = "answered"
    REFUSED = "refused"
    LOST = "lost"
    ANSWER_LOST = "answer lost"
    LATE = "done after its sender gave up"
    CRASH_BEFORE = "sender dies before"
    CRASH_AFTER = "sender dies after"


@dataclass(frozen=True)
class Turn:
    """What happens to one request: how it ends, after how much of its time, and how long its sender then freezes."""

    fate: Fate = Fate.ANSWERED
    slow: float = 0.01
    freeze: float = 0.0


@dataclass
class Ask:
    """What a candidate waits for: an answer, or time."""

    commit: Callable[[], Any] | None = None
    seconds: float = 0.0

    def __await__(self) -> Generator[Ask, Any, Any]:
        return (yield self)


@dataclass
class AskingApi:
    """Every request is a question to the simulation."""

    store: Store

    async def get(self, resource: Resource, namespace: str, name: str) -> Manifest | None:
        found: Manifest | None = await Ask(lambda: copy(self.store.get(resource, namespace, name)))
        return found

    async def create(self, resource: Resource, manifest: Manifest) -> None:
        await Ask(lambda: self.store.create(copy(manifest)))

    async def replace(self, resource: Resource, manifest: Manifest) -> Manifest:
        stored: Manifest = await Ask(lambda: copy(self.store.replace(copy(manifest))))
        return stored


@dataclass
class Process:
    """One candidate with clocks of its own: wrong, and a little too fast or too slow."""

    identity: str
    offset: float
    rate: float
    election: Election = field(init=False)
    coroutine: Coroutine[Ask, Any, bool] = field(init=False)

    def clock(self, time: float) -> float:
        return self.offset + time * self.rate

    def leads(self, time: float) -> bool:
        return self.election.leads(self.clock(time))


@dataclass
class Contest:
    """Runs processes, each replaced when it ends, until a time."""

    clocks: tuple[tuple[float, float], ...]
    turns: Iterator[Turn]
    store: Store = field(default_factory=Store)
    time: float = 0.0
    processes: dict[int, Process] = field(default_factory=dict)
    leaders: list[str] = field(default_factory=list)
    _due: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        for seat in range(len(self.clocks)):
            self._start(seat)

    def run(self, until: float) -> None:
        """Let things happen, one after the other; after each at most one process may believe that it leads."""
        while self._due and self._due[0][0] <= until:
            self.time, _, act = heapq.heappop(self._due)
            act()
            leading = [process.identity for process in self.processes.values() if process.leads(self.time)]
            assert len(leading) <= 1, f"at {self.time:.2f} s lead {leading}"
        self.time = until

    def _start(self, seat: int) -> None:
        offset, rate = self.clocks[seat]
        process = Process(f"{seat}-{next(self._numbers)}", offset, rate)
        process.election = Election(process.identity)
        wall = datetime(2026, 11, 24, tzinfo=UTC)
        elector = Elector(
            AskingApi(self.store), process.election, NAMESPACE, NAME,
            clock=lambda: process.clock(self.time),
            wall=lambda: wall + timedelta(seconds=round(self.time) + 3600 * (seat - 1)),
            sleep=lambda seconds: Ask(seconds=seconds / rate),
        )  # fmt: skip
        process.coroutine = elector.run(lambda: self.leaders.append(process.identity), lambda: False)
        self.processes[seat] = process
        self._in(0, lambda: self._resume(seat, process, None))

    def _end(self, seat: int, process: Process) -> None:
        if self.processes.get(seat) is process:
            del self.processes[seat]
            process.coroutine.close()
            self._in(RESTART_SECONDS, lambda: self._start(seat))

    def _resume(self, seat: int, process: Process, outcome: Any) -> None:
        if self.processes.get(seat) is not process:
            return
        try:
            if isinstance(outcome, KubeError):
                ask = process.coroutine.throw(outcome)
            else:
                ask = process.coroutine.send(outcome)
        except StopIteration:
            self._end(seat, process)
            return
        turn = next(self.turns, Turn())
        if ask.commit is None:
            self._in(ask.seconds + turn.freeze, lambda: self._resume(seat, process, None))
        else:
            self._request(seat, process, ask.commit, turn)

    def _request(self, seat: int, process: Process, commit: Callable[[], Any], turn: Turn) -> None:
        limit = process.election.timing.request / process.rate
        fate, slow = turn.fate, turn.slow * limit
        refused, timeout = UnavailableError("refused"), UnavailableError("timeout")

        def resume(outcome: Any, after: float) -> None:
            self._in(after + turn.freeze, lambda: self._resume(seat, process, outcome))

        def done(answered: bool) -> None:
            outcome = attempt(commit)
            if answered:
                resume(outcome, limit - slow if slow > limit / 2 else 0.0)

        if fate is Fate.ANSWERED:
            self._in(slow / 2, lambda: done(True))
        elif fate is Fate.REFUSED:
            resume(refused, slow)
        elif fate is Fate.CRASH_BEFORE:
            self._in(slow, lambda: self._end(seat, process))
        elif fate is Fate.CRASH_AFTER:
            self._in(slow, lambda: done(False))
            self._in(slow, lambda: self._end(seat, process))
        else:
            resume(timeout, limit)
            if fate is Fate.ANSWER_LOST:
                self._in(slow, lambda: done(False))
            elif fate is Fate.LATE:
                self._in(limit * (1 + 3 * turn.slow), lambda: done(False))

    def _in(self, seconds: float, act: Callable[[], None]) -> None:
        heapq.heappush(self._due, (self.time + seconds, next(self._numbers), act))


def attempt(commit: Callable[[], Any]) -> Any:
    """Return what the API server answers, be it an error."""
    try:
        return commit()
    except KubeError as error:
        return error
