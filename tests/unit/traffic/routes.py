"""Routes for the tests of the gateway, and what tests look at in them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from sluice.api.traffic import GatewayRef, Sticky, Traffic
from sluice.resources.differences import differences
from sluice.resources.naming import owner_reference
from sluice.traffic import gateway_api

OWNER = owner_reference(name="birds", uid="0b2c")
TRAFFIC = Traffic(
    gateway=GatewayRef(name="public", namespace="edge"), hostnames=("birds.example.test",), path_prefix="/birds"
)
STICKY = TRAFFIC.model_copy(update={"sticky": Sticky(header="X-User-ID")})

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def render(split: dict[str, int], traffic: Traffic = TRAFFIC, live: dict[str, Any] | None = None) -> dict[str, Any]:
    return gateway_api.render(name="birds", namespace="zoo", owner=OWNER, traffic=traffic, split=split, live=live)


def differing(desired: dict[str, Any], live: dict[str, Any]) -> list[str]:
    return [path for path, *_ in differences("spec", desired["spec"], live.get("spec"))]


def headers_of(route: dict[str, Any]) -> tuple[dict[str, str], list[str]]:
    headers = route["spec"]["rules"][0]["filters"][0]["requestHeaderModifier"]
    return {entry["name"]: entry["value"] for entry in headers["set"]}, headers.get("remove", [])


def backends_of(route: dict[str, Any]) -> list[tuple[str, int]]:
    return [(backend["name"], backend["weight"]) for backend in route["spec"]["rules"][0]["backendRefs"]]
