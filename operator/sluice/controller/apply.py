"""Makes a plan true: record and status first, then objects. Idempotent; dying between any two writes does no harm."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sluice.api.base import API_VERSION, KIND
from sluice.api.status import Revision
from sluice.controller.beside import preview_route, targeted_route
from sluice.controller.companions import companions, counted, in_order, key_of, unwanted
from sluice.controller.gates import Gates
from sluice.controller.memory import Memory
from sluice.controller.observer import NOBODY, Observer
from sluice.controller.records import Records
from sluice.controller.repairs import repaired, taken_out
from sluice.controller.target import Target
from sluice.core.observation import Unresolved, WriteBack
from sluice.core.plan import AliasWish, Event, Plan
from sluice.kube.api import (
    AUTOSCALERS,
    BUDGETS,
    CONTROLLER_REVISIONS,
    DEPLOYMENTS,
    EVENTS,
    MODEL_DEPLOYMENTS,
    POLICIES,
    ROUTES,
    SERVICES,
    KubeApi,
    Manifest,
    Resource,
)
from sluice.kube.errors import ConflictError, KubeError, NotFoundError, RefusedError
from sluice.notify.notices import Tell, nobody
from sluice.resources.naming import ACTOR, WISHES, is_foreign, object_name, preview_name, selector, targeted_name
from sluice.resources.service import service
from sluice.resources.workload import controller_revision, deployment, frozen_template, pod_template
from sluice.sources.collector import comparison
from sluice.traffic import gateway_api, policy
from sluice.traffic.provider import Challenger, Mirror, Trial, Wanted
from sluice.traffic.providers import provider_of

log = logging.getLogger(__name__)

# Sets an alias in the registry: model, alias, version. Returns what is wrong, None when it is set.
SetAlias = Callable[[str, str, str], Awaitable[Unresolved | None]]

WRITE_BACK_AGAIN = timedelta(seconds=15)

KINDS = {kind.kind: kind for kind in (DEPLOYMENTS, SERVICES, ROUTES, AUTOSCALERS, BUDGETS, POLICIES)}


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
        began = plan.entry is not None and plan.entry.number == 1 and plan.entry.decided
        if plan.entry:
            await self.records.write(target.namespace, target.name, plan.entry, memory, now)
        version = await self._write_status(target, plan, memory, now)
        while memory.stored:
            self.observer.stored(target.namespace, target.name, *memory.stored.pop(0))
        self.observer.stands(target.namespace, target.name, plan.status)
        await self._unstick(target, memory, live)
        await self._split(target, plan, memory, live, now)
        await self._stick(target, plan, memory, live)
        await self._beside(target, preview_name(target.name), preview_route(target, plan), memory, live)
        found = live.get(("HTTPRoute", targeted_name(target.name)))
        meant = targeted_route(target, plan, found, settled=memory.has_settled(found, now))
        await self._beside(target, targeted_name(target.name), meant, memory, live)
        for revision in plan.freeze:
            await self._freeze(target, revision, memory, live)
        for name in plan.scale:
            await self._run(target, plan, name, memory, live)
        await self.gates(target, plan.gating, live)
        for name in plan.forget:
            await self._forget(target, name, memory, live)
        if plan.clear_wish and plan.status.last_action:
            await self._clear_wish(target, plan.status.last_action.action, version)
        if plan.write_back:
            await self._write_back(plan.write_back, memory, now)
        memory.tell_repairs(now)
        await self._tell(target, memory)
        if began and plan.status.rollouts > self.records.history:
            await self.records.prune(target.namespace, target.name)

    async def _split(
        self, target: Target, plan: Plan, memory: Memory, live: Mapping[tuple[str, str], Manifest], now: datetime
    ) -> None:
        """Bring the route or the Service nearer to the split, as far as proxies allow."""
        memory.route_waits = False
        if not plan.split:
            return
        way, trial, traffic = provider_of(target.spec), _trial(target, plan), target.spec.traffic
        wanted = Wanted(
            name=target.name, namespace=target.namespace, owner=target.owner, traffic=traffic, split=plan.split,
            kept=plan.kept, outage=plan.outage, mirror=_mirror(target, plan), trial=trial,
        )  # fmt: skip
        found, may = live.get((way.kind, target.name)), wanted
        has_users = trial and trial.weights.keys() & gateway_api.read(found or {}).weights.keys()
        if trial and traffic and traffic.sticky and not has_users:
            held = live.get((POLICIES.kind, target.name))
            if traffic.gateway and not memory.sticks(held, traffic.gateway.name, now):
                may = replace(wanted, split={trial.control: 100})  # the first users have to stick as well
        manifest = way.render(may, found, settled=way.kind == ROUTES.kind and memory.has_settled(found, now))
        if manifest is None:
            return
        await self._apply(manifest, memory, live)
        if traffic and traffic.sticky:
            later = way.render(wanted, manifest, settled=True)
            memory.route_waits = later is not None and later["spec"] != manifest["spec"]

    async def _stick(
        self, target: Target, plan: Plan, memory: Memory, live: Mapping[tuple[str, str], Manifest]
    ) -> None:
        """Make users stick to a version where that is wanted; without the gateway's API for it all else goes on."""
        memory.policy_refused, traffic = None, target.spec.traffic
        if not plan.split or traffic is None or traffic.sticky is None:
            return
        found = live.get((POLICIES.kind, target.name))
        if found and is_foreign(found):
            return  # who was first keeps it; the look has said so
        wanted = policy.policy(
            name=target.name, namespace=target.namespace, owner=target.owner, sticky=traffic.sticky
        )  # fmt: skip
        try:
            await self._apply(wanted, memory, live)
        except NotFoundError:
            return  # the next look says so
        except RefusedError as error:
            memory.policy_refused = f"the BackendTrafficPolicy of traffic.sticky can't be written: {error}"

    async def _unstick(self, target: Target, memory: Memory, live: Mapping[tuple[str, str], Manifest]) -> None:
        """Take away the policy that makes users stick to a version where nobody wants it any more."""
        key = (POLICIES.kind, target.name)
        if key in live and not (target.spec.traffic and target.spec.traffic.sticky):
            memory.applied.pop(key, None)  # if it is wanted again, nobody else has deleted it
            await self.api.delete(POLICIES, target.namespace, target.name)
            memory.taken.pop(live[key]["metadata"]["uid"], None)

    async def _beside(
        self, target: Target, name: str, route: Manifest | None, memory: Memory,
        live: Mapping[tuple[str, str], Manifest],
    ) -> None:  # fmt: skip
        """Apply a route beside the general one, or take it away."""
        key = ("HTTPRoute", name)
        if route:
            await self._apply(route, memory, live)
        elif key in live:
            memory.applied.pop(key, None)  # if it is wanted again, nobody else has deleted it
            await self.api.delete(ROUTES, target.namespace, name)
            memory.taken.pop(live[key]["metadata"]["uid"], None)

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

    async def _freeze(
        self, target: Target, revision: Revision, memory: Memory, live: Mapping[tuple[str, str], Manifest]
    ) -> None:
        """Make sure the revision has its pod template, rendered once by whichever operator saw it first."""
        if revision.name in memory.frozen:
            return
        template = await self._frozen(target, revision.name)
        if template is None:
            running = live.get(("Deployment", object_name(target.name, revision.name)))
            template = (running and running["spec"]["template"]) or pod_template(
                name=target.name, revision=revision, server=target.spec.server, tracking_uri=self.tracking_uri,
                collector_url=self.collector_url,
            )  # fmt: skip
            manifest = controller_revision(
                name=target.name, namespace=target.namespace, revision=revision, template=template, owner=target.owner
            )
            await self.api.apply(CONTROLLER_REVISIONS, manifest)
        memory.frozen[revision.name] = template

    async def _frozen(self, target: Target, revision: str) -> Manifest | None:
        found = await self.api.get(CONTROLLER_REVISIONS, target.namespace, object_name(target.name, revision))
        return frozen_template(found) if found else None

    async def _run(
        self, target: Target, plan: Plan, name: str, memory: Memory, live: Mapping[tuple[str, str], Manifest]
    ) -> None:
        """Apply a revision's Service, its Deployment and what stands beside that."""
        found = live.get(("Deployment", object_name(target.name, name)))
        template = memory.frozen.get(name) or await self._frozen(target, name) or (found and found["spec"]["template"])
        if template is None:
            return
        memory.frozen[name] = template
        manifest = service(name=target.name, namespace=target.namespace, revision_name=name, owner=target.owner)
        await self._apply(manifest, memory, live)
        floor, whose = plan.floors.get(name), {"name": target.name, "namespace": target.namespace}
        beside = companions(target.spec, name, plan.scale[name], floor, owner=target.owner, **whose)
        for resource in unwanted(target.name, name, beside, live):
            await self._delete(resource, target, name, memory)
        keeps = deployment(
            revision_name=name, template=template, replicas=plan.scale[name], owner=target.owner, **whose
        )  # fmt: skip
        for manifest in in_order(counted(keeps, found, floor), beside, live):
            await self._apply(manifest, memory, live)

    async def _apply(self, manifest: Manifest, memory: Memory, live: Mapping[tuple[str, str], Manifest]) -> None:
        """Apply an object, unless it is as it should be; fails if it has changed since it was looked at.

        Another controller that takes over, or hangs on for a moment too long, can't undo what came after its look.
        """
        key = key_of(manifest)
        found = live.get(key)
        if memory.is_applied(key, manifest, found):
            return
        wanted = manifest
        if found:
            version = await self._take_out_additions(manifest, found, memory)
            wanted = manifest | {"metadata": manifest["metadata"] | {"resourceVersion": version}}
        stored = await self.api.apply(KINDS[manifest["kind"]], wanted)
        made_again = stored if found is None and key in memory.applied else None
        memory.applies(key, manifest, stored)
        if repair := repaired(manifest, found, made_again=made_again):
            memory.repairs.append(repair)

    async def _take_out_additions(self, manifest: Manifest, found: Manifest, memory: Memory) -> str:
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
            memory.repairs.append(taken_out(found, fields))
        return version

    async def _forget(
        self, target: Target, revision: str, memory: Memory, live: Mapping[tuple[str, str], Manifest]
    ) -> None:
        for resource in (*unwanted(target.name, revision, (), live), SERVICES, CONTROLLER_REVISIONS, DEPLOYMENTS):
            await self._delete(resource, target, revision, memory)
        memory.frozen.pop(revision, None)

    async def _delete(self, resource: Resource, target: Target, revision: str, memory: Memory) -> None:
        name = object_name(target.name, revision)
        memory.applied.pop((resource.kind, name), None)  # if it is wanted again, nobody else has deleted it
        await self.api.delete(resource, target.namespace, name)

    async def _clear_wish(self, target: Target, action: str, version: str) -> None:
        """Take off the annotation that was answered, unless somebody has written since: it may be a new wish."""
        annotations = {name: None for wish, name in WISHES.items() if wish == action} | {ACTOR: None}
        patch = {"metadata": {"resourceVersion": version, "annotations": annotations}}
        await self.api.merge(MODEL_DEPLOYMENTS, target.namespace, target.name, patch)

    async def _tell(self, target: Target, memory: Memory) -> None:
        """Create the events still to be told; the next look tries again, and traffic never waits for them."""
        while memory.untold:
            event, at = memory.untold[0]
            try:
                await self.api.create(EVENTS, event_object(target, event, at))
                self.tell(target.namespace, target.name, event)
            except ConflictError:
                log.debug("event %s was told before", event.reason, extra=target.about)
            except RefusedError as error:
                log.warning("event %s is refused: %s", event.reason, error, extra=target.about)
            except KubeError:
                return
            memory.untold.pop(0)


