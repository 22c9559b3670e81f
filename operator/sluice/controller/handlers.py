"""The thin layer to kopf: one daemon per ModelDeployment, and events that only wake it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import kopf

from sluice.api.base import GROUP, PLURAL, VERSION
from sluice.api.model import reference
from sluice.controller.daemon import Daemon
from sluice.controller.echoes import Echoes
from sluice.controller.wakeups import Key, Wakeups
from sluice.kube.horizon import Horizon
from sluice.registry.watch import RegistryWatch
from sluice.resources.naming import LABEL_MODEL_DEPLOYMENT

log = logging.getLogger(__name__)

OWNED = (
    ("apps", "v1", "deployments"),
    ("", "v1", "pods"),
    ("", "v1", "services"),
    ("gateway.networking.k8s.io", "v1", "httproutes"),
    ("autoscaling", "v2", "horizontalpodautoscalers"),
    ("policy", "v1", "poddisruptionbudgets"),
    ("gateway.envoyproxy.io", "v1alpha1", "backendtrafficpolicies"),  # where there is an Envoy Gateway
)
FINALIZER = f"{GROUP}/finalizer"
FINALIZER_WAITS = 10


@dataclass(frozen=True)
class Handlers:
    """What kopf calls.

    All of it is async: kopf runs plain functions in threads, and from there nobody may wake a task.
    """

    daemon: Daemon
    watch: RegistryWatch
    wakeups: Wakeups
    forget: Callable[[Key], None] = lambda _: None
    echoes: Echoes = field(default_factory=Echoes)
    horizon: Horizon = field(default_factory=Horizon)
    empty: dict[str, Any] = field(default_factory=dict)
    """Deployments without pods, by UID: their generation and labels when last seen."""
    wanted: dict[str, Any] = field(default_factory=dict)
    """What autoscalers and disruption budgets are to do, by UID, and their labels."""

    async def live(
        self, namespace: str | None, name: str | None, stopped: Any, meta: Any = None, status: Any = None, **_: Any
    ) -> None:
        """Run the one writer until the object is deleted or the operator ends."""
        if namespace is None or name is None:
            return
        try:
            await self._finalized((namespace, name), meta, stopped)
            await self.daemon.run(namespace, name, stopped, urgent=bool(status and status.get("rollout")))
            if stopped.reason is not None and kopf.DaemonStoppingReason.RESOURCE_DELETED in stopped.reason:
                await self.daemon.clean_up(namespace, name)
        finally:
            self.watch.unsubscribe((namespace, name))
            self.forget((namespace, name))
            self.wakeups.remove((namespace, name))
            self.daemon.observer.gone(namespace, name)

    async def _finalized(self, key: Key, meta: Any, stopped: Any) -> None:
        """Wait until kopf has added the finalizer: a look in between would only lose its write to that.

        Args:
            key: namespace and name.
            meta: the metadata, kept up to date by kopf.
            stopped: kopf's flag.
        """
        for _ in range(FINALIZER_WAITS):
            if meta is None or stopped or FINALIZER in meta.get("finalizers", ()):
                return
            await self.wakeups.wait(key, 1.0)

    async def changed(
        self, namespace: str | None, name: str | None, spec: Any, type: str | None, *, meta: Any = None, **about: Any
    ) -> None:
        """Follow the model's URI, and those of the variants of a test, and look at what others changed.

        The event of a deletion wakes too: kopf has told the daemon to stop, or the look sees it.
        """
        if namespace is None or name is None:
            return
        key, model = (namespace, name), spec.get("model", {})
        if type == "DELETED":
            self.watch.unsubscribe(key)  # events that came after the daemon's end have subscribed again
        elif uri := model.get("uri"):
            of_variants = [reference(one["uri"], one.get("digest")) for one in _variants(spec)]
            self.watch.subscribe(
                key, reference(uri, model.get("digest")), lambda: self.wakeups.wake(key), further=of_variants
            )
        if not self.echoes.is_echo(meta):
            self.wakeups.wake(key)
        if event := about.get("event"):
            _strip(event["object"])

    async def child_changed(
        self,
        namespace: str | None,
        labels: Any,
        meta: Any = None,
        resource: kopf.Resource | None = None,
        event: kopf.RawEvent | None = None,
        **_: Any,
    ) -> None:
        """Wake the owner of what others changed."""
        if resource and meta:
            self.horizon.saw(resource.plural, meta)
        owner = labels.get(LABEL_MODEL_DEPLOYMENT)
        if namespace and owner and not self.echoes.is_echo(meta):
            self.wakeups.wake((namespace, owner))
        if event:
            _strip(event["object"])

    async def deployment_changed(self, uid: str, labels: Any, meta: Any, spec: Any, status: Any, **about: Any) -> None:
        """Wake the owner of a Deployment; without pods its status has nothing to tell but why there are none."""
        failing = any(condition["type"] == "ReplicaFailure" for condition in status.get("conditions") or ())
        seen = (meta.get("generation"), dict(labels))
        known = self.empty.pop(uid, None)
        if about.get("type") != "DELETED" and spec.get("replicas") == 0 and not status.get("replicas") and not failing:
            self.empty[uid] = seen
            if known == seen:
                return
        await self.child_changed(labels=labels, meta=meta, **about)

    async def companion_changed(self, uid: str, labels: Any, spec: Any, **about: Any) -> None:
        """Wake the owner of an autoscaler or a disruption budget; what these write about their work is no reason."""
        seen = (dict(spec), dict(labels))
        if about.get("type") == "DELETED":
            self.wanted.pop(uid, None)
        elif self.wanted.get(uid) == seen:
            return
        else:
            self.wanted[uid] = seen
        await self.child_changed(labels=labels, **about)


def _variants(spec: Any) -> list[Any]:
    """Return the models that are tested beside the candidate; an object stored before a rule existed may lack any."""
    test = (spec.get("strategy") or {}).get("abTest") or {}
    return [one["model"] for one in test.get("variants") or () if (one.get("model") or {}).get("uri")]


def _strip(body: Any) -> None:
    """Take out what nobody reads any more: kopf keeps the object of an event for seconds, or as long as its daemon."""
    body.pop("spec", None)
    body["metadata"].pop("managedFields", None)
    body["status"] = {"rollout": True} if body.get("status", {}).get("rollout") else {}


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
    special: dict[str, Callable[..., Any]] = {
        "deployments": handlers.deployment_changed,
        "horizontalpodautoscalers": handlers.companion_changed,
        "poddisruptionbudgets": handlers.companion_changed,
    }
    for group, version, plural in OWNED:
        handler = special.get(plural, handlers.child_changed)
        kopf.on.event(group, version, plural, registry=registry, id=f"{plural}-changed")(handler)


class NoDiffs(kopf.DiffBaseStorage):
    """Nothing here asks kopf what has changed; otherwise it would copy every object of every event to find out."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        """Return nothing."""
        return kopf.BodyEssence({})

    def fetch(self, **_: Any) -> kopf.BodyEssence | None:
        """Return nothing."""
        return None

    def store(self, **_: Any) -> None:
        """Keep nothing."""


def configure(settings: kopf.OperatorSettings, *, namespaced: bool = False) -> None:
    """Set kopf up: no posting of its own, no silent dead watches, our own names.

    Who watches some namespaces only may read neither namespaces nor CRDs: what exists is looked up once, at the start.
    """
    settings.posting.enabled = False
    settings.scanning.disabled = namespaced
    settings.persistence.finalizer = FINALIZER
    settings.persistence.progress_storage = kopf.AnnotationsProgressStorage(prefix=f"kopf.{GROUP}")
    settings.persistence.diffbase_storage = NoDiffs()
    # The daemon of what is deleted takes the route away and ends: kopf waits for that, and not in steps of seconds.
    settings.background.instant_exit_timeout = 10
    for owned in OWNED:  # of all pods of a cluster only ours are sent to us
        settings.watching.label_selectors[owned] = LABEL_MODEL_DEPLOYMENT
    settings.watching.chunk_size = 100  # a thousand objects as Python has them are a hundred megabytes
    settings.queueing.idle_timeout = 1.0
    settings.watching.connect_timeout = 10
    settings.watching.client_timeout = 300
    settings.watching.server_timeout = 240
    settings.networking.request_timeout = 10
