"""Reads the world for one ModelDeployment: the only place where an Observation is made."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, get_args

from sluice.api.spec import Approval, ModelDeploymentSpec
from sluice.api.traffic import Traffic
from sluice.core.observation import GateState, Pod, RevisionState, RouteState, Severity, Trouble, Wish
from sluice.kube.api import (
    AUTOSCALERS,
    BUDGETS,
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    GATEWAYS,
    JOBS,
    PODS,
    POLICIES,
    ROUTES,
    SERVICES,
    KubeApi,
    Manifest,
)
from sluice.kube.errors import ForbiddenError, NotFoundError
from sluice.kube.jobs import read_gates
from sluice.kube.ownership import writer
from sluice.kube.pods import read_pod
from sluice.resources.autoscaler import is_autoscaled, trouble
from sluice.resources.disruption import FEWEST
from sluice.resources.naming import ACTOR, LABEL_MODEL_DEPLOYMENT, LABEL_REVISION, WISHES, preview_name, targeted_name
from sluice.traffic import gateway_api, plain_service, policy, targeted
from sluice.traffic.providers import provider_of


@dataclass(frozen=True)
class World:
    """What Kubernetes holds for one ModelDeployment."""

    revisions: Mapping[str, RevisionState]
    route: RouteState | None
    preview: RouteState | None
    targeted: RouteState | None
    gateway_problem: str | None
    gates: tuple[GateState, ...]
    objects: Mapping[tuple[str, str], Manifest]
    autoscaling_problem: str | None = None
    sticky_problem: str | None = None

    @property
    def sticky_pending(self) -> bool:
        """Whether the gateway has only to answer for users to stick to a version."""
        return self.sticky_problem == policy.PENDING


async def observe(
    api: KubeApi, namespace: str, name: str, spec: ModelDeploymentSpec, *, is_new: bool = False,
    further_routes: tuple[str, ...] = (), gating: bool = False,
) -> World:  # fmt: skip
    """Read the live state of everything a ModelDeployment owns or depends on.

    One that is new, without any status, owns nothing: facts are written before objects, and only over the version of
    the ModelDeployment that was read.

    Args:
        api: to read with.
        namespace: of the ModelDeployment.
        name: of the ModelDeployment.
        spec: of the ModelDeployment.
        is_new: it has no status.
        further_routes: names of those that its status says are there, or were, beside the general one.
        gating: its status says that gates are, or were, being asked.
    """
    if is_new:
        problem = await gateway_problem(api, namespace, spec.traffic)
        pending = policy.PENDING if spec.traffic and spec.traffic.sticky else None
        return World({}, None, None, None, problem, (), {}, sticky_problem=pending)
    mine = f"{LABEL_MODEL_DEPLOYMENT}={name}"
    deployments, services, (pods, slices), routes, jobs, problem = await asyncio.gather(
        api.list(DEPLOYMENTS, namespace, mine),
        api.list(SERVICES, namespace, mine),
        read_pods(api, namespace, mine),
        read_routes(api, namespace, (*(() if spec.by_pods else (name,)), *further_routes)),
        api.list(JOBS, namespace, mine) if gating else _nothing(),
        gateway_problem(api, namespace, spec.traffic),
    )
    objects = {("Deployment", d["metadata"]["name"]): d for d in deployments}
    objects |= {("Service", s["metadata"]["name"]): s for s in services}
    objects |= {("HTTPRoute", found["metadata"]["name"]): found for found in routes.values()}
    objects |= {("Job", job["metadata"]["name"]): job for job in jobs}
    autoscalers, budgets = await read_companions(api, namespace, mine, spec, deployments)
    objects |= {(AUTOSCALERS.kind, found["metadata"]["name"]): found for found in autoscalers}
    objects |= {(BUDGETS.kind, found["metadata"]["name"]): found for found in budgets}
    policies, sticky_problem = await read_policies(api, namespace, name, spec.traffic, routes.get(name))
    objects |= {(POLICIES.kind, found["metadata"]["name"]): found for found in policies}
    if spec.by_pods and ("Service", name) not in objects and (other := await api.get(SERVICES, namespace, name)):
        objects["Service", name] = other  # somebody else's, or without its labels
    preview, meant = (routes.get(one) for one in (preview_name(name), targeted_name(name)))
    way, revisions = provider_of(spec), read_revisions(deployments, pods, slices)
    found = objects.get((way.kind, name))
    ready = {revision: state.ready for revision, state in revisions.items()}
    return World(
        revisions=revisions,
        route=way.read(found, plain_service.endpoints_of(name, slices, pods), ready) if found else None,
        preview=gateway_api.read(preview) if preview else None,
        targeted=targeted.read(meant) if meant else None,
        gateway_problem=problem,
        gates=read_gates(jobs, pods),
        objects=objects,
        autoscaling_problem=next(filter(None, map(trouble, autoscalers)), None),
        sticky_problem=sticky_problem,
    )


async def read_companions(
    api: KubeApi, namespace: str, labels: str, spec: ModelDeploymentSpec, deployments: list[Manifest]
) -> tuple[list[Manifest], list[Manifest]]:
    """Return autoscalers and disruption budgets; most ModelDeployments have none, and nobody asks for theirs.

    They come after their Deployment and go before it changes, so it tells whether there may be some.
    """
    scales = spec.autoscaling is not None or any(map(is_autoscaled, deployments))
    several = spec.least_replicas >= FEWEST or any(d["spec"].get("replicas", 1) >= FEWEST for d in deployments)
    budgets = await api.list(BUDGETS, namespace, labels) if scales or several else []
    return await api.list(AUTOSCALERS, namespace, labels) if scales else [], budgets


async def read_policies(
    api: KubeApi, namespace: str, name: str, traffic: Traffic | None, route: Manifest | None
) -> tuple[list[Manifest], str | None]:
    """Return the policies that make users stick to a version, and what is wrong with them in a sentence.

    Most ModelDeployments have none, and most clusters may not even know the kind. A policy is made after the route
    says where a user's id is, and goes before it stops saying so; so the route tells whether there may be one.
    """
    sticky, gateway = traffic and traffic.sticky, traffic and traffic.gateway
    if sticky is None and not gateway_api.names_users(route):
        return [], None
    try:
        found = await api.list(POLICIES, namespace, f"{LABEL_MODEL_DEPLOYMENT}={name}")
        if sticky and not found and (other := await api.get(POLICIES, namespace, name)):
            found = [other]  # somebody else's, or without its labels
    except (NotFoundError, ForbiddenError) as error:
        problem = policy.MISSING if isinstance(error, NotFoundError) else policy.FORBIDDEN
        return [], problem if sticky else None
    return found, policy.trouble(found[0] if found else None, gateway.name) if sticky and gateway else None


async def read_pods(api: KubeApi, namespace: str, labels: str) -> tuple[list[Manifest], list[Manifest]]:
    """Return pods, and the endpoints of Services; without pods there are none worth asking for."""
    pods = await api.list(PODS, namespace, labels)
    return pods, await api.list(ENDPOINT_SLICES, namespace, labels) if pods else []


async def _nothing() -> list[Manifest]:
    return []


async def read_routes(api: KubeApi, namespace: str, names: Iterable[str]) -> dict[str, Manifest]:
    """Return the routes that are there, by name."""
    found = await asyncio.gather(*(api.get(ROUTES, namespace, name) for name in names))
    return {route["metadata"]["name"]: route for route in found if route}


def read_revisions(
    deployments: list[Manifest], pods: list[Manifest], slices: list[Manifest]
) -> dict[str, RevisionState]:
    """Put Deployments and pods together by revision.

    Ready is who stands in its Service's endpoints: the gateway knows no other pods, and answers 500 itself when a
    revision that has a weight has none yet.
    """
    endpoints = set(ready_endpoints(slices))
    by_revision: dict[str, list[Pod]] = {}
    for raw in pods:
        pod = read_pod(raw)
        pod = replace(pod, ready=pod.ready and pod.uid in endpoints)
        by_revision.setdefault(raw["metadata"]["labels"].get(LABEL_REVISION, ""), []).append(pod)
    found = {}
    for deployment in deployments:
        revision = deployment["metadata"]["labels"].get(LABEL_REVISION)
        if revision is None:
            continue  # not one of ours, whoever labelled it
        found[revision] = RevisionState(
            name=revision,
            replicas=deployment["spec"].get("replicas", 1),
            pods=tuple(by_revision.get(revision, ())),
            trouble=_replica_failure(deployment),
        )
    for revision, left in by_revision.items():
        if revision and revision not in found:
            found[revision] = RevisionState(revision, pods=tuple(left), deployed=False)
    return found


def ready_endpoints(slices: Iterable[Manifest]) -> Iterator[str]:
    """Yield the UIDs of the pods that Services send requests to."""
    for endpoint in (endpoint for found in slices for endpoint in found.get("endpoints") or ()):
        # Readiness that is not stated counts as ready (EndpointSlice API).
        if endpoint.get("conditions", {}).get("ready") is not False:
            yield endpoint.get("targetRef", {}).get("uid", "")


async def gateway_problem(api: KubeApi, namespace: str, traffic: Traffic | None) -> str | None:
    """Say in a sentence what is wrong with the Gateway, None when it is there."""
    if traffic is None or traffic.gateway is None:
        return None
    where = traffic.gateway.namespace or namespace
    try:
        if await api.get(GATEWAYS, where, traffic.gateway.name) is not None:
            return None
    except ForbiddenError:
        return (
            f"Sluice may not read Gateway {where}/{traffic.gateway.name}: add {where} to gatewayNamespaces of the Helm "
            "chart, or allow its service account to get gateways there"
        )
    return (
        f"there is no Gateway {where}/{traffic.gateway.name}: create it, or name another one in spec.traffic.gateway "
        "(name and namespace)"
    )


def read_wish(metadata: Manifest) -> Wish | None:
    """Return what a user asks for by annotation, and who; abort before all others."""
    annotations: Mapping[str, str] = metadata.get("annotations") or {}
    order: tuple[Approval, ...] = ("abort", *(action for action in get_args(Approval) if action != "abort"))
    for action in order:
        if revision := annotations.get(WISHES[action]):
            return Wish(
                action=action, revision=revision, actor=_actor(metadata, WISHES[action], annotations.get(ACTOR))
            )
    return None


def _actor(metadata: Manifest, annotation: str, said: str | None) -> str | None:
    """Return who wrote an annotation: the name that stands beside it, and the program that the API server has noted."""
    program = writer(metadata, "metadata", "annotations", annotation)
    if said:
        return f"{said[:200]} ({program})" if program else said[:200]
    return program


def _replica_failure(deployment: Manifest) -> Trouble | None:
    """Say why the Deployment can't create pods, for example for a quota or the pod security standard."""
    conditions: list[dict[str, Any]] = deployment.get("status", {}).get("conditions", [])
    for condition in conditions:
        if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
            return Trouble(Severity.WAITING, condition.get("reason", "ReplicaFailure"), condition.get("message", ""))
    return None
