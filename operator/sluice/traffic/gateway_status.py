"""Read an HTTPRoute as it stands in the cluster, also one that somebody edited by hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sluice.core.observation import RouteState
from sluice.resources.naming import revision_of
from sluice.traffic.slots import FOREIGN, PERCENT, VACANT, WHOLE, Slot

REQUIRED = ("Accepted", "ResolvedRefs")


def read(route: Mapping[str, Any]) -> RouteState:
    """Return the weights by revision and what the gateway says about the route; never raises on odd content.

    A backend that is not a revision's Service appears as `service/NAME`. Weights that do not sum to 100 (a hand
    edit) are given in percent of their sum.
    """
    state = RouteState(_weights(route), parked=frozenset(slot.revision for slot in read_slots(route) if slot.parked))
    reports = list(_reports(route))
    for report in reports:
        for condition in report:
            if condition.get("status") == "False":
                message = str(condition.get("message") or "the gateway gave no reason")
                return replace(state, accepted=False, reason=str(condition.get("reason", "")), message=message)
    complete = any({c["type"] for c in report if c.get("status") == "True"} >= set(REQUIRED) for report in reports)
    return replace(state, accepted=True if complete else None)


def read_slots(route: Mapping[str, Any]) -> tuple[Slot, ...]:
    """Return the backends of the first rule in their order; what is no revision's Service is `service/NAME`.

    A place that is vacant has a share of 0, whoever fills it: its weight is its neighbour's (`slots.written`).
    """
    name = str(_dict(route.get("metadata")).get("name", "")).partition(".")[0]  # all but the general one have a suffix
    rules = [_dict(rule) for rule in _list(_dict(route.get("spec")).get("rules"))]
    backends = [ref for ref in _list(rules[0].get("backendRefs") if rules else None) if isinstance(ref, dict)]
    standing = [(str(backend.get("name", "")), _weight(backend)) for backend in backends]
    total = sum(weight for _, weight in standing)
    shares = [max(1, round(WHOLE * weight / total)) if weight else 0 for _, weight in standing]
    for index, host in _vacant(standing):
        shares[host], shares[index] = shares[host] + shares[index], 0
    whose = (revision_of(name, service) or f"{FOREIGN}{service}" for service, _ in standing)
    return tuple(Slot(revision, share) for revision, share in zip(whose, shares, strict=True))


def _vacant(standing: Sequence[tuple[str, int]]) -> Iterator[tuple[int, int]]:
    """Yield the vacant places, known by their weight whatever has become of the others, each with its neighbour."""
    for index, (service, weight) in enumerate(standing):
        hosts = [one for one, (other, most) in enumerate(standing) if other == service and most > VACANT]
        if weight == VACANT and hosts:
            yield index, max((one for one in hosts if one < index), default=hosts[0])


def tells(route: Mapping[str, Any], header: str) -> bool:
    """Whether the first rule sets a header of the requests."""
    rules = _list(_dict(route.get("spec")).get("rules"))
    filters = [
        _dict(_dict(found).get("requestHeaderModifier")) for found in _list(_dict((rules or [0])[0]).get("filters"))
    ]
    return any(_dict(entry).get("name") == header for found in filters for entry in _list(found.get("set")))


def _weights(route: Mapping[str, Any]) -> dict[str, int]:
    """Percent by revision; parked ones have no traffic to speak of and are left out."""
    shares: dict[str, int] = {}
    for slot in read_slots(route):
        if slot.share and not slot.parked:
            shares[slot.revision] = shares.get(slot.revision, 0) + slot.share
    return {revision: max(1, round(share / PERCENT)) for revision, share in shares.items()}


def _weight(backend: Mapping[str, Any]) -> int:
    weight = backend.get("weight", 1)  # 1 is the default of the Gateway API
    return weight if isinstance(weight, int) and not isinstance(weight, bool) and weight > 0 else 0


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
