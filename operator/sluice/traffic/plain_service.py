"""Traffic through a plain Service, named as the ModelDeployment: no gateway, and no proxy but Kubernetes' own.

The Service leads to the pods of one revision, or to those of all revisions there are; then each ready pod gets as many
connections as any other, and how many pods a version has is its share. The Service has a port of the pods for its own:
there a server takes one request per connection, so that each request is led anew, and knows that nobody chose for it.

Who dies leaves the Service by Kubernetes' own controllers, and who comes in its place enters it: no operator needed.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from typing import Any

from sluice.api.base import GROUP
from sluice.core.observation import RouteState
from sluice.resources.naming import (
    LABEL_MODEL_DEPLOYMENT,
    LABEL_REVISION,
    Manifest,
    is_foreign,
    metadata,
    owned_labels,
    selector,
)
from sluice.resources.service import PORT, PORT_NAME, SHARED_PORT_NAME
from sluice.traffic.provider import Wanted

ANNOTATION_SPLIT = f"{GROUP}/split"
LABEL_SERVICE = "kubernetes.io/service-name"  # on EndpointSlices, by Kubernetes


class PlainService:
    """A Service whose selector is changed in one write."""

    kind = "Service"

    def read(self, live: Mapping[str, Any], endpoints: Mapping[str, int], ready: Mapping[str, int]) -> RouteState:
        """Return the split as it was asked for, and by what pods it is made.

        It is taken once the endpoints are of the revisions that it leads to, and of each of these that has pods.
        """
        if is_foreign(live):
            return RouteState({}, accepted=False, reason="ServiceTaken", message=_taken(live), endpoints={})
        split = read_split(live)
        there = {revision for revision, number in endpoints.items() if number}
        could = {revision for revision in split if ready.get(revision)}
        taken = bool(split) and could <= there <= split.keys()
        return RouteState(split, accepted=True if taken else None, endpoints=endpoints)

    def render(self, wanted: Wanted, live: Mapping[str, Any] | None, *, settled: bool) -> Manifest | None:
        """Lead to the pods of one revision, or of all that have any; None when somebody else has this name."""
        if live is not None and is_foreign(live):
            return None
        split = {revision: percent for revision, percent in wanted.split.items() if percent}
        name = wanted.name
        picks = selector(name, next(iter(split))) if len(split) == 1 else _all_of(name)
        head = metadata(name=name, namespace=wanted.namespace, labels=owned_labels(name), owner=wanted.owner)
        said = " ".join(f"{revision}={percent}" for revision, percent in sorted(split.items()))
        return {
            "apiVersion": "v1",
            "kind": self.kind,
            "metadata": head | {"annotations": {ANNOTATION_SPLIT: said}},
            "spec": {
                "type": "ClusterIP",
                "selector": picks,
                # Said, so that nobody else says otherwise: by both, versions would have other shares than their pods.
                "sessionAffinity": "None",
                "internalTrafficPolicy": "Cluster",
                "ports": [{"name": PORT_NAME, "port": PORT, "targetPort": SHARED_PORT_NAME, "protocol": "TCP"}],
            },
        }

    def mark(self, live: Mapping[str, Any]) -> Hashable:
        """Return whom it leads to."""
        return tuple(sorted((live.get("spec", {}).get("selector") or {}).items()))


def read_split(live: Mapping[str, Any]) -> dict[str, int]:
    """Return percent by revision, as asked for; nothing where the selector is not one of ours."""
    name, picks = live["metadata"]["name"], live.get("spec", {}).get("selector") or {}
    if (revision := picks.get(LABEL_REVISION)) and picks == selector(name, revision):
        return {revision: 100}
    if picks != _all_of(name):
        return {}
    said = (live["metadata"].get("annotations") or {}).get(ANNOTATION_SPLIT, "")
    parts = [part.partition("=") for part in said.split()]
    split = {revision: int(percent) for revision, _, percent in parts if percent.isascii() and percent.isdecimal()}
    return split if sum(split.values()) == 100 else {}


def endpoints_of(name: str, slices: Iterable[Mapping[str, Any]], pods: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Return the ready pods by revision that a Service leads to, by its EndpointSlices."""
    revisions = {pod["metadata"]["uid"]: pod["metadata"].get("labels", {}).get(LABEL_REVISION) for pod in pods}
    found: dict[str, int] = {}
    for uid in set(_ready(name, slices)):
        if revision := revisions.get(uid):
            found[revision] = found.get(revision, 0) + 1
    return found


def _ready(name: str, slices: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for found in slices:
        labels = found.get("metadata", {}).get("labels") or {}
        # Pods without the port stand in a slice without ports: nobody is led to them.
        if labels.get(LABEL_SERVICE) == name and found.get("ports"):
            for endpoint in found.get("endpoints") or ():
                if endpoint.get("conditions", {}).get("ready") is not False:
                    yield endpoint.get("targetRef", {}).get("uid", "")


def _all_of(name: str) -> dict[str, str]:
    """Return the labels that pick the pods of all revisions; Jobs of gates have other ones."""
    kept = ("app.kubernetes.io/name", LABEL_MODEL_DEPLOYMENT)
    return {label: value for label, value in owned_labels(name).items() if label in kept}


def _taken(live: Mapping[str, Any]) -> str:
    meta = live["metadata"]
    return (
        f"there is a Service {meta.get('namespace', '')}/{meta['name']} that Sluice has not made: delete it, or give "
        "the ModelDeployment another name"
    )
