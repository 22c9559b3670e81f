"""The gateway of the simulated cluster: it answers what is written, and its proxies know of it a moment later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sluice.kube.api import Manifest
from sluice.resources.naming import revision_of
from sluice.traffic import gateway_api, targeted

from tests.simulation import users
from tests.simulation.store import copy

if TYPE_CHECKING:
    from tests.simulation.world import World


def run(world: World, namespace: str, name: str) -> None:
    """Let it answer what is written, and its proxies learn of what it has taken; or the nodes of a Service."""
    world.service.learn(world.store, namespace, name, world.time, (world.gateway_delay, world.proxy_delay))
    if world.service.known is not None:
        world.live = world.service.split(world.lives.values())
        return
    routes = {route["metadata"]["name"]: route for route in world.store.of_kind("HTTPRoute")}
    taken = {one for one, route in routes.items() if _answer(world, route)}
    _stick(world, namespace, name)
    _lead_targeted(world, routes.get(f"{name}.targeted"), taken)
    route = routes.get(name)
    if route is None:
        world.live, world.proxied = {}, {}
        return
    if name not in taken:
        return
    known_at = world.taken_at[route["metadata"]["uid"], route["metadata"]["generation"]] + world.proxy_delay
    if world.gateway_refuses:
        world.tampered = True
    elif world.time >= known_at and world.proxied.get("spec") != route["spec"]:
        if world.proxied and world.time > world.gap_until:
            world.torn += torn(world.proxied, route)
        world.live, world.proxied = split_of(route), route


def _stick(world: World, namespace: str, name: str) -> None:
    """Let the proxies learn of the policy by which users stick to a version."""
    found = world.store.objects.get(("BackendTrafficPolicy", namespace, name))
    if found is None:
        world.sticks = False
        return
    key = found["metadata"]["uid"], found["metadata"]["generation"]
    taken_at = world.taken_at.setdefault(key, world.time + world.gateway_delay)
    if world.time < taken_at:
        return
    changed = copy(found)
    changed["status"] = users.taken(key[1], world.policy_refused)
    world.store.write(changed)
    if world.time >= taken_at + world.proxy_delay:
        world.sticks = not world.policy_refused


def _lead_targeted(world: World, route: Manifest | None, taken: set[str]) -> None:
    """Let the proxies learn of the route for requests that match; one that is gone they forget at once."""
    if route:
        known_at = world.taken_at[route["metadata"]["uid"], route["metadata"]["generation"]] + world.proxy_delay
        if world.gateway_refuses or route["metadata"]["name"] not in taken or world.time < known_at:
            return
    before, after = targeted_by(world.proxied_targeted), targeted_by(route)
    for one, other in ((before, after), (after, before)):
        if one.open and one.revision != other.revision:
            world.torn.append(f"targeted {one.revision}")
    world.targeted, world.proxied_targeted = after.revision if after.open else None, route


def _answer(world: World, route: Manifest) -> bool:
    """Write the gateway's word on a route into it, once it has had its time; say whether it has."""
    generation = route["metadata"]["generation"]
    if world.time < world.taken_at.setdefault((route["metadata"]["uid"], generation), world.time + world.gateway_delay):
        return False
    answer = {"status": "False" if world.gateway_refuses else "True", "observedGeneration": generation}
    answer |= {"reason": "Refused", "message": world.gateway_refuses} if world.gateway_refuses else {}
    conditions = [{"type": kind} | answer for kind in ("Accepted", "ResolvedRefs")]
    changed = copy(route)
    changed["status"] = {"parents": [{"parentRef": {"name": "public"}, "conditions": conditions}]}
    world.store.write(changed)
    return True


def torn(before: Manifest, after: Manifest) -> list[str]:
    """Name the revisions whose cluster proxies get or lose together with the traffic for it: each has its position."""
    old, new = (
        {(index, slot.revision): slot for index, slot in enumerate(gateway_api.read_slots(route)) if slot.share}
        for route in (before, after)
    )
    came = [key for key, slot in new.items() if not slot.parked and key not in old]
    left = [key for key, slot in old.items() if not slot.parked and key not in new]
    return [f"{name} at {index}" for index, name in came + left]


def mirrored(route: Manifest) -> tuple[str, int, str] | None:
    """The revision that gets copies, of how many percent, and the name of the comparison."""
    filters = route["spec"]["rules"][0]["filters"] if route else []
    for found in filters:
        if found["type"] == "RequestMirror":
            wants = found["requestMirror"]
            headers = filters[0]["requestHeaderModifier"]["set"]
            (compare,) = (header["value"] for header in headers if header["name"] == gateway_api.HEADER_COMPARE)
            revision = revision_of(route["metadata"]["name"], wants["backendRef"]["name"]) or ""
            return revision, wants["percent"], compare.partition(";")[0]
    return None


@dataclass(frozen=True)
class TargetedBy:
    """The revision whose cluster a route for requests that match needs, and whether it lets them in."""

    revision: str | None = None
    open: bool = False


def targeted_by(route: Manifest | None) -> TargetedBy:
    if route is None:
        return TargetedBy()
    state = targeted.read(route)
    return TargetedBy(next(iter([*state.weights, *state.parked]), None), bool(state.weights))


def split_of(route: Manifest) -> dict[str, int]:
    """Percent by revision, as written."""
    return dict(gateway_api.read(route).weights)
