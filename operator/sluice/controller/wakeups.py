"""Wakes the one writer of a ModelDeployment; handlers and pollers do nothing else."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

Key = tuple[str, str]

# Two looks are at least this far apart, however many events there are; unless a look asks for the next one itself.
BREATH_SECONDS = 0.2


@dataclass
class Wakeups:
    """One event per ModelDeployment, by namespace and name."""

    _events: dict[Key, asyncio.Event] = field(default_factory=dict)

    def add(self, key: Key) -> asyncio.Event:
        """Begin to take calls for a ModelDeployment."""
        return self._events.setdefault(key, asyncio.Event())

    def remove(self, key: Key) -> None:
        """End it."""
        self._events.pop(key, None)

    def wake(self, key: Key) -> None:
        """Make it look now, or once more right after the present look."""
        if event := self._events.get(key):
            event.set()

    async def wait(self, key: Key, seconds: float, least: float = 0.0) -> None:
        """Return when woken, or after some seconds; however often it is called, not before a breath, or `least`."""
        event = self.add(key)
        breath = max(least, min(BREATH_SECONDS, seconds))
        await asyncio.sleep(breath)
        try:
            async with asyncio.timeout(max(0.0, seconds - breath)):
                await event.wait()
        except TimeoutError:
            return
        finally:
            event.clear()
