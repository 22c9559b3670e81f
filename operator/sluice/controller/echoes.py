"""Tells the events of our own writes from those of others: what we wrote ourselves is no reason to look again."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sluice.kube.api import KubeApi, Manifest, Resource

MOST = 10_000
# These have a status from the beginning, and nothing in it matters here.
STATUS_FROM_THE_BEGINNING = ("Service", "HorizontalPodAutoscaler", "PodDisruptionBudget")
WATCHED = ("ModelDeployment", "Deployment", "HTTPRoute", "BackendTrafficPolicy", *STATUS_FROM_THE_BEGINNING)


@dataclass
class Echoes:
    """Versions of objects that we made, until their events come. They are unique in a cluster."""

    _versions: OrderedDict[str, None] = field(default_factory=OrderedDict)

    def wrote(self, sent: Manifest, stored: Manifest) -> None:
        """Note a write, unless somebody else's may be hidden in its answer.

        Only who named the version that he had read, or made the object, knows all that is in it.
        """
        made = not stored.get("status") or sent["kind"] in STATUS_FROM_THE_BEGINNING
        knows = sent["metadata"].get("resourceVersion") or made
        if sent["kind"] in WATCHED and knows:
            self._versions[stored["metadata"]["resourceVersion"]] = None
            if len(self._versions) > MOST:
                self._versions.popitem(last=False)

    def is_echo(self, meta: Mapping[str, Any] | None) -> bool:
        """Say whether an event with this metadata comes of our own write; each does so once."""
        version = meta.get("resourceVersion") if meta else None
        if version is None or version not in self._versions:
            return False
        del self._versions[version]
        return True


@dataclass(frozen=True)
class Noted(KubeApi):
    """The API, with a note of everything that we apply."""

    api: KubeApi
    echoes: Echoes

    async def get(self, resource: Resource, namespace: str, name: str) -> Manifest | None:
        """Return an object, None when it is not there."""
        return await self.api.get(resource, namespace, name)

    async def list(self, resource: Resource, namespace: str, labels: str) -> list[Manifest]:
        """Return the objects of a namespace that a label selector picks."""
        return await self.api.list(resource, namespace, labels)

    async def apply(self, resource: Resource, manifest: Manifest) -> Manifest:
        """Apply an object server-side."""
        return self._note(manifest, await self.api.apply(resource, manifest))

    async def apply_status(self, resource: Resource, manifest: Manifest) -> Manifest:
        """Apply an object's status."""
        return self._note(manifest, await self.api.apply_status(resource, manifest))

    async def merge(self, resource: Resource, namespace: str, name: str, patch: Manifest) -> Manifest:
        """Apply a JSON merge patch; return what is stored."""
        return await self.api.merge(resource, namespace, name, patch)

    async def create(self, resource: Resource, manifest: Manifest) -> None:
        """Create an object."""
        await self.api.create(resource, manifest)

    async def replace(self, resource: Resource, manifest: Manifest) -> Manifest:
        """Replace an object."""
        return await self.api.replace(resource, manifest)

    async def delete(self, resource: Resource, namespace: str, name: str) -> None:
        """Delete an object."""
        await self.api.delete(resource, namespace, name)

    def _note(self, sent: Manifest, stored: Manifest) -> Manifest:
        self.echoes.wrote(sent, stored)
        return stored
