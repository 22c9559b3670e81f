"""The watch: one question per URI and round, a wake only for a change, and no failure that ends it."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from sluice.core.observation import ResolvedModel, Unresolved
from sluice.registry.watch import RegistryWatch

URI = "models:/penguins@champion"
ONE, TWO = ResolvedModel("penguins", "1", "sha256:1"), ResolvedModel("penguins", "2", "sha256:2")
DOWN = Unresolved("RegistryUnreachable", "down")


class Clock:
    """A sleep that ends when the test says so."""

    def __init__(self) -> None:
        self.asleep = asyncio.Event()
        self._morning = asyncio.Event()
        self.slept: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.asleep.set()
        await self._morning.wait()
        self._morning.clear()

    async def round(self) -> None:
        """Let the watch begin its next round, and wait until it sleeps again."""
        await self.asleep.wait()
        await settle()  # what the last round began can end
        self.asleep.clear()
        self._morning.set()
        await self.asleep.wait()


class Registry:
    """Answers from a table; a URI can be held back until the test releases it."""

    def __init__(self) -> None:
        self.answers: dict[str, ResolvedModel | Unresolved | Exception] = {URI: ONE}
        self.asked: Counter[str] = Counter()
        self.held: dict[str, asyncio.Event] = {}
        self.at_once = self.most = 0

    async def resolve(self, uri: str) -> ResolvedModel | Unresolved:
        self.asked[uri] += 1
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        if uri in self.held:
            await self.held[uri].wait()
        self.at_once -= 1
        answer = self.answers[uri]
        if isinstance(answer, Exception):
            raise answer
        return answer


class Owner:
    """A ModelDeployment's daemon: counts how often it was woken."""

    def __init__(self) -> None:
        self.woken = 0
        self._event = asyncio.Event()

    def wake(self) -> None:
        self.woken += 1
        self._event.set()

    async def wait(self) -> None:
        await self._event.wait()
        self._event.clear()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def registry() -> Registry:
    return Registry()


@pytest.fixture
def watch(registry: Registry, clock: Clock) -> RegistryWatch:
    return RegistryWatch(registry, interval=7, sleep=clock.sleep)


async def settle() -> None:
    """Let every task run until it waits for something outside: 20 turns of the loop are more than any needs here."""
    for _ in range(20):
        await asyncio.sleep(0)


async def until(true: Callable[[], bool]) -> None:
    """Let the tasks run until something is so."""
    for _ in range(10_000):
        if true():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never became so")


