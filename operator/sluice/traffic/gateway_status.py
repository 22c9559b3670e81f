"""Read an HTTPRoute as it stands in the cluster, also one that somebody edited by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sluice.core.observation import RouteState
from sluice.resources.naming import revision_of

REQUIRED = ("Accepted", "ResolvedRefs")


def read(route: Mapping[str, Any]) -> RouteState:
    """Return the weights by revision and what the gateway says about the route; never raises on odd content.

    A backend that is not a revision's Service appears as `service/NAME`. Weights that do not sum to 100 (a hand
    edit) are given in percent of their sum.
    """
    weights = _weights(route)
    reports = list(_reports(route))
    if not reports:
        return RouteState(weights)
    for report in reports:
        for condition in report:
            if condition.get("status") == "False":
                message = str(condition.get("message") or "the gateway gave no reason")
                return RouteState(weights, accepted=False, reason=str(condition.get("reason", "")), message=message)
    complete = any({c["type"] for c in report if c.get("status") == "True"} >= set(REQUIRED) for report in reports)
    return RouteState(weights, accepted=True if complete else None)


def _weights(route: Mapping[str, Any]) -> dict[str, int]:
    name = str(_dict(route.get("metadata")).get("name", ""))
    found: dict[str, int] = {}
    rules = [_dict(rule) for rule in _list(_dict(route.get("spec")).get("rules"))]
    for backend in _list(rules[0].get("backendRefs") if rules else None):
        weight = backend.get("weight", 1) if isinstance(backend, dict) else 0  # 1 is the Gateway API's default
        if not isinstance(weight, int) or isinstance(weight, bool) or weight <= 0:
            continue
        service = str(backend.get("name", ""))
        key = revision_of(name, service) or f"service/{service}"
        found[key] = found.get(key, 0) + weight
    total = sum(found.values())
    return found if total == 100 else {key: max(1, round(100 * weight / total)) for key, weight in found.items()}


def _reports(route: Mapping[str, Any]) -> Iterator[list[dict[str, Any]]]:
    """Yield, for every gateway of ours that answered, its required conditions as of the route's present generation."""
    generation = _dict(route.get("metadata")).get("generation")
    ours = [_dict(ref).get("name") for ref in _list(_dict(route.get("spec")).get("parentRefs"))]
    for parent in (_dict(entry) for entry in _list(_dict(route.get("status")).get("parents"))):
        if _dict(parent.get("parentRef")).get("name") not in ours:
            continue  # of a gateway that the route was attached to before
        conditions = [_dict(condition) for condition in _list(parent.get("conditions"))]
        yield [c for c in conditions if c.get("type") in REQUIRED and c.get("observedGeneration") == generation]


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
