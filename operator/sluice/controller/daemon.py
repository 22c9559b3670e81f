"""The one writer of a ModelDeployment: looks, waits, looks again, and survives whatever goes wrong."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from time import perf_counter
from typing import Protocol

from pydantic import ValidationError

from sluice.controller.memory import Memory
from sluice.controller.observer import NOBODY, Observer
from sluice.controller.wakeups import Wakeups
from sluice.kube.api import ROUTES, KubeApi
from sluice.kube.errors import ConflictError, KubeError, NotLeadingError, UnavailableError
from sluice.logs import about
from sluice.resources.naming import preview_name, targeted_name

log = logging.getLogger(__name__)

BACKOFF_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
CONFLICT_SECONDS = 0.05
INVALID_SECONDS = 60.0
MOST_RETRY_AFTER_SECONDS = 30.0

# After a start all ModelDeployments want their first look at once: so many get it at the same time. More would only
# wait for each other's requests, until these time out.
FIRST_LOOKS = 8
# Those in mid-rollout stand in a line of their own.
FIRST_URGENT_LOOKS = 16


# Looks once; returns the seconds until the next look, None when the object is being deleted. A Reconciler is one.
Look = Callable[[str, str, Memory], Awaitable[float | None]]


class Stopped(Protocol):
    """Whether the daemon is to end: kopf's flag, or a test's."""

    def __bool__(self) -> bool:
        """Return True once it is to end."""


@dataclass(frozen=True)
class Daemon:
    """Runs the reconciler for one ModelDeployment until it is told to stop."""

    reconcile: Look
    api: KubeApi
    wakeups: Wakeups
    observer: Observer = NOBODY
    turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(FIRST_LOOKS))
    urgent_turns: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(FIRST_URGENT_LOOKS))

    async def run(self, namespace: str, name: str, stopped: Stopped, *, urgent: bool = True) -> None:
        """Look until stopped; an error is told and tried again, ever more slowly.

        Args:
            namespace: of the ModelDeployment.
            name: of the ModelDeployment.
            stopped: set when it is to end.
            urgent: a rollout is going on: the first look does not wait for those of others.
        """
        key, memory, failures = (namespace, name), Memory(), 0
        turn: AbstractAsyncContextManager[None] = self.urgent_turns if urgent else self.turns
        this = about(namespace, name)
        self.wakeups.add(key)
        while not stopped:
            least = 0.0
            try:
                async with turn:
                    wait = await self._look(namespace, name, memory)
                failures, turn = 0, nullcontext()
                if wait is None:
                    await self.clean_up(namespace, name)
                    return
            except NotLeadingError:
                # The process is about to end; whoever leads now goes on.
                return
            except ConflictError:
                # Somebody wrote in between: what we know is old.
                wait = CONFLICT_SECONDS
            except KubeError as error:
                wait = BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS) - 1)]
                failures += 1
                if isinstance(error, UnavailableError):
                    least = min(error.retry_after, MOST_RETRY_AFTER_SECONDS)
                log.warning("%s; trying again in %.1f s", error, max(wait, least), extra=this)
            except ValidationError as error:
                wait = INVALID_SECONDS
                log.error("this object does not fit the API any more, edit it: %s", error, extra=this)
            except Exception:
                wait = BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS) - 1)]
                failures += 1
                log.exception("a bug; trying again in %.1f s", wait, extra=this)
            await self.wakeups.wait(key, wait, least)

    async def _look(self, namespace: str, name: str, memory: Memory) -> float | None:
        began = perf_counter()
        try:
            return await self.reconcile(namespace, name, memory)
        except Exception as error:
            self.observer.failed(type(error).__name__)
            raise
        finally:
            self.observer.looked(perf_counter() - began)

    async def clean_up(self, namespace: str, name: str) -> None:
        """Take the route away before the pods go, so that no request is sent to a pod that ends."""
        for route in (preview_name(name), targeted_name(name), name):
            await self.api.delete(ROUTES, namespace, route)
