"""Traffic through a Gateway API HTTPRoute that Sluice owns whole.

Every backendRef carries a filter of its own, even when there is only one: it names the revision in the answer, it
makes Envoy Gateway build one weighted cluster per revision (without it, one revision's failures spill over to the
other), and a change of weight stays a change of weight.
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from typing import Any

from sluice.api.strategy import Preview
from sluice.api.traffic import Traffic
from sluice.core.observation import RouteState
from sluice.resources.naming import Manifest, metadata, object_name, owned_labels, preview_name, targeted_name
from sluice.resources.service import MIRROR_PORT, PORT
from sluice.traffic.gateway_status import read, read_slots, tells
from sluice.traffic.provider import Challenger, Mirror, Trial, Wanted
from sluice.traffic.slots import Slot, arrange, place, written

__all__ = [
    "Challenger",
    "Mirror",
    "Trial",
    "additions",
    "names_users",
    "read",
    "read_slots",
    "render",
    "render_preview",
    "render_targeted",
]

GATEWAY_GROUP = "gateway.networking.k8s.io"
API_VERSION = f"{GATEWAY_GROUP}/v1"
KIND = "HTTPRoute"

HEADER_REVISION = "x-sluice-revision"
HEADER_ASSIGNMENT = "x-sluice-assignment"
HEADER_COMPARE = "x-sluice-compare"
HEADER_UNIT = "x-sluice-unit"
HEADER_EXPERIMENT = "x-sluice-experiment"
HEADER_WINDOW = "x-sluice-window"
HEADER_OUTCOMES = "x-sluice-outcomes"
RANDOM, PROBE, TARGETED = "random", "probe", "targeted"


class GatewayRoute:
    """An HTTPRoute; its steps are those of `slots.place`."""

    kind = KIND

    def read(self, live: Mapping[str, Any], endpoints: Mapping[str, int], ready: Mapping[str, int]) -> RouteState:
        """Return weights and what the gateway says; endpoints are its own business."""
        return read(live)

    def render(self, wanted: Wanted, live: Mapping[str, Any] | None, *, settled: bool) -> Manifest | None:
        """Return the route, or the next step to it."""
        return render(
            name=wanted.name, namespace=wanted.namespace, owner=wanted.owner, traffic=wanted.traffic or Traffic(),
            split=wanted.split, live=live, settled=settled, kept=wanted.kept, outage=wanted.outage,
            mirror=wanted.mirror, trial=wanted.trial,
        )  # fmt: skip

    def mark(self, live: Mapping[str, Any]) -> Hashable:
        """Return the route's generation."""
        generation: int = live["metadata"]["generation"]
        return generation


def render(
    *,
    name: str,
    namespace: str,
    owner: Manifest,
    traffic: Traffic,
    split: Mapping[str, int],
    live: Mapping[str, Any] | None = None,
    settled: bool = False,
    kept: Collection[str] = (),
    outage: bool = False,
    mirror: Mirror | None = None,
    trial: Trial | None = None,
) -> Manifest:
    """Render the route that gives every revision its percent of the traffic; those with none are left out.

    Where that can't be done at once without losing requests, this is the next step from the `live` route to it: render
    again when that has settled (see `slots.place`, also for `settled`, `kept` and `outage`). In a test with sticky
    users each revision has several backends, whose order says whose users they are (see `slots.arrange`).

    Everything the API server would fill in is written out, so that what is read back can be compared.

    Raises:
        ValueError: no gateway, or no revision with a weight above zero; an empty route would answer 500 to everyone.
    """
    wanted = {revision: percent for revision, percent in split.items() if percent > 0}
    if not wanted:
        raise ValueError("a route needs a revision with a weight above zero")
    state = read(live or {})
    refused = state.accepted is False
    slots, how = read_slots(live or {}), {"settled": settled, "refused": refused, "outage": outage}
    if traffic.sticky and trial and trial.present and _has(trial, wanted):
        slots = arrange(
            lambda on: trial.slots({name: wanted.get(name, 0) for name in on}), slots, control=trial.control,
            challengers=trial.present, kept=kept, **how,
        )  # fmt: skip
    else:
        slots = place(wanted, slots, kept=kept, **how)
    on = trial if trial and _is_on(trial, slots) else None
    backends = [_backend(name, slot.revision, slot.share) for slot in written(slots)]
    labels = metadata(name=name, namespace=namespace, labels=owned_labels(name), owner=owner)
    return _route(
        labels, traffic, hostnames=traffic.hostnames, prefix=_prefix(traffic.path_prefix), assignment=RANDOM,
        backends=backends, copies=_copies(name, mirror) if mirror else (), compare=mirror.compare if mirror else None,
        experiment=on.name if on and on.window is None else None, window=on.users_of if on else None,
        outcomes=trial.name if trial and trial.window is None else None,
    )  # fmt: skip


def render_preview(
    *, name: str, namespace: str, owner: Manifest, traffic: Traffic, preview: Preview, revision: str
) -> Manifest:
    """Render the route to a candidate without traffic; what comes through it is marked, and never evidence.

    Raises:
        ValueError: no gateway.
    """
    labels = metadata(name=preview_name(name), namespace=namespace, labels=owned_labels(name), owner=owner)
    return _route(
        labels, traffic, hostnames=preview.hostnames or traffic.hostnames,
        prefix=_prefix(preview.path_prefix or traffic.path_prefix), assignment=PROBE,
        backends=[_backend(name, revision, 100)],
    )  # fmt: skip


