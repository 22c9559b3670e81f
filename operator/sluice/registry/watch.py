"""One poller per registry for all ModelDeployments: a moved alias wakes exactly those that follow it."""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Awaitable, Callable, Hashable, Iterable
from typing import Protocol

from sluice.core.observation import ResolvedModel, Unresolved

Answer = ResolvedModel | Unresolved
Wake = Callable[[], None]

log = logging.getLogger(__name__)

AT_MOST = 100


class Registry(Protocol):
    """What can be watched."""

    async def resolve(self, uri: str) -> Answer:
        """Find the version that a URI names now; expected failures are answers."""


class RegistryWatch:
    """Asks for each distinct URI every `interval` seconds, whatever the number of its followers.

    With more than `at_most` URIs only so many are asked for in each interval, the longest unasked first: a thousand
    models are no load on the registry, and are asked for less often.

    Always the newest answer counts, also when it is an Unresolved: the decisions keep what runs and say why.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        interval: float = 5.0,
        concurrency: int = 8,
        at_most: int = AT_MOST,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        self._registry = registry
        self._interval = interval
        self._turn = asyncio.Semaphore(concurrency)
        self._at_most = at_most
        self._rounds = 0
        self._asked: dict[str, int] = {}  # by URI: the round in which it was last asked for
        self._sleep = sleep
        self._followed: dict[Hashable, tuple[str, ...]] = {}
        self._followers: dict[str, dict[Hashable, Wake]] = {}
        self._answers: dict[str, Answer] = {}
        self._asking: dict[str, asyncio.Task[Answer]] = {}
        self._polling: set[str] = set()

    def subscribe(self, key: Hashable, uri: str, wake: Wake, further: Iterable[str] = ()) -> None:
        """Follow a URI, or several; replaces what this key followed before. `wake` must only set a flag."""
        uris = (uri, *further)
        self._leave(key, *(one for one in self._followed.get(key, ()) if one not in uris))
        self._followed[key] = uris
        for one in uris:
            self._followers.setdefault(one, {})[key] = wake

    def unsubscribe(self, key: Hashable) -> None:
        """Follow nothing any longer; a key that is not known is no error."""
        self._leave(key, *self._followed.pop(key, ()))

    def _leave(self, key: Hashable, *uris: str) -> None:
        for uri in dict.fromkeys(uris):
            del self._followers[uri][key]
            if not self._followers[uri]:  # nobody keeps the answer fresh any more
                del self._followers[uri]
                self._answers.pop(uri, None)
                self._asked.pop(uri, None)

    def latest(self, uri: str) -> Answer | None:
        """Return the newest answer without asking; None before the first."""
        return self._answers.get(uri)

    async def get(self, uri: str) -> Answer:
        """Return the newest answer; the first time, ask now. Many that ask at once share one question."""
        return self._answers.get(uri) or await self._ask(uri)

    async def run(self) -> None:
        """Poll until cancelled. A slow URI delays nobody but itself."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._rounds += 1
                for uri in self._due():
                    self._polling.add(uri)
                    self._asked[uri] = self._rounds
                    group.create_task(self._poll(uri))
                await self._sleep(self._interval)

    def _due(self) -> list[str]:
        waiting = self._followers.keys() - self._polling
        return heapq.nsmallest(self._at_most, waiting, key=lambda uri: self._asked.get(uri, 0))

    async def _poll(self, uri: str) -> None:
        try:
            async with self._turn:
                before = self._answers.get(uri)
                if await self._ask(uri) != before:
                    self._wake(uri)
        except Exception:  # one bad URI, or a bug, must not end the watch of all others
            log.exception("polling %s failed", uri)
        finally:
            self._polling.discard(uri)

    async def _ask(self, uri: str) -> Answer:
        task = self._asking.get(uri)
        if task is None:
            task = self._asking[uri] = asyncio.create_task(self._resolve(uri))
            task.add_done_callback(lambda _: self._asking.pop(uri, None))
        return await asyncio.shield(task)  # who gives up waiting does not spoil it for the others

    async def _resolve(self, uri: str) -> Answer:
        answer = await self._registry.resolve(uri)
        if uri in self._followers:
            self._answers[uri] = answer
        return answer

    def _wake(self, uri: str) -> None:
        for wake in tuple(self._followers.get(uri, {}).values()):
            wake()
