"""The BackendTrafficPolicy that makes the choice between versions stick to a user: Envoy Gateway's own API.

With a consistent hash on a route, Envoy Gateway makes Envoy choose among the route's backends by that hash too
(`use_hash_policy`, since 1.9.1). Without a time to live no cookie is made: who has none, or no such header, is assigned
anew with each request.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sluice.api.traffic import Sticky
from sluice.resources.naming import Manifest, is_foreign, metadata, owned_labels

GROUP = "gateway.envoyproxy.io"
API_VERSION = f"{GROUP}/v1alpha1"
KIND = "BackendTrafficPolicy"
ROUTE_GROUP, ROUTE_KIND = "gateway.networking.k8s.io", "HTTPRoute"

MISSING = (
    "traffic.sticky needs Envoy Gateway's BackendTrafficPolicy, which this cluster does not have: install Envoy "
    "Gateway 1.9.1 or later, or remove traffic.sticky (then each request is assigned anew)"
)
FORBIDDEN = (
    "Sluice may not read BackendTrafficPolicies (gateway.envoyproxy.io), which traffic.sticky needs: upgrade its Helm "
    "chart, or allow its service account to get, list, watch, create, patch and delete them"
)
PENDING = "waiting for the gateway to take the BackendTrafficPolicy of traffic.sticky"


def policy(*, name: str, namespace: str, owner: Manifest, sticky: Sticky) -> Manifest:
    """Hash the user's id wherever the ModelDeployment's route leads; what others have set for the gateway stays.

    Everything the API server would fill in is left out: that is not ours.
    """
    if sticky.header:
        key: Manifest = {"type": "Headers", "headers": [{"name": sticky.header.lower()}]}
    else:
        key = {"type": "Cookie", "cookie": {"name": sticky.cookie}}
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": metadata(name=name, namespace=namespace, labels=owned_labels(name), owner=owner),
        "spec": {
            "targetRefs": [{"group": ROUTE_GROUP, "kind": ROUTE_KIND, "name": name}],
            # Else it would take the place of the policy that whoever runs the gateway has put on it.
            "mergeType": "StrategicMerge",
            "loadBalancer": {"type": "ConsistentHash", "consistentHash": key},
        },
    }


def in_force(live: Mapping[str, Any] | None, gateway: str) -> bool | None:
    """Say whether the gateway has taken the policy as it stands; None: it has not answered yet."""
    conditions = list(_conditions(live, gateway))
    if any(_refuses(condition) for condition in conditions):
        return False
    return True if any(_is(condition, "Accepted", "True") for condition in conditions) else None


def trouble(live: Mapping[str, Any] | None, gateway: str) -> str | None:
    """Say why users do not stick to a version, None when they do.

    Args:
        live: the policy, None when there is none.
        gateway: the name of the Gateway that the route attaches to.
    """
    if live is not None and is_foreign(live):
        meta = live["metadata"]
        return (
            f"users do not stick to a version: there is a BackendTrafficPolicy {meta.get('namespace', '')}/"
            f"{meta['name']} that Sluice has not made, and that it needs the name of: give that one another name"
        )
    for condition in _conditions(live, gateway):
        if _refuses(condition):
            return (
                "users do not stick to a version: of the BackendTrafficPolicy of traffic.sticky the gateway says "
                f"{condition.get('reason', '')}: {condition.get('message', '')}"
            )
    return None if in_force(live, gateway) else PENDING


def _refuses(condition: Mapping[str, Any]) -> bool:
    return _is(condition, "Accepted", "False") or _is(condition, "Overridden", "True")


def _is(condition: Mapping[str, Any], kind: str, status: str) -> bool:
    return condition.get("type") == kind and condition.get("status") == status


def _conditions(live: Mapping[str, Any] | None, gateway: str) -> Iterator[Mapping[str, Any]]:
    """Yield what our gateway says about the policy's present generation."""
    if live is None or is_foreign(live):
        return
    generation = live["metadata"].get("generation")
    for ancestor in live.get("status", {}).get("ancestors") or ():
        if ancestor.get("ancestorRef", {}).get("name") == gateway:
            for condition in ancestor.get("conditions") or ():
                if condition.get("observedGeneration") == generation:
                    yield condition
