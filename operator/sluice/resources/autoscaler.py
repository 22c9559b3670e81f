"""The autoscaler of a revision, and what a Deployment says while it has one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sluice.api.autoscaling import Autoscaling
from sluice.resources.naming import ANNOTATION_AUTOSCALED, Manifest, labels, metadata, object_name


def autoscaler(
    *, name: str, namespace: str, revision_name: str, autoscaling: Autoscaling, floor: int, owner: Manifest
) -> Manifest:
    """Let the load say how many pods one revision has, from `floor` on."""
    spec: Manifest = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": object_name(name, revision_name)},
        "minReplicas": floor,
        "maxReplicas": max(floor, autoscaling.max_replicas),
        "metrics": [
            {
                "type": "Resource",
                "resource": {
                    "name": "cpu",
                    "target": {
                        "type": "Utilization",
                        "averageUtilization": autoscaling.target_cpu_utilization_percentage,
                    },
                },
            }
        ],
    }
    if autoscaling.scale_down_stabilization_seconds is not None:
        spec["behavior"] = {"scaleDown": {"stabilizationWindowSeconds": autoscaling.scale_down_stabilization_seconds}}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": metadata(
            name=object_name(name, revision_name),
            namespace=namespace,
            labels=labels(name, revision_name),
            owner=owner,
        ),
        "spec": spec,
    }


def autoscaled(deployment: Manifest, live: Mapping[str, Any] | None, floor: int, *, ours: bool) -> Manifest:
    """Return a Deployment whose pods an autoscaler counts.

    To leave a field out of an apply that has owned it sets it back to its default: one pod. So `replicas` stays in, as
    it is, until the autoscaler has written it, which takes it over. Nobody waits for him where there are too few: he
    would not do anything else, but up to 15 s later.

    Args:
        deployment: as it is without an autoscaler.
        live: the Deployment as it was seen; applied over that version only, so that no newer number is undone.
        floor: the fewest pods that the autoscaler may leave.
        ours: we own `replicas` of the live one.
    """
    meta = deployment["metadata"] | {"annotations": {ANNOTATION_AUTOSCALED: "true"}}
    runs = live["spec"].get("replicas", 1) if live else 0
    spec = {key: value for key, value in deployment["spec"].items() if key != "replicas"}
    if ours or runs < floor:
        spec = {"replicas": max(runs, floor)} | spec
    return deployment | {"metadata": meta, "spec": spec}


def is_autoscaled(live: Mapping[str, Any]) -> bool:
    """Say whether the number of a Deployment's pods was an autoscaler's to change when we last applied it."""
    return (live["metadata"].get("annotations") or {}).get(ANNOTATION_AUTOSCALED) == "true"


def trouble(live: Mapping[str, Any]) -> str | None:
    """Say why an autoscaler does not know how many pods there should be, for example because nobody measures."""
    for condition in live.get("status", {}).get("conditions") or ():
        if condition["type"] == "ScalingActive" and condition["status"] == "False":
            return f"{condition.get('reason', '')}: {condition.get('message', '')}"
    return None
