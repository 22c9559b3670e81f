"""Who is woken looks again, soon, but not more often than it can breathe."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from sluice.controller import wakeups as module
from sluice.controller.wakeups import Wakeups

KEY = ("models", "penguins")
LONG = 1000.0


@pytest.fixture(autouse=True)
def breath(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BREATH_SECONDS", 0.0)


async def ends(wakeups: Wakeups, call: Callable[[], None] | None = None) -> bool:
    """Tell whether waiting for a very long time ends, after a call."""
    task = asyncio.create_task(wakeups.wait(KEY, LONG))
    for _ in range(5):
        await asyncio.sleep(0)
    if call:
        call()
    for _ in range(5):
        await asyncio.sleep(0)
    done = task.done()
    task.cancel()
    return done


async def test_a_call_ends_the_wait() -> None:
    wakeups = Wakeups()
    assert await ends(wakeups, lambda: wakeups.wake(KEY))


async def test_without_a_call_it_goes_on() -> None:
    assert not await ends(Wakeups())


async def test_a_call_for_another_does_not() -> None:
    wakeups = Wakeups()
    wakeups.add(("models", "whales"))
    assert not await ends(wakeups, lambda: wakeups.wake(("models", "whales")))


async def test_a_call_during_a_look_means_another_look() -> None:
    wakeups = Wakeups()
    wakeups.add(KEY)
    wakeups.wake(KEY)
    wakeups.wake(KEY)
    assert await ends(wakeups)
    assert not await ends(wakeups), "many calls are one"


async def test_a_call_for_nobody_is_nothing() -> None:
    wakeups = Wakeups()
    wakeups.wake(KEY)
    wakeups.remove(KEY)
    assert not await ends(wakeups)


async def test_the_time_is_up_without_a_call() -> None:
    await Wakeups().wait(KEY, 0)


async def test_a_flood_of_calls_waits_for_a_breath(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BREATH_SECONDS", LONG)
    wakeups = Wakeups()
    assert not await ends(wakeups, lambda: wakeups.wake(KEY))
