"""What runs a revision: its frozen pod template, and the Deployment that keeps its pods."""

from __future__ import annotations

from typing import Any

from sluice.api.status import Revision
from sluice.resources.naming import Manifest, labels, metadata, object_name, selector
from sluice.resources.pod import pod_template

__all__ = ["controller_revision", "deployment", "frozen_template", "pod_template"]


def controller_revision(
    *, name: str, namespace: str, revision: Revision, template: Manifest, owner: Manifest
) -> Manifest:
    """Freeze the pod template of a revision; the API server refuses any later change of `data`."""
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": metadata(
            name=object_name(name, revision.name),
            namespace=namespace,
            labels=labels(name, revision.name),
            owner=owner,
        ),
        "revision": 1,  # required; our revisions are named by their hash and need no number
        "data": {"revision": revision.to_kubernetes(), "template": template},
    }


def frozen_template(live: dict[str, Any]) -> Manifest | None:
    """Read the pod template back; None when the object holds none, for example because somebody else made it."""
    data = live.get("data")
    template = data.get("template") if isinstance(data, dict) else None
    return template if isinstance(template, dict) else None


def deployment(
    *, name: str, namespace: str, revision_name: str, template: Manifest, replicas: int, owner: Manifest
) -> Manifest:
    """Keep `replicas` pods of one revision. Its template never changes, so it never rolls by itself."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(
            name=object_name(name, revision_name),
            namespace=namespace,
            labels=labels(name, revision_name),
            owner=owner,
        ),
        "spec": {
            "replicas": replicas,
            "revisionHistoryLimit": 0,
            "minReadySeconds": 0,
            "selector": {"matchLabels": selector(name, revision_name)},
            "template": template,
        },
    }
