"""The route of requests that are meant for the candidate, whatever its weight.

It is a route of its own, so that it never moves a backend of the general one, whose clusters are named by position. A
gateway prefers it: of rules for the same path the one with more header matches wins (Gateway API). It comes and leaves
*parked*, with a condition that no request fulfils: proxies learn of the clusters before a request needs them, and
forget them after the last one. See `slots.py` for why, and for how long a step takes to settle. Each match is a rule,
and each rule a cluster; so the rules never get fewer, and when they have to get more, all are parked once again.
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

    def route(revision: str, conditions: Sequence[Manifest], rules: int) -> Manifest:
        filled = [*conditions, *[NOBODY] * (rules - len(conditions))]
        return gateway_api.render_targeted(
            name=name, namespace=namespace, owner=owner, traffic=traffic, conditions=filled, revision=revision
        )

    stands = _stands(live)
    if stands.revision is not None and stands.revision != wanted.revision:
        refused = read(live or {}).accepted is False
        if stands.is_open or not (settled or refused):
            return route(stands.revision, (), stands.rules)
        stands = NOWHERE
    if wanted.revision is None:
        return None
    known = len(wanted.matches) <= stands.rules and (stands.is_open or settled)
    conditions = [condition(one) for one in wanted.matches] if known else []
    return route(wanted.revision, conditions, max(stands.rules, len(wanted.matches)))


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
    state, stands = gateway_api.read(route), _stands(route)
    if stands.revision is None or stands.is_open:
        return state
    return replace(state, weights={}, parked=frozenset({stands.revision}))


@dataclass(frozen=True)
class _Stands:
    """The revision that a route leads to, None: none of ours; whether requests come in; and how many rules it has."""

    revision: str | None = None
    is_open: bool = False
    rules: int = 0


NOWHERE = _Stands()


def _stands(route: Mapping[str, Any] | None) -> _Stands:
    slots = [slot for slot in gateway_api.read_slots(route or {}) if slot.share and not slot.foreign]
    if route is None or not slots:
        return NOWHERE
    rules = route["spec"]["rules"]
    matches = [match for rule in rules for match in rule.get("matches") or [{}]]
    return _Stands(slots[0].revision, any(match.get("headers") != [NOBODY] for match in matches), len(rules))
