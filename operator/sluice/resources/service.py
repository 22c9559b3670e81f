"""The Service of a revision: what a route points to. What all of a ModelDeployment's Services have in common."""

from __future__ import annotations

from sluice.resources.naming import Manifest, labels, metadata, object_name, selector

PORT, PORT_NAME = 80, "http"
SHARED_PORT_NAME = "shared"  # of the pods, by name: the one for the Service that all versions share
MIRROR_PORT = 8081


def service(*, name: str, namespace: str, revision_name: str, owner: Manifest) -> Manifest:
    """Give one revision's ready pods an address."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(
            name=object_name(name, revision_name),
            namespace=namespace,
            labels=labels(name, revision_name),
            owner=owner,
        ),
        "spec": {
            "type": "ClusterIP",
            "selector": selector(name, revision_name),
            "ports": [
                {"name": PORT_NAME, "port": PORT, "targetPort": "http", "protocol": "TCP"},
                {"name": "mirror", "port": MIRROR_PORT, "targetPort": "mirror", "protocol": "TCP"},
            ],
        },
    }


def url(*, name: str, namespace: str, revision_name: str) -> str:
    """Return where a revision is reached inside the cluster, past the gateway."""
    return f"http://{object_name(name, revision_name)}.{namespace}.svc"