@asynccontextmanager
async def running(watch: RegistryWatch) -> AsyncIterator[None]:
    task = asyncio.create_task(watch.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_the_first_answer_is_immediate_and_many_share_one_question(
    watch: RegistryWatch, registry: Registry
) -> None:
    for key in range(10):
        watch.subscribe(key, URI, Owner().wake)
    assert watch.latest(URI) is None
    assert await asyncio.gather(*(watch.get(URI) for _ in range(10))) == [ONE] * 10
    assert await watch.get(URI) == ONE
    assert watch.latest(URI) == ONE
    assert registry.asked[URI] == 1


async def test_a_moved_alias_wakes_those_who_follow_it_and_nobody_else(
    watch: RegistryWatch, registry: Registry, clock: Clock
) -> None:
    followers, other = [Owner(), Owner()], Owner()
    registry.answers["models:/other/1"] = TWO
    for key, owner in enumerate(followers):
        watch.subscribe(key, URI, owner.wake)
    watch.subscribe("other", "models:/other/1", other.wake)
    await watch.get(URI)
    await watch.get("models:/other/1")
    async with running(watch):
        await clock.round()
        await settle()
        assert [owner.woken for owner in followers] == [0, 0]
        registry.answers[URI] = TWO
        await clock.round()
        for owner in followers:
            await owner.wait()
        await clock.round()
        await settle()
    assert [owner.woken for owner in followers] == [1, 1]
    assert other.woken == 0
    assert watch.latest(URI) == TWO
    assert set(clock.slept) == {7}


async def test_who_follows_several_is_woken_by_each_and_leaves_what_he_follows_no_more(
    watch: RegistryWatch, registry: Registry, clock: Clock
) -> None:
    owner, other = Owner(), "models:/other@large"
    registry.answers[other] = TWO
    watch.subscribe("a", URI, owner.wake, further=[other, URI])
    assert [await watch.get(uri) for uri in (URI, other)] == [ONE, TWO]
    async with running(watch):
        await clock.round()
        registry.answers[other] = ONE
        await clock.round()
        await owner.wait()
    watch.subscribe("a", URI, owner.wake)
    assert (watch.latest(URI), watch.latest(other)) == (ONE, None), "nobody keeps the other answer fresh any more"
    watch.unsubscribe("a")
    assert watch.latest(URI) is None


async def test_one_question_per_uri_and_round_whatever_the_number_of_followers(
    watch: RegistryWatch, registry: Registry, clock: Clock
) -> None:
    for key in range(100):
        watch.subscribe(key, URI, Owner().wake)
    async with running(watch):
        await clock.round()
        await clock.round()
        await settle()
    assert registry.asked == {URI: 3}


async def test_a_registry_that_goes_away_and_comes_back_is_told_both_times(
    watch: RegistryWatch, registry: Registry, clock: Clock
) -> None:
    owner = Owner()
    watch.subscribe("a", URI, owner.wake)
    await watch.get(URI)
    async with running(watch):
        for answer in (DOWN, ONE):
            registry.answers[URI] = answer
            await clock.round()
            await owner.wait()
            assert await watch.get(URI) == answer
    assert owner.woken == 2


async def test_a_slow_uri_delays_nobody_else_and_is_not_asked_twice(
    watch: RegistryWatch, registry: Registry, clock: Clock
) -> None:
    owner, slow = Owner(), Owner()
    registry.held["models:/slow/1"] = asyncio.Event()
    registry.answers["models:/slow/1"] = TWO
    watch.subscribe("slow", "models:/slow/1", slow.wake)
    watch.subscribe("a", URI, owner.wake)
    await watch.get(URI)
    async with running(watch):
        await clock.round()
        registry.answers[URI] = TWO
        await clock.round()
        await owner.wait()
        assert (slow.woken, registry.asked["models:/slow/1"]) == (0, 1)
        registry.held["models:/slow/1"].set()
        await slow.wait()
    assert watch.latest("models:/slow/1") == TWO


async def test_no_more_questions_at_once_than_allowed(registry: Registry, clock: Clock) -> None:
    watch = RegistryWatch(registry, concurrency=3, sleep=clock.sleep)
    release = asyncio.Event()
    for number in range(20):
        uri = f"models:/m/{number}"
        registry.held[uri], registry.answers[uri] = release, ONE
        watch.subscribe(number, uri, Owner().wake)
    async with running(watch):
        await clock.asleep.wait()
        await settle()
        assert registry.at_once == 3
        release.set()
        await until(lambda: len(registry.asked) == 20 and registry.at_once == 0)
    assert registry.most == 3


async def test_a_bug_in_one_question_does_not_end_the_watch(
    watch: RegistryWatch, registry: Registry, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    owner = Owner()
    registry.answers["models:/bad/1"] = RuntimeError("a bug")
    watch.subscribe("bad", "models:/bad/1", Owner().wake)
    watch.subscribe("a", URI, owner.wake)
    await watch.get(URI)
    with caplog.at_level(logging.ERROR):
        async with running(watch):
            await clock.round()
            registry.answers[URI] = TWO
            await clock.round()
            await owner.wait()
    assert "polling models:/bad/1 failed" in caplog.text


async def test_who_gives_up_waiting_does_not_spoil_it_for_the_others(watch: RegistryWatch, registry: Registry) -> None:
    registry.held[URI] = asyncio.Event()
    watch.subscribe("a", URI, Owner().wake)
    impatient, patient = asyncio.create_task(watch.get(URI)), asyncio.create_task(watch.get(URI))
    await settle()
    impatient.cancel()
    await settle()
    registry.held[URI].set()
    assert await patient == ONE
    assert impatient.cancelled()
    assert registry.asked[URI] == 1


async def test_who_no_longer_follows_is_not_woken_and_the_uri_not_asked(
    watch: RegistryWatch, registry: Registry, clock: Clock
) -> None:
    gone, moved = Owner(), Owner()
    registry.answers["models:/new/1"] = ONE
    watch.subscribe("gone", URI, gone.wake)
    watch.subscribe("moved", URI, moved.wake)
    await watch.get(URI)
    watch.unsubscribe("gone")
    watch.unsubscribe("gone")
    watch.unsubscribe("never there")
    watch.subscribe("moved", "models:/new/1", moved.wake)
    assert watch.latest(URI) is None, "nobody keeps it fresh any more"
    registry.answers[URI] = TWO
    async with running(watch):
        await clock.round()
        await settle()
    assert gone.woken == 0
    assert registry.asked[URI] == 1
    assert watch.latest("models:/new/1") == ONE


async def test_an_answer_that_comes_after_the_last_follower_left_is_not_kept(
    watch: RegistryWatch, registry: Registry
) -> None:
    registry.held[URI] = asyncio.Event()
    watch.subscribe("a", URI, Owner().wake)
    asking = asyncio.create_task(watch.get(URI))
    await settle()
    watch.unsubscribe("a")
    registry.held[URI].set()
    assert await asking == ONE
    assert watch.latest(URI) is None


async def test_subscribing_again_only_replaces_the_wake(watch: RegistryWatch, registry: Registry, clock: Clock) -> None:
    old, new = Owner(), Owner()
    watch.subscribe("a", URI, old.wake)
    await watch.get(URI)
    watch.subscribe("a", URI, new.wake)
    assert watch.latest(URI) == ONE
    async with running(watch):
        registry.answers[URI] = TWO
        await clock.round()
        await new.wait()
    assert (old.woken, new.woken) == (0, 1)


async def test_many_uris_are_asked_for_in_turns(registry: Registry, clock: Clock) -> None:
    watch = RegistryWatch(registry, at_most=4, sleep=clock.sleep)
    uris = [f"models:/m/{number}" for number in range(10)]
    for uri in uris:
        registry.answers[uri] = ONE
        watch.subscribe(uri, uri, Owner().wake)
    async with running(watch):
        await clock.asleep.wait()
        await settle()
        assert sum(registry.asked.values()) == 4
        for _ in range(2):
            await clock.round()
        await settle()
    assert sum(registry.asked.values()) == 12
    assert set(registry.asked) == set(uris)
