"""Runs the elector in a thread with an event loop of its own: an operator that is busy renews in time, too."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sluice.kube.client import Kube, connect
from sluice.kube.lease import Election, Elector

log = logging.getLogger(__name__)


def boot_clock() -> float:
    """Return seconds that no one sets and that go on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def die() -> None:
    """End this process now: whatever it would still do, another may be doing already."""
    os._exit(1)


@dataclass
class Leadership:
    """Whether this process leads. It ends at once when it no longer may, or when the elector fails.

    A connection of its own, too: requests of the controller never stand in its way.
    """

    election: Election
    namespace: str
    name: str
    clock: Callable[[], float] = boot_clock
    die: Callable[[], None] = die
    began: asyncio.Event = field(default_factory=asyncio.Event)
    _stop: asyncio.Event = field(default_factory=asyncio.Event)
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    def start(self) -> None:
        """Begin to look for the Lease; `began` is set once this process leads."""
        self._operator = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._live, name="lease", daemon=True)
        self._thread.start()

    def leads(self) -> bool:
        """Say whether this process may write now; any thread may ask."""
        return self.election.leads(self.clock())

    @property
    def problem(self) -> str | None:
        """What keeps this operator from being of use, as leader or as the next one."""
        return None if self.election.heard else "the Lease could not be read yet"

    async def release(self, patience: float) -> None:
        """Hand over; returns when it is done, or after some seconds."""
        with suppress(RuntimeError):  # it has ended before
            self._loop.call_soon_threadsafe(self._stop.set)
        await asyncio.to_thread(self._thread.join, patience)

    def _live(self) -> None:
        try:
            with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
                runner.run(self._elect())
        except Exception:
            log.exception("the election has a bug; this operator ends")
            self.die()

    async def _elect(self) -> None:
        client = await connect()
        try:
            kube = Kube(client, timeout=self.election.timing.request)
            elector = Elector(
                kube, self.election, self.namespace, self.name, self.clock, lambda: datetime.now(UTC), self._sleep
            )
            if not await elector.run(self._begin, self._stop.is_set):
                log.error("the lease could not be renewed in time: another operator may lead now, so this one ends")
                self.die()
        finally:
            await client.close()

    def _begin(self) -> None:
        log.info("this operator leads now, as %s", self.election.identity)
        self._operator.call_soon_threadsafe(self.began.set)

    async def _sleep(self, seconds: float) -> None:
        """Wait, or return early to release."""
        try:
            async with asyncio.timeout(seconds):
                await self._stop.wait()
        except TimeoutError:
            return
