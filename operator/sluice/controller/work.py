"""What only the leader does: kopf, the registry's poller, the sender of notices; watched over together."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import kopf

from sluice.controller.handlers import Handlers, configure, register
from sluice.notify.notices import Notices

log = logging.getLogger(__name__)


@dataclass
class Work:
    """Tasks that never end by themselves; when one does, the work is over."""

    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def problem(self) -> str | None:
        """Which part has ended, if one has."""
        return next((f"{task.get_name()} has ended" for task in self._tasks if task.done()), None)

    async def start(
        self,
        handlers: Handlers,
        own_signals: Callable[[], None],
        namespaces: Collection[str] = (),
        notices: Notices | None = None,
    ) -> None:
        """Begin, in some namespaces or in all.

        kopf takes SIGTERM and SIGINT for itself and would end before the Lease is released: take them back. It also
        takes every task that is not named in `ignored` for one of its own and cancels it when it ends.
        """
        registry, settings = kopf.OperatorRegistry(), kopf.OperatorSettings()
        register(registry, handlers)
        configure(settings, namespaced=bool(namespaces))
        self._tasks.append(asyncio.create_task(handlers.watch.run(), name="the registry's poller"))
        if notices:
            self._tasks.append(asyncio.create_task(notices.run(), name="the sender of notices"))
        others = asyncio.all_tasks()
        roots = await kopf.spawn_tasks(
            registry=registry, settings=settings, clusterwide=not namespaces, namespaces=namespaces, standalone=True
        )
        own_signals()
        self._tasks.extend(roots)  # the first of them that ends is kopf's end, though it waits for its daemons then
        self._tasks.append(asyncio.create_task(kopf.run_tasks(roots, ignored=others), name="kopf"))

    async def ended(self) -> None:
        """Return when a part has ended, which it should not."""
        await asyncio.wait(self._tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in self._tasks:
            if task.done():
                log.error("%s has ended", task.get_name(), exc_info=task.exception())
