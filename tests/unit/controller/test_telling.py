"""Events are told once, and nothing waits for them."""

from __future__ import annotations

from sluice.controller.memory import Memory
from sluice.kube.errors import RefusedError, UnavailableError

from tests.simulation.world import NAME, NAMESPACE
from tests.unit.controller.bench import Bench


async def test_events_that_could_not_be_told_are_told_later_once(bench: Bench) -> None:
    bench.world.push("2")
    bench.api.failing["Event"] = UnavailableError("overloaded")
    await bench.look()
    assert bench.world.status["rollout"]
    assert bench.told("RolloutStarted") == 0
    bench.api.failing.clear()
    assert bench.notices == []
    await bench.look()
    await bench.look()
    assert bench.told("RolloutStarted") == 1
    assert bench.notices == [(NAMESPACE, NAME, "RolloutStarted")]


async def test_who_begins_notifies_nobody_again_of_what_was_told(bench: Bench) -> None:
    bench.world.push("2")
    await bench.look()
    told = list(bench.notices)
    bench.memory = Memory()
    await bench.look()
    assert bench.notices == told


async def test_events_that_nobody_wants_are_dropped(bench: Bench) -> None:
    bench.world.push("2")
    bench.api.failing["Event"] = RefusedError("forbidden")
    await bench.look()
    assert bench.memory.untold == []
