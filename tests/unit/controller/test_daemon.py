"""The daemon looks on, whatever a look ends with."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from pydantic import ValidationError
from sluice.api.spec import parse_spec
from sluice.controller.daemon import (
    BACKOFF_SECONDS,
    CONFLICT_SECONDS,
    FIRST_LOOKS,
    FIRST_URGENT_LOOKS,
    INVALID_SECONDS,
    Daemon,
)
from sluice.controller.memory import Memory
from sluice.controller.wakeups import Key, Wakeups
from sluice.kube.errors import ConflictError, KubeError, NotFoundError, RefusedError, UnavailableError

from tests.simulation.controller import SimulatedApi, Stop
from tests.simulation.invariants import Invariants
from tests.simulation.simulation import installed
from tests.simulation.world import NAME, NAMESPACE, World


@dataclass
class Waits(Wakeups):
    """Notes how long the daemon waits, and stops it when the script is at its end."""

    stop: Stop = field(default_factory=Stop)
    noted: list[float] = field(default_factory=list)
    most: int = 0

    async def wait(self, key: Key, seconds: float, least: float = 0.0) -> None:
        self.noted.append(max(seconds, least))
        self.stop.set = len(self.noted) >= self.most


@dataclass
class Script:
    """A look that ends as it is told, one after the other."""

    ends: list[float | Exception | None]
    memories: list[Memory] = field(default_factory=list)

    async def __call__(self, namespace: str, name: str, memory: Memory) -> float | None:
        self.memories.append(memory)
        end = self.ends.pop(0)
        if isinstance(end, Exception):
            raise end
        return end


def invalid() -> ValidationError:
    try:
        parse_spec({})
    except ValidationError as error:
        return error
    raise AssertionError("an empty spec is valid")


async def waits(*ends: float | Exception | None, world: World | None = None) -> list[float]:
    wakeups = Waits(most=len(ends))
    api = SimulatedApi(world or World(), Invariants())
    await Daemon(Script(list(ends)), api, wakeups).run(NAMESPACE, NAME, wakeups.stop)
    return wakeups.noted


async def test_it_waits_as_long_as_the_look_says() -> None:
    assert await waits(1.0, 300.0, 0.0) == [1.0, 300.0, 0.0]


@pytest.mark.parametrize(
    ("error", "wait", "level"),
    [
        (ConflictError, CONFLICT_SECONDS, None),
        (UnavailableError, BACKOFF_SECONDS[0], logging.WARNING),
        (RefusedError, BACKOFF_SECONDS[0], logging.WARNING),
        (NotFoundError, BACKOFF_SECONDS[0], logging.WARNING),
        (KubeError, BACKOFF_SECONDS[0], logging.WARNING),
        (ZeroDivisionError, BACKOFF_SECONDS[0], logging.ERROR),
        (lambda _: invalid(), INVALID_SECONDS, logging.ERROR),
    ],
    ids=["conflict", "unavailable", "refused", "not there yet", "other", "bug", "invalid"],
)
async def test_an_error_is_told_and_tried_again(
    caplog: pytest.LogCaptureFixture, error: Callable[[str], Exception], wait: float, level: int | None
) -> None:
    assert await waits(error("no"), 7.0) == [wait, 7.0]
    assert [record.levelno for record in caplog.records] == ([level] if level else [])


async def test_errors_in_a_row_are_tried_ever_more_slowly_until_one_look_succeeds() -> None:
    errors = [UnavailableError("no") for _ in range(8)]
    assert await waits(*errors, 1.0, UnavailableError("no")) == [*BACKOFF_SECONDS, 10.0, 10.0, 1.0, BACKOFF_SECONDS[0]]


async def test_the_memory_is_one_for_all_looks() -> None:
    script, wakeups = Script([1.0, UnavailableError("no"), 1.0]), Waits(most=3)
    await Daemon(script, SimulatedApi(World(), Invariants()), wakeups).run(NAMESPACE, NAME, wakeups.stop)
    assert len({id(memory) for memory in script.memories}) == 1


@pytest.fixture
def world() -> World:
    return installed()[0]


async def test_a_deletion_takes_the_route_away_and_ends_it(world: World) -> None:
    assert await waits(1.0, None, world=world) == [1.0]
    assert world.store.of_kind("HTTPRoute") == []
    assert world.store.of_kind("Deployment"), "the pods go later, with their owner"


async def test_who_is_stopped_does_not_look() -> None:
    wakeups = Waits(stop=Stop(set=True))
    script = Script([])
    await Daemon(script, SimulatedApi(World(), Invariants()), wakeups).run(NAMESPACE, NAME, wakeups.stop)
    assert script.memories == []


def told_to_wait(seconds: float) -> UnavailableError:
    error = UnavailableError("too many requests")
    error.retry_after = seconds
    return error


async def test_an_overloaded_api_server_is_left_alone_as_long_as_it_asks_for_but_not_for_ever() -> None:
    assert await waits(told_to_wait(3), told_to_wait(0), told_to_wait(86400)) == [3, BACKOFF_SECONDS[1], 30]


async def test_first_looks_wait_for_their_turn_and_rollouts_only_for_each_other() -> None:
    release, at_work = asyncio.Event(), set()

    async def look(namespace: str, name: str, memory: Memory) -> float:
        at_work.add(name)
        await release.wait()
        return 100_000.0

    daemon = Daemon(look, SimulatedApi(World(), Invariants()), Wakeups())
    names = [f"m-{number}" for number in range(FIRST_LOOKS + 5)]
    tasks = [asyncio.create_task(daemon.run(NAMESPACE, name, Stop(), urgent=False)) for name in names]
    rollouts = [f"r-{number}" for number in range(FIRST_URGENT_LOOKS + 5)]
    tasks.extend(asyncio.create_task(daemon.run(NAMESPACE, name, Stop(), urgent=True)) for name in rollouts)
    for _ in range(10):
        await asyncio.sleep(0)
    assert at_work == {*names[:FIRST_LOOKS], *rollouts[:FIRST_URGENT_LOOKS]}
    release.set()
    for _ in range(20):
        await asyncio.sleep(0)
    assert at_work == {*names, *rollouts}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
