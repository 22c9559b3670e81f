"""Leads requests where a plan wants them: the split, its sticky users, and the routes beside it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sluice.controller.beside import preview_route, targeted_route
from sluice.controller.objects import Objects
from sluice.controller.target import Target
from sluice.core.plan import Plan
from sluice.kube.api import POLICIES, ROUTES, Manifest
from sluice.kube.errors import NotFoundError, RefusedError
from sluice.resources.naming import is_foreign, preview_name, targeted_name
from sluice.sources.collector import comparison
from sluice.traffic import gateway_api, policy
from sluice.traffic.provider import Challenger, Mirror, Trial, Wanted
from sluice.traffic.providers import provider_of


async def route(target: Target, plan: Plan, objects: Objects, now: datetime) -> None:
    """Bring all traffic nearer to where it is to go.

    Raises:
        KubeError: a write failed.
    """
    await _unstick(target, objects)
    await _split(target, plan, objects, now)
    await _stick(target, plan, objects)
    await _beside(target, preview_name(target.name), preview_route(target, plan), objects)
    found = objects.live.get((ROUTES.kind, targeted_name(target.name)))
    meant = targeted_route(target, plan, found, settled=objects.memory.has_settled(found, now))
    await _beside(target, targeted_name(target.name), meant, objects)


async def _split(target: Target, plan: Plan, objects: Objects, now: datetime) -> None:
    """Bring the route or the Service nearer to the split, as far as proxies allow."""
    memory = objects.memory
    memory.route_waits = False
    if not plan.split:
        return
    way, trial, traffic = provider_of(target.spec), _trial(target, plan), target.spec.traffic
    wanted = Wanted(
        name=target.name, namespace=target.namespace, owner=target.owner, traffic=traffic, split=plan.split,
        kept=plan.kept, outage=plan.outage, mirror=_mirror(target, plan), trial=trial,
    )  # fmt: skip
    found, may = objects.live.get((way.kind, target.name)), wanted
    has_users = trial and trial.weights.keys() & gateway_api.read(found or {}).weights.keys()
    if trial and traffic and traffic.sticky and not has_users:
        held = objects.live.get((POLICIES.kind, target.name))
        if traffic.gateway and not memory.sticks(held, traffic.gateway.name, now):
            may = replace(wanted, split={trial.control: 100})  # the first users have to stick as well
    manifest = way.render(may, found, settled=way.kind == ROUTES.kind and memory.has_settled(found, now))
    if manifest is None:
        return
    await objects.apply(manifest)
    if traffic and traffic.sticky:
        later = way.render(wanted, manifest, settled=True)
        memory.route_waits = later is not None and later["spec"] != manifest["spec"]


async def _stick(target: Target, plan: Plan, objects: Objects) -> None:
    """Make users stick to a version where that is wanted; without the gateway's API for it all else goes on."""
    memory, traffic = objects.memory, target.spec.traffic
    memory.policy_refused = None
    if not plan.split or traffic is None or traffic.sticky is None:
        return
    found = objects.live.get((POLICIES.kind, target.name))
    if found and is_foreign(found):
        return  # who was first keeps it; the look has said so
    wanted = policy.policy(
        name=target.name, namespace=target.namespace, owner=target.owner, sticky=traffic.sticky
    )  # fmt: skip
    try:
        await objects.apply(wanted)
    except NotFoundError:
        return  # the next look says so
    except RefusedError as error:
        memory.policy_refused = f"the BackendTrafficPolicy of traffic.sticky can't be written: {error}"


async def _unstick(target: Target, objects: Objects) -> None:
    """Take away the policy that makes users stick to a version where nobody wants it any more."""
    if (POLICIES.kind, target.name) in objects.live and not (target.spec.traffic and target.spec.traffic.sticky):
        await objects.delete(POLICIES, target.namespace, target.name)


async def _beside(target: Target, name: str, wanted: Manifest | None, objects: Objects) -> None:
    """Apply a route beside the general one, or take it away."""
    if wanted:
        await objects.apply(wanted)
    elif (ROUTES.kind, name) in objects.live:
        await objects.delete(ROUTES, target.namespace, name)


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
