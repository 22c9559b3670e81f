"""The thin layer to kopf: one daemon per ModelDeployment, and events that only wake it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import kopf

from sluice.api.base import GROUP, PLURAL, VERSION
from sluice.controller.daemon import Daemon
from sluice.controller.wakeups import Key, Wakeups
from sluice.registry.watch import RegistryWatch
from sluice.resources.naming import LABEL_MODEL_DEPLOYMENT

log = logging.getLogger(__name__)

FINALIZER = f"{GROUP}/finalizer"


@dataclass(frozen=True)
class Handlers:
    """What kopf calls."""

    daemon: Daemon
    watch: RegistryWatch
    wakeups: Wakeups

    async def live(self, namespace: str | None, name: str | None, stopped: Any, **_: Any) -> None:
        """Run the one writer until the object is deleted or the operator ends."""
        if namespace is None or name is None:
            return
        waker = asyncio.create_task(self._wake_to_stop((namespace, name), stopped))
        try:
            await self.daemon.run(namespace, name, stopped)
            if stopped.reason is not None and kopf.DaemonStoppingReason.RESOURCE_DELETED in stopped.reason:
                await self.daemon.clean_up(namespace, name)
        finally:
            waker.cancel()
            self.watch.unsubscribe((namespace, name))
            self.wakeups.remove((namespace, name))

    async def _wake_to_stop(self, key: Key, stopped: Any) -> None:
        await stopped.wait()
        self.wakeups.wake(key)

    def changed(self, namespace: str | None, name: str | None, spec: Any, type: str | None, **_: Any) -> None:
        """Follow the model's URI, and look at what changed."""
        if namespace is None or name is None:
            return
        key = (namespace, name)
        if type == "DELETED":
            self.watch.unsubscribe(key)  # events that came after the daemon's end have subscribed again
            return
        uri = spec.get("model", {}).get("uri")
        if uri:
            self.watch.subscribe(key, uri, lambda: self.wakeups.wake(key))
        self.wakeups.wake(key)

    def child_changed(self, namespace: str | None, labels: Any, **_: Any) -> None:
        """Wake the owner of a Deployment, a pod or a route."""
        owner = labels.get(LABEL_MODEL_DEPLOYMENT)
        if namespace and owner:
            self.wakeups.wake((namespace, owner))


def log_in(**about: Any) -> kopf.ConnectionInfo | None:
    """Log in with the pod's service account, or with the kubeconfig that KUBECONFIG names."""
    return kopf.login_with_service_account(**about) or kopf.login_with_kubeconfig(**about)


def register(registry: kopf.OperatorRegistry, handlers: Handlers) -> None:
    """Tell kopf how to log in and what to watch."""
    kopf.on.login(registry=registry, id="log-in")(log_in)
    mine: Callable[..., Any] = kopf.on.event(GROUP, VERSION, PLURAL, registry=registry, id="changed")
    mine(handlers.changed)
    kopf.daemon(GROUP, VERSION, PLURAL, registry=registry, id="live", cancellation_backoff=10, cancellation_timeout=15)(
        handlers.live
    )
    owned = {LABEL_MODEL_DEPLOYMENT: kopf.PRESENT}
    for group, version, plural in (
        ("apps", "v1", "deployments"),
        ("", "v1", "pods"),
        ("gateway.networking.k8s.io", "v1", "httproutes"),
    ):
        kopf.on.event(group, version, plural, registry=registry, labels=owned, id=f"{plural}-changed")(
            handlers.child_changed
        )


def configure(settings: kopf.OperatorSettings) -> None:
    """Set kopf up: no posting of its own, no silent dead watches, our own names."""
    settings.posting.enabled = False
    settings.scanning.disabled = False
    settings.persistence.finalizer = FINALIZER
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=f"kopf.{GROUP}")
    settings.persistence.diffbase_storage = kopf.AnnotationsDiffBaseStorage(prefix=f"kopf.{GROUP}")
    settings.watching.connect_timeout = 10
    settings.watching.client_timeout = 300
    settings.watching.server_timeout = 240
    settings.networking.request_timeout = 10
