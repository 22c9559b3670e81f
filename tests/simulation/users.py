"""Users who stick to a version: how Envoy chooses among a route's backends by a hash."""

from __future__ import annotations

import hashlib

from sluice.kube.api import Manifest
from sluice.traffic import gateway_api
from sluice.traffic.slots import WHOLE

__all__ = ["WHOLE", "experiment_of", "position", "revision_at", "taken"]


def position(user: int) -> int:
    """`hash % total`."""
    return int.from_bytes(hashlib.blake2b(str(user).encode(), digest_size=8).digest(), "big") % WHOLE


def revision_at(route: Manifest, position: int) -> str:
    """The backend in whose interval a position falls."""
    for slot in gateway_api.read_slots(route):
        position -= slot.share
        if position < 0:
            return slot.revision
    raise AssertionError("the shares of a route are not the whole")


def experiment_of(route: Manifest) -> str:
    """The A/B test that model servers are told of, or the canary of a window; empty when there is none."""
    headers = route["spec"]["rules"][0]["filters"][0]["requestHeaderModifier"]["set"]
    told = {header["name"]: header["value"] for header in headers}
    window = told.get(gateway_api.HEADER_WINDOW, "").rpartition("/")[0]
    return str(told.get(gateway_api.HEADER_EXPERIMENT, "") or window)


def taken(generation: int, refused: str) -> Manifest:
    """What the gateway says of a policy."""
    accepted = {"type": "Accepted", "status": "False" if refused else "True", "observedGeneration": generation}
    words = {"reason": "Conflicted" if refused else "Accepted", "message": refused}
    ancestor = {"kind": "Gateway", "name": "public"}
    return {"ancestors": [{"ancestorRef": ancestor, "conditions": [accepted | words]}]}
