"""Makes a plan true: status first, then objects. Idempotent; dying between any two writes does no harm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sluice.api.base import API_VERSION, KIND
from sluice.api.spec import ModelDeploymentSpec
from sluice.api.status import ModelDeploymentStatus, Revision
from sluice.controller.memory import Memory
from sluice.core.plan import Event, Plan
from sluice.kube.api import (
    CONTROLLER_REVISIONS,
    DEPLOYMENTS,
    EVENTS,
    MODEL_DEPLOYMENTS,
    ROUTES,
    SERVICES,
    KubeApi,
    Manifest,
    Resource,
)
from sluice.resources.naming import WISHES, object_name, owner_reference, selector
from sluice.resources.service import service
from sluice.resources.workload import controller_revision, deployment, frozen_template, pod_template
from sluice.traffic import gateway_api

KINDS = {"Deployment": DEPLOYMENTS, "Service": SERVICES, "HTTPRoute": ROUTES}


@dataclass(frozen=True)
class Target:
    """The ModelDeployment that a plan is for."""

    namespace: str
    name: str
    uid: str
    resource_version: str
    spec: ModelDeploymentSpec

    @property
    def owner(self) -> Manifest:
        """The owner reference of everything made for it."""
        return owner_reference(name=self.name, uid=self.uid)


@dataclass(frozen=True)
class Applier:
    """Writes plans."""

    api: KubeApi
    tracking_uri: str

    async def __call__(
        self, target: Target, plan: Plan, memory: Memory, live: Mapping[tuple[str, str], Manifest], now: datetime
    ) -> None:
        """Make the plan true.

        Raises:
            KubeError: a write failed; the next look makes the plan again.
        """
        await self._write_status(target, plan.status, memory, now)
        for revision in plan.freeze:
            await self._freeze(target, revision, memory)
        for name, replicas in plan.scale.items():
            await self._run(target, name, replicas, memory, live)
        if plan.split and target.spec.traffic:
            route = gateway_api.render(
                name=target.name, namespace=target.namespace, owner=target.owner, traffic=target.spec.traffic,
                split=plan.split,
            )  # fmt: skip
            await self._apply(route, memory, live.get(("HTTPRoute", target.name)))
        for name in plan.forget:
            await self._forget(target, name, memory)
        if plan.clear_wish:
            await self._clear_wishes(target)
        for event in plan.events:
            await self._tell(target, event, now)

    async def _write_status(self, target: Target, status: ModelDeploymentStatus, memory: Memory, now: datetime) -> None:
        """Facts come first: whatever follows can be derived from them again. Fails if somebody wrote in between."""
        if status.stable:
            picks = selector(target.name, status.stable.name)
            status = status.model_copy(update={"selector": ",".join(f"{k}={v}" for k, v in picks.items())})
        if not memory.worth_writing(status, now):
            memory.status = status
            return
        stored = await self.api.apply_status(
            MODEL_DEPLOYMENTS,
            {
                "apiVersion": API_VERSION,
                "kind": KIND,
                "metadata": {
                    "name": target.name,
                    "namespace": target.namespace,
                    "resourceVersion": target.resource_version,
                },
                "status": status.to_kubernetes(),
            },
        )
        memory.wrote(status, stored.get("status", {}), now)

    async def _freeze(self, target: Target, revision: Revision, memory: Memory) -> None:
        """Make sure the revision has its pod template, rendered once by whichever operator saw it first."""
        if revision.name in memory.frozen:
            return
        name = object_name(target.name, revision.name)
        live = await self.api.get(CONTROLLER_REVISIONS, target.namespace, name)
        template = frozen_template(live) if live else None
        if template is None:
            template = pod_template(
                name=target.name, revision=revision, server=target.spec.server, tracking_uri=self.tracking_uri
            )
            manifest = controller_revision(
                name=target.name, namespace=target.namespace, revision=revision, template=template, owner=target.owner
            )
            await self.api.apply(CONTROLLER_REVISIONS, manifest)
        memory.frozen[revision.name] = template

    async def _run(
        self, target: Target, name: str, replicas: int, memory: Memory, live: Mapping[tuple[str, str], Manifest]
    ) -> None:
        """Apply a revision's Service and Deployment."""
        found = live.get(("Deployment", object_name(target.name, name)))
        template = memory.frozen.get(name) or (found and found["spec"]["template"])
        if template is None:
            return
        if ("Service", object_name(target.name, name)) not in memory.applied:
            manifest = service(name=target.name, namespace=target.namespace, revision_name=name, owner=target.owner)
            await self._apply(manifest, memory, None)
        manifest = deployment(
            name=target.name, namespace=target.namespace, revision_name=name, template=template, replicas=replicas,
            owner=target.owner,
        )  # fmt: skip
        await self._apply(manifest, memory, found)

    async def _apply(self, manifest: Manifest, memory: Memory, live: Manifest | None) -> None:
        key = (manifest["kind"], manifest["metadata"]["name"])
        if memory.is_applied(key, manifest, live):
            return
        stored = await self.api.apply(KINDS[manifest["kind"]], manifest)
        memory.applied[key] = (manifest, stored["metadata"]["resourceVersion"])

    async def _forget(self, target: Target, revision: str, memory: Memory) -> None:
        name = object_name(target.name, revision)
        resources: tuple[Resource, ...] = (SERVICES, CONTROLLER_REVISIONS, DEPLOYMENTS)
        for resource in resources:
            await self.api.delete(resource, target.namespace, name)
            memory.applied.pop((resource.kind, name), None)
        memory.frozen.pop(revision, None)

    async def _clear_wishes(self, target: Target) -> None:
        patch = {"metadata": {"annotations": dict.fromkeys(WISHES.values())}}
        await self.api.merge(MODEL_DEPLOYMENTS, target.namespace, target.name, patch)

    async def _tell(self, target: Target, event: Event, now: datetime) -> None:
        time = now.strftime("%Y-%m-%dT%H:%M:%SZ")
        await self.api.create(
            EVENTS,
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"generateName": f"{target.name}.", "namespace": target.namespace},
                "involvedObject": {
                    "apiVersion": API_VERSION, "kind": KIND, "name": target.name, "namespace": target.namespace,
                    "uid": target.uid,
                },
                "type": str(event.type),
                "reason": event.reason,
                "message": event.message[:1024],
                "firstTimestamp": time,
                "lastTimestamp": time,
                "count": 1,
                "source": {"component": "sluice"},
                "reportingComponent": "sluice.dev/operator",
            },
        )  # fmt: skip
