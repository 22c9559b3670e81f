"""Names, labels and owner references: how Sluice finds its own objects again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sluice.api.base import API_VERSION, GROUP, KIND
from sluice.api.spec import Approval

Manifest = dict[str, Any]

MANAGED_BY = "sluice"
FIELD_MANAGER = "sluice"

LABEL_MODEL_DEPLOYMENT = f"{GROUP}/model-deployment"
LABEL_REVISION = f"{GROUP}/revision"
LABEL_GATE = f"{GROUP}/gate"

ANNOTATION_ROUND = f"{GROUP}/gate-round"
ANNOTATION_MODEL = f"{GROUP}/model"
ANNOTATION_DIGEST = f"{GROUP}/digest"
ANNOTATION_AUTOSCALED = f"{GROUP}/autoscaled"
WISHES: Mapping[Approval, str] = {
    "promote": f"{GROUP}/promote",
    "abort": f"{GROUP}/abort",
    "retry": f"{GROUP}/retry",
    "promote-full": f"{GROUP}/promote-full",
    "rollback": f"{GROUP}/rollback",
}
ACTOR = f"{GROUP}/actor"


def object_name(name: str, revision: str) -> str:
    """Return the name of every object of one revision of a ModelDeployment."""
    return f"{name}-{revision}"


def preview_name(name: str) -> str:
    """Return the name of the route to a candidate without traffic; no ModelDeployment has a dot in its name."""
    return f"{name}.preview"


def targeted_name(name: str) -> str:
    """Return the name of the route for requests that are meant for the candidate."""
    return f"{name}.targeted"


def revision_of(name: str, child: str) -> str | None:
    """Return the revision in the name of a child; None when it is no child of this ModelDeployment."""
    prefix = f"{name}-"
    return child[len(prefix) :] if child.startswith(prefix) and len(child) > len(prefix) else None


def selector(name: str, revision: str) -> dict[str, str]:
    """Return the labels that pick one revision's pods, and nothing else; a Deployment can never change them."""
    return {LABEL_MODEL_DEPLOYMENT: name, LABEL_REVISION: revision}


def owned_labels(name: str) -> dict[str, str]:
    """Return the labels of every object of a ModelDeployment."""
    return {
        "app.kubernetes.io/name": "sluice-model",
        "app.kubernetes.io/instance": name,
        "app.kubernetes.io/managed-by": MANAGED_BY,
        LABEL_MODEL_DEPLOYMENT: name,
    }


def labels(name: str, revision: str) -> dict[str, str]:
    """Return the labels of every object of one revision."""
    return {**owned_labels(name), LABEL_REVISION: revision}


def owner_reference(*, name: str, uid: str) -> Manifest:
    """Point to the ModelDeployment: the garbage collector removes the object after it."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "name": name,
        "uid": uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def metadata(*, name: str, namespace: str, labels: Mapping[str, str], owner: Manifest) -> Manifest:
    """Return the metadata of an owned object."""
    return {"name": name, "namespace": namespace, "labels": dict(labels), "ownerReferences": [dict(owner)]}


def is_foreign(live: Mapping[str, Any]) -> bool:
    """Say whether an object of a ModelDeployment's name is somebody else's, who was first to name it so."""
    meta = live["metadata"]
    owners = meta.get("ownerReferences") or ()
    return not any((owner.get("kind"), owner.get("name")) == (KIND, meta["name"]) for owner in owners)
