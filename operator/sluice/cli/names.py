"""The names of the API that the plugin uses. Written out here: it runs without pydantic, and starts faster for it."""

from __future__ import annotations

GROUP = "sluice.dev"
VERSION = "v1alpha1"
KIND = "ModelDeployment"
PLURAL = "modeldeployments"
RECORD_PLURAL = "rolloutrecords"

LABEL_MODEL_DEPLOYMENT = f"{GROUP}/model-deployment"
LABEL_REVISION = f"{GROUP}/revision"
ACTOR = f"{GROUP}/actor"

# Who wrote a field, as the API server notes it.
FIELD_MANAGER = "kubectl-sluice"
# How the chart labels the operator.
OPERATOR_LABEL = "app.kubernetes.io/name=sluice"


def wish(action: str) -> str:
    """Return the annotation that asks for an action."""
    return f"{GROUP}/{action}"


def resources(namespace: str | None, plural: str = PLURAL, name: str = "") -> str:
    """Return the API path of our objects: of all namespaces, of one, or of one object."""
    where = ("namespaces", namespace) if namespace else ()
    return "/".join(filter(None, ("/apis", GROUP, VERSION, *where, plural, name)))
