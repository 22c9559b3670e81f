"""Makes a plan true: record and status first, then objects. Idempotent; dying between any two writes does no harm."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sluice.api.base import API_VERSION, KIND
from sluice.api.status import Revision
from sluice.controller.companions import companions, counted, in_order, unwanted
from sluice.controller.gates import Gates
from sluice.controller.memory import Memory
from sluice.controller.objects import Objects
from sluice.controller.observer import NOBODY, Observer
from sluice.controller.records import Records
from sluice.controller.routing import route
from sluice.controller.target import Target
from sluice.controller.telling import tell_untold
from sluice.core.observation import Unresolved, WriteBack
from sluice.core.plan import AliasWish, Plan
from sluice.kube.api import CONTROLLER_REVISIONS, DEPLOYMENTS, MODEL_DEPLOYMENTS, SERVICES, KubeApi, Manifest
from sluice.notify.notices import Tell, nobody
from sluice.resources.naming import ACTOR, WISHES, object_name, selector
from sluice.resources.service import service
from sluice.resources.workload import controller_revision, deployment, frozen_template, pod_template

# Sets an alias in the registry: model, alias, version. Returns what is wrong, None when it is set.
SetAlias = Callable[[str, str, str], Awaitable[Unresolved | None]]

WRITE_BACK_AGAIN = timedelta(seconds=15)


@dataclass(frozen=True)
class Applier:
    """Writes plans."""

    api: KubeApi
    tracking_uri: str
    records: Records
    set_alias: SetAlias
    gates: Gates
    observer: Observer = NOBODY
    tell: Tell = nobody
    collector_url: str = ""

    async def __call__(
        self, target: Target, plan: Plan, memory: Memory, live: Mapping[tuple[str, str], Manifest], now: datetime
    ) -> None:
        """Make the plan true.

        Traffic moves before pods do: it goes only where they are ready, and leaves at once where it does harm.

        Raises:
            KubeError: a write failed; the next look makes the plan again.
        """
        objects = Objects(self.api, memory, live)
        began = plan.entry is not None and plan.entry.number == 1 and plan.entry.decided
        if plan.entry:
            await self.records.write(target.namespace, target.name, plan.entry, memory, now)
        version = await self._write_status(target, plan, memory, now)
        while memory.stored:
            self.observer.stored(target.namespace, target.name, *memory.stored.pop(0))
        self.observer.stands(target.namespace, target.name, plan.status)
        await route(target, plan, objects, now)
        for revision in plan.freeze:
            await self._freeze(target, revision, objects)
        for name in plan.scale:
            await self._run(target, plan, name, objects)
        await self.gates(target, plan.gating, live)
        for name in plan.forget:
            await self._forget(target, name, objects)
        if plan.clear_wish and plan.status.last_action:
            await self._clear_wish(target, plan.status.last_action.action, version)
        if plan.write_back:
            await self._write_back(plan.write_back, memory, now)
        memory.tell_repairs(now)
        await tell_untold(target, memory, self.api, self.tell)
        if began and plan.status.rollouts > self.records.history:
            await self.records.prune(target.namespace, target.name)

    async def _write_back(self, wish: AliasWish, memory: Memory, now: datetime) -> None:
        """Set the alias of what was promoted; one that can't be set is tried again, and holds nothing up."""
        if memory.write_back_at and now - memory.write_back_at < WRITE_BACK_AGAIN:
            return
        revision = wish.revision
        problem = await self.set_alias(revision.model_name, wish.alias, revision.model_version)
        memory.write_back = WriteBack(wish.alias, revision.name, problem.message if problem else None)
        memory.write_back_at = now

    async def _write_status(self, target: Target, plan: Plan, memory: Memory, now: datetime) -> str:
        """Facts come first: whatever follows can be derived from them again. Fails if somebody wrote in between.

        Returns:
            The resourceVersion of the ModelDeployment.
        """
        status = plan.status
        if status.stable:
            picks = selector(target.name, status.stable.name)
            status = status.model_copy(update={"selector": ",".join(f"{k}={v}" for k, v in picks.items())})
        if not memory.worth_writing(status, now):
            memory.status = status
            return target.resource_version
        memory.tries(status, plan.events, now)
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
        version: str = stored["metadata"]["resourceVersion"]
        return version

    async def _freeze(self, target: Target, revision: Revision, objects: Objects) -> None:
        """Make sure the revision has its pod template, rendered once by whichever operator saw it first."""
        if revision.name in objects.memory.frozen:
            return
        template = await self._frozen(target, revision.name)
        if template is None:
            running = objects.live.get(("Deployment", object_name(target.name, revision.name)))
            template = (running and running["spec"]["template"]) or pod_template(
                name=target.name, revision=revision, server=target.spec.server, tracking_uri=self.tracking_uri,
                collector_url=self.collector_url,
            )  # fmt: skip
            manifest = controller_revision(
                name=target.name, namespace=target.namespace, revision=revision, template=template, owner=target.owner
            )
            await self.api.apply(CONTROLLER_REVISIONS, manifest)
        objects.memory.frozen[revision.name] = template

    async def _frozen(self, target: Target, revision: str) -> Manifest | None:
        found = await self.api.get(CONTROLLER_REVISIONS, target.namespace, object_name(target.name, revision))
        return frozen_template(found) if found else None

    async def _run(self, target: Target, plan: Plan, name: str, objects: Objects) -> None:
        """Apply a revision's Service, its Deployment and what stands beside that."""
        memory, live = objects.memory, objects.live
        found = live.get(("Deployment", object_name(target.name, name)))
        template = memory.frozen.get(name) or await self._frozen(target, name) or (found and found["spec"]["template"])
        if template is None:
            return
        memory.frozen[name] = template
        manifest = service(name=target.name, namespace=target.namespace, revision_name=name, owner=target.owner)
        await objects.apply(manifest)
        floor, whose = plan.floors.get(name), {"name": target.name, "namespace": target.namespace}
        beside = companions(target.spec, name, plan.scale[name], floor, owner=target.owner, **whose)
        for resource in unwanted(target.name, name, beside, live):
            await objects.delete(resource, target.namespace, object_name(target.name, name))
        keeps = deployment(
            revision_name=name, template=template, replicas=plan.scale[name], owner=target.owner, **whose
        )  # fmt: skip
        for manifest in in_order(counted(keeps, found, floor), beside, live):
            await objects.apply(manifest)

    async def _forget(self, target: Target, revision: str, objects: Objects) -> None:
        beside = unwanted(target.name, revision, (), objects.live)
        for resource in (*beside, SERVICES, CONTROLLER_REVISIONS, DEPLOYMENTS):
            await objects.delete(resource, target.namespace, object_name(target.name, revision))
        objects.memory.frozen.pop(revision, None)

    async def _clear_wish(self, target: Target, action: str, version: str) -> None:
        """Take off the annotation that was answered, unless somebody has written since: it may be a new wish."""
        annotations = {name: None for wish, name in WISHES.items() if wish == action} | {ACTOR: None}
        patch = {"metadata": {"resourceVersion": version, "annotations": annotations}}
        await self.api.merge(MODEL_DEPLOYMENTS, target.namespace, target.name, patch)
