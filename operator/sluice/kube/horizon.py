"""Which state of the cluster is known: what is read from a cache may not be older than that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sluice.kube.api import (
    AUTOSCALERS,
    BUDGETS,
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    GATEWAYS,
    ROUTES,
    SERVICES,
    Resource,
)

# What follows from a ModelDeployment. Read from the store are the ModelDeployment itself and its record; its templates,
# which are written once and must not be written again; and pods: where two versions must never run side by side, one
# that is not seen yet would do harm.
CACHED = (AUTOSCALERS, BUDGETS, DEPLOYMENTS, ENDPOINT_SLICES, GATEWAYS, ROUTES, SERVICES)


@dataclass
class Horizon:
    """The newest version of each kind of objects that has been seen, in an event, an answer or a write of our own.

    A read without a version makes the API server ask etcd for it, a list by labels for all objects of the namespace.
    One that may be as old as a version is answered from the API server's watch cache, once that has got there: so no
    look sees an older state of an object than was seen before, whichever API server answers; that one is gone may be
    seen late. Versions of one kind are ordered as numbers
    (https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-versions); one that is no number is of no
    use.
    """

    _newest: dict[str, int] = field(default_factory=dict)

    def saw(self, plural: str, meta: Mapping[str, Any]) -> None:
        """Note the version of an object, by its metadata."""
        version = str(meta.get("resourceVersion", ""))
        if version.isdecimal():
            self._newest[plural] = max(self._newest.get(plural, 0), int(version))

    def forget(self, resource: Resource) -> None:
        """Begin again: no cache knows the newest version, for example because etcd was restored from a backup."""
        self._newest.pop(resource.plural, None)

    def of(self, resource: Resource) -> str | None:
        """Return how old a read of these objects may be; None: it may not be old at all."""
        return str(self._newest.get(resource.plural, 0)) if resource in CACHED else None
