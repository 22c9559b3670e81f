"""The route of requests that are meant for the candidate, whatever its weight.

It is a route of its own, so that it never moves a backend of the general one, whose clusters are named by position. A
gateway prefers it: of rules for the same path the one with more header matches wins (Gateway API). It comes and leaves
*parked*, with a condition that no request fulfils: proxies learn of the cluster before a request needs it, and forget
it after the last one. See `slots.py` for why, and for how long a step takes to settle.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sluice.api.matching import Cookie, Match
from sluice.api.traffic import Traffic
from sluice.core.observation import RouteState
from sluice.resources.naming import Manifest
from sluice.traffic import gateway_api

# An expression that matches no text at all, so that nobody comes in, whatever he sends.
NOBODY: Manifest = {"type": "RegularExpression", "name": "x-sluice-parked", "value": r"[^\s\S]"}


@dataclass(frozen=True)
class Targeted:
    """Who may come in, and to which revision; nobody wants it any more: None."""

    matches: Sequence[Match]
    revision: str | None


def render(
    wanted: Targeted, *, name: str, namespace: str, owner: Manifest, traffic: Traffic, live: Mapping[str, Any] | None,
    settled: bool,
) -> Manifest | None:  # fmt: skip
    """Return the next step from the live route to the wanted one, None when it can be taken away, or is not needed.

    Args:
        wanted: where it leads.
        name: of the ModelDeployment.
        namespace: of the ModelDeployment.
        owner: the owner reference.
        traffic: where requests come in.
        live: the route as it stands.
        settled: whether all proxies know the live route.

    Raises:
        ValueError: no gateway.
    """

    def route(revision: str, conditions: Sequence[Manifest]) -> Manifest:
        return gateway_api.render_targeted(
            name=name, namespace=namespace, owner=owner, traffic=traffic, conditions=conditions, revision=revision
        )

    leads_to, is_open = _stands(live)
    if leads_to is not None and leads_to != wanted.revision:
        known = read(live or {})
        if is_open or not (settled or known.accepted is False):
            return route(leads_to, [NOBODY])
        leads_to, is_open = None, False
    if wanted.revision is None:
        return None
    known_to_proxies = leads_to is not None and (is_open or settled)
    return route(wanted.revision, [condition(one) for one in wanted.matches] if known_to_proxies else [NOBODY])


def condition(match: Match) -> Manifest:
    """Return the header match of the Gateway API for a header or a cookie."""
    if match.header:
        return {"type": "Exact", "name": match.header.name.lower(), "value": match.header.value}
    if match.cookie:
        return {"type": "RegularExpression", "name": "cookie", "value": among_cookies(match.cookie)}
    raise ValueError("a match is a header or a cookie")


def among_cookies(cookie: Cookie) -> str:
    """Return the expression for a whole `cookie` header that has this cookie among others, in RE2's syntax."""
    return rf"(.*;)?\s*{re.escape(cookie.name)}={re.escape(cookie.value)}\s*(;.*)?"


def read(route: Mapping[str, Any]) -> RouteState:
    """Return how the route stands; while it lets nobody in, its revision is parked and has no weight."""
    state = gateway_api.read(route)
    leads_to, is_open = _stands(route)
    if leads_to is None or is_open:
        return state
    return replace(state, weights={}, parked=frozenset({leads_to}))


def _stands(route: Mapping[str, Any] | None) -> tuple[str | None, bool]:
    """Return the revision that the route leads to, and whether requests come in; None: to none of ours."""
    slots = [slot for slot in gateway_api.read_slots(route or {}) if slot.share and not slot.foreign]
    if not slots:
        return None, False
    matches = (route or {})["spec"]["rules"][0].get("matches") or [{}]
    return slots[0].revision, any(one.get("headers") != [NOBODY] for one in matches)