def render_targeted(
    *, name: str, namespace: str, owner: Manifest, traffic: Traffic, conditions: Sequence[Manifest], revision: str
) -> Manifest:
    """Render the route of requests that fulfil one of the conditions, which are header matches; never evidence.

    Each has a rule of its own: the Gateway API takes the prefix off only where a rule has a single match.

    Raises:
        ValueError: no gateway.
    """
    labels = metadata(name=targeted_name(name), namespace=namespace, labels=owned_labels(name), owner=owner)
    return _route(
        labels, traffic, hostnames=traffic.hostnames, prefix=_prefix(traffic.path_prefix), assignment=TARGETED,
        backends=[_backend(name, revision, 100)], conditions=conditions,
    )  # fmt: skip


def _route(
    meta: Manifest,
    traffic: Traffic,
    *,
    hostnames: tuple[str, ...],
    prefix: str,
    assignment: str,
    backends: list[Manifest],
    copies: Iterable[Manifest] = (),
    compare: str | None = None,
    experiment: str | None = None,
    window: str | None = None,
    outcomes: str | None = None,
    conditions: Sequence[Manifest] = (),
) -> Manifest:
    if traffic.gateway is None:
        raise ValueError("a route needs a gateway: set traffic.gateway.name")
    parent = {"group": GATEWAY_GROUP, "kind": "Gateway", "name": traffic.gateway.name}
    if traffic.gateway.namespace is not None:
        parent["namespace"] = traffic.gateway.namespace
    says = {
        HEADER_ASSIGNMENT: assignment,
        HEADER_COMPARE: compare,
        HEADER_UNIT: traffic.sticky.unit if traffic.sticky else None,
        HEADER_EXPERIMENT: experiment,
        HEADER_WINDOW: window,
        HEADER_OUTCOMES: outcomes,
    }
    match: Manifest = {"path": {"type": "PathPrefix", "value": prefix}}
    spec: Manifest = {
        "parentRefs": [parent],
        "rules": [
            {
                "matches": [found],
                "filters": [*_filters(prefix, says), *copies],
                "backendRefs": backends,
            }
            for found in ([match | {"headers": [condition]} for condition in conditions] or [match])
        ],
    }
    if hostnames:
        spec["hostnames"] = list(hostnames)
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": meta, "spec": spec}


def additions(desired: Manifest, live: Mapping[str, Any]) -> tuple[str, ...]:
    """Name the fields that somebody else has added to a route's spec; an apply that does not name them lets them be.

    A route is ours whole; of other objects nothing counts as added.
    """
    if desired["kind"] != KIND:
        return ()
    return tuple(sorted(key for key, value in live.get("spec", {}).items() if value and key not in desired["spec"]))


def names_users(route: Mapping[str, Any] | None) -> bool:
    """Whether a route says where a user's id is: as long as it does there may be a policy that makes users stick."""
    return tells(route or {}, HEADER_UNIT)


def _prefix(path: str) -> str:
    return path.rstrip("/") or "/"


def _is_on(trial: Trial, slots: Iterable[Slot]) -> bool:
    """Whether all versions get users; otherwise those of some alone would be counted."""
    return {trial.control, *trial.weights} <= {slot.revision for slot in slots if slot.share and not slot.parked}


def _has(trial: Trial, wanted: Mapping[str, int]) -> bool:
    """Whether a split is one of a test: of nobody else, and who is on trial has no more than the test gives him."""
    most = {trial.control: 100, **trial.weights}
    return all(percent <= most.get(name, 0) for name, percent in wanted.items())


def _filters(prefix: str, says: Mapping[str, str | None]) -> list[Manifest]:
    # `set` replaces what a client sent: nobody can write himself into the evidence, or out of it.
    headers: Manifest = {"set": [{"name": name, "value": value} for name, value in says.items() if value]}
    if untold := [name for name, value in says.items() if not value]:
        headers["remove"] = untold
    filters: list[Manifest] = [{"type": "RequestHeaderModifier", "requestHeaderModifier": headers}]
    if prefix != "/":
        path = {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}
        filters.append({"type": "URLRewrite", "urlRewrite": {"path": path}})
    return filters


def _copies(name: str, mirror: Mirror) -> list[Manifest]:
    # A port of its own tells the server that it is a copy: it carries the same headers as the request.
    backend = {"group": "", "kind": "Service", "name": object_name(name, mirror.revision), "port": MIRROR_PORT}
    return [{"type": "RequestMirror", "requestMirror": {"backendRef": backend, "percent": mirror.percent}}]


def _backend(name: str, revision: str, weight: int) -> Manifest:
    return {
        "group": "",
        "kind": "Service",
        "name": object_name(name, revision),
        "port": PORT,
        "weight": weight,
        "filters": [
            {
                "type": "ResponseHeaderModifier",
                "responseHeaderModifier": {"set": [{"name": HEADER_REVISION, "value": revision}]},
            }
        ],
    }
