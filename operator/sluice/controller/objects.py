"""A ModelDeployment's objects, as one look has found them: each is written unless it is as it should be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sluice.controller.companions import Key, key_of
from sluice.controller.memory import Memory
from sluice.controller.repairs import repaired, taken_out
from sluice.kube.api import AUTOSCALERS, BUDGETS, DEPLOYMENTS, POLICIES, ROUTES, SERVICES, KubeApi, Manifest, Resource
from sluice.traffic import gateway_api

KINDS = {kind.kind: kind for kind in (DEPLOYMENTS, SERVICES, ROUTES, AUTOSCALERS, BUDGETS, POLICIES)}


@dataclass(frozen=True)
class Objects:
    """What is there, as this look has found it, and what is remembered of it."""

    api: KubeApi
    memory: Memory
    live: Mapping[Key, Manifest]

    async def apply(self, manifest: Manifest) -> None:
        """Apply an object, unless it is as it should be; fails if it has changed since it was looked at.

        Another controller that takes over, or hangs on for a moment too long, can't undo what came after its look.
        """
        key = key_of(manifest)
        found = self.live.get(key)
        if self.memory.is_applied(key, manifest, found):
            return
        wanted = manifest
        if found:
            version = await self._take_out_additions(manifest, found)
            wanted = manifest | {"metadata": manifest["metadata"] | {"resourceVersion": version}}
        stored = await self.api.apply(KINDS[manifest["kind"]], wanted)
        made_again = stored if found is None and key in self.memory.applied else None
        self.memory.applies(key, manifest, stored)
        if repair := repaired(manifest, found, made_again=made_again):
            self.memory.repairs.append(repair)

    async def delete(self, resource: Resource, namespace: str, name: str) -> None:
        """Delete an object, and let go what is remembered of it."""
        key = (resource.kind, name)
        self.memory.applied.pop(key, None)  # if it is wanted again, nobody else has deleted it
        await self.api.delete(resource, namespace, name)
        if found := self.live.get(key):
            self.memory.taken.pop(found["metadata"]["uid"], None)

    async def _take_out_additions(self, manifest: Manifest, found: Manifest) -> str:
        """Take added fields out of a route's spec: an apply leaves alone what it does not name, but it is ours whole.

        This comes before the apply: if it fails, nothing is noted as applied, and the next look does it again. Once it
        is done it is to be told, whatever becomes of the apply.

        Returns:
            The resourceVersion of the object.
        """
        meta = found["metadata"]
        version: str = meta["resourceVersion"]
        if fields := gateway_api.additions(manifest, found):
            removal = {"metadata": {"resourceVersion": version}, "spec": dict.fromkeys(fields)}
            left = await self.api.merge(ROUTES, meta["namespace"], meta["name"], removal)
            version = left["metadata"]["resourceVersion"]
            self.memory.repairs.append(taken_out(found, fields))
        return version
