"""Sends notices one after the other, in the background: nothing ever waits for a chat to answer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field

from sluice.core.plan import Event
from sluice.logs import about

log = logging.getLogger(__name__)

MOST_WAITING = 100
MOST_SECONDS = 60.0


@dataclass(frozen=True)
class Notice:
    """An event of a ModelDeployment."""

    namespace: str
    name: str
    event: Event

    @property
    def title(self) -> str:
        """Return what stands in a mail's subject."""
        return f"{self.event.reason}: {self.namespace}/{self.name}"

    @property
    def body(self) -> str:
        """Return what happened, and where to see more."""
        return f"{self.event.message}\n\nkubectl sluice status {self.name} --namespace {self.namespace}"


# Sends to all channels; returns what went wrong, a sentence each, without secrets.
Send = Callable[[Notice], Awaitable[Collection[str]]]


@dataclass
class Notices:
    """A line of notices that wait to be sent; when too many do, the newest are dropped, and counted.

    Args:
        send: to all channels.
        count: told of each outcome: `sent`, `failed` or `dropped`.
        left_out: reasons of events that nobody wants to hear of.
    """

    send: Send
    count: Callable[[str], None]
    left_out: Collection[str] = ()
    _waiting: asyncio.Queue[Notice] = field(default_factory=lambda: asyncio.Queue(MOST_WAITING))

    def tell(self, namespace: str, name: str, event: Event) -> None:
        """Let an event be sent; returns at once."""
        if event.reason in self.left_out:
            return
        try:
            self._waiting.put_nowait(Notice(namespace, name, event))
        except asyncio.QueueFull:
            self.count("dropped")
            log.warning("too many notices wait; dropping %s", event.reason, extra=about(namespace, name))

    async def run(self) -> None:
        """Send until cancelled; what fails is told in the log and not tried again here: channels have that built in."""
        while True:
            notice = await self._waiting.get()
            problems = await self._sent(notice)
            self.count("failed" if problems else "sent")
            for problem in problems:
                log.warning("notice %s: %s", notice.event.reason, problem, extra=about(notice.namespace, notice.name))

    async def _sent(self, notice: Notice) -> Collection[str]:
        try:
            async with asyncio.timeout(MOST_SECONDS):
                return await self.send(notice)
        except Exception as error:  # whatever a channel does, it must not end the line; its words may hold a secret
            return (f"a channel failed with {type(error).__name__}",)


def nobody(namespace: str, name: str, event: Event) -> None:
    """Tell nobody."""


# Namespace, name and event; returns at once.
Tell = Callable[[str, str, Event], None]