def _mirror(target: Target, plan: Plan) -> Mirror | None:
    """Say who gets copies, and by which name the collector knows what is compared."""
    if plan.mirror is None or plan.status.record is None:
        return None
    compare = f"{comparison(target.namespace, plan.status.record)};{plan.mirror.sample}"
    return Mirror(plan.mirror.revision, plan.mirror.percent, compare)


def _trial(target: Target, plan: Plan) -> Trial | None:
    """Say to whom users are assigned in place of whom, and by which name model servers know it."""
    wanted, stable = plan.experiment, plan.status.stable
    if wanted is None or stable is None or plan.status.record is None or wanted.revision == stable.name:
        return None
    name = comparison(target.namespace, plan.status.record)
    ready = plan.kept | (plan.split or {}).keys()  # both only with ready pods
    challengers = [
        Challenger(revision, weight, revision in ready)
        for revision, weight in wanted.challengers or [(wanted.revision, wanted.weight)]
    ]
    return Trial(name, stable.name, challengers, wanted.window)


def event_object(target: Target, event: Event, at: datetime) -> Manifest:
    """Render an event; its name follows from its content, so that telling it again changes nothing."""
    time = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    content = (target.uid, event.reason, event.message, event.about or at.isoformat(timespec="milliseconds"))
    digest = hashlib.sha256("\n".join(content).encode()).hexdigest()[:16]
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{target.name}.{digest}", "namespace": target.namespace},
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
    }  # fmt: skip
