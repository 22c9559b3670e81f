"""What stands beside a revision's Deployment: its autoscaler, its disruption budget. Pure.

They are made after the Deployment and deleted before it loses its pods: an autoscaler that outlives what it scales
would start it again, and a controller that begins finds by the Deployment whether there may be one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from sluice.api.spec import ModelDeploymentSpec
from sluice.kube.api import AUTOSCALERS, BUDGETS, Manifest, Resource
from sluice.kube.ownership import owns
from sluice.resources.autoscaler import autoscaled, autoscaler
from sluice.resources.disruption import FEWEST, disruption_budget
from sluice.resources.naming import object_name

Key = tuple[str, str]


def key_of(manifest: Manifest) -> Key:
    """Return what an object is found by: its kind and its name."""
    return manifest["kind"], manifest["metadata"]["name"]


def companions(
    spec: ModelDeploymentSpec, revision: str, replicas: int, floor: int | None, *, name: str, namespace: str,
    owner: Manifest,
) -> tuple[Manifest, ...]:  # fmt: skip
    """Return what is wanted beside one revision's Deployment.

    Args:
        spec: of the ModelDeployment.
        revision: its name.
        replicas: pods wanted of it.
        floor: the fewest pods, where an autoscaler counts them.
        name: of the ModelDeployment.
        namespace: of the ModelDeployment.
        owner: of everything that is made for it.
    """
    most, wanted = replicas, []
    if floor is not None and spec.autoscaling:
        most = max(floor, spec.autoscaling.max_replicas)
        wanted.append(autoscaler(
            name=name, namespace=namespace, revision_name=revision, autoscaling=spec.autoscaling, floor=floor,
            owner=owner,
        ))  # fmt: skip
    if most >= FEWEST:
        wanted.append(disruption_budget(name=name, namespace=namespace, revision_name=revision, owner=owner))
    return tuple(wanted)


def in_order(deployment: Manifest, beside: Iterable[Manifest], live: Mapping[Key, Manifest]) -> Iterator[Manifest]:
    """Yield all of it as it is to be applied: an autoscaler hears first that it may not go below what is to be."""
    there = {key_of(manifest): manifest for manifest in beside}
    yield from (manifest for key, manifest in there.items() if key in live)
    yield deployment
    yield from (manifest for key, manifest in there.items() if key not in live)


def unwanted(name: str, revision: str, wanted: Iterable[Manifest], live: Mapping[Key, Manifest]) -> Iterator[Resource]:
    """Yield the kinds of which a revision has something that is not wanted."""
    kinds = {manifest["kind"] for manifest in wanted}
    for resource in (AUTOSCALERS, BUDGETS):
        if resource.kind not in kinds and (resource.kind, object_name(name, revision)) in live:
            yield resource


def counted(deployment: Manifest, live: Manifest | None, floor: int | None) -> Manifest:
    """Leave the number of pods to the autoscaler, where there is one."""
    if floor is None:
        return deployment
    return autoscaled(deployment, live, floor, ours=live is not None and owns(live, "spec", "replicas"))
