"""The one writer of a ModelDeployment: looks, waits, looks again, and survives whatever goes wrong."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from pydantic import ValidationError

from sluice.controller.memory import Memory
from sluice.controller.wakeups import Wakeups
from sluice.kube.api import ROUTES, KubeApi
from sluice.kube.errors import ConflictError, KubeError

log = logging.getLogger(__name__)

BACKOFF_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
CONFLICT_SECONDS = 0.05
INVALID_SECONDS = 60.0


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

    async def run(self, namespace: str, name: str, stopped: Stopped) -> None:
        """Look until stopped; an error is told and tried again, ever more slowly."""
        key, memory, failures = (namespace, name), Memory(), 0
        self.wakeups.add(key)
        while not stopped:
            try:
                wait = await self.reconcile(namespace, name, memory)
                failures = 0
                if wait is None:
                    await self.clean_up(namespace, name)
                    return
            except ConflictError:
                # Somebody wrote in between: what we know is old.
                wait = CONFLICT_SECONDS
            except KubeError as error:
                wait = BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS) - 1)]
                failures += 1
                log.warning("%s/%s: %s; trying again in %.1f s", namespace, name, error, wait)
            except ValidationError as error:
                wait = INVALID_SECONDS
                log.error("%s/%s does not fit the API any more, edit it: %s", namespace, name, error)
            except Exception:
                wait = BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS) - 1)]
                failures += 1
                log.exception("%s/%s: a bug; trying again in %.1f s", namespace, name, wait)
            await self.wakeups.wait(key, wait)

    async def clean_up(self, namespace: str, name: str) -> None:
        """Take the route away before the pods go, so that no request is sent to a pod that ends."""
        await self.api.delete(ROUTES, namespace, name)
