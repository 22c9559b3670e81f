"""Requests that are meant for the candidate: when they get there, what was counted, and how much harm is too much.

They are compared with nobody, so that only a limit can protect who sends them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.analysis import Arm, threshold
from sluice.analysis.limit import harm_above
from sluice.api.record import Cursor, Evidence, TargetedCount
from sluice.api.spec import ModelDeploymentSpec
from sluice.api.status import Answered, ModelDeploymentStatus, Rollout
from sluice.api.strategy import Canary
from sluice.core.observation import Counters, Observation

if TYPE_CHECKING:
    from sluice.core.situation import Situation


def wanted(spec: ModelDeploymentSpec, facts: ModelDeploymentStatus, seen: Observation) -> str | None:
    """Return the revision for requests that match; nobody, unless it is a candidate with ready pods.

    One that only returns, without steps, is taken out of its users' hands as soon as it is promoted: not worth it.
    """
    rollout = facts.rollout
    if asked_for(spec) is None or rollout is None or facts.stable is None:
        return None
    name = rollout.revision.name
    if rollout.direct and facts.targeted != name:
        return None
    return name if seen.revision(name).ready else None


def asked_for(spec: ModelDeploymentSpec) -> Canary | None:
    """Return the canary that has a `match`, None when there is none."""
    canary = spec.strategy.canary
    return canary if canary and canary.match else None


def unsettled(wanted: str | None, seen: Observation) -> bool:
    """Whether the route waits for the proxies; a gateway that has not answered yet wakes us when it does."""
    route = seen.targeted
    return route is not None and route.accepted is True and route.weights.get(wanted or "") != 100


def not_open(situation: Situation) -> str | None:
    """Say that requests that match don't reach the candidate yet, if so."""
    route, name = situation.seen.targeted, situation.rollout.revision.name if situation.rollout else ""
    if route and route.accepted and route.weights.get(name) == 100:
        return None
    if route and route.accepted is False:
        return f"the route of canary.match is refused by the gateway ({route.message})"
    return "waiting for the gateway to take the route of canary.match"


def fold(rollout: Rollout, before: Evidence, seen: Observation) -> Evidence:
    """Return the evidence with the targeted requests that were answered since the last look.

    Only the candidate has to answer. A pod counts from where it is first seen: that is before it is sent any.
    """
    pods = seen.revision(rollout.revision.name).pods
    found = {pod.uid: seen.scrape.counters[pod.uid] for pod in pods if pod.uid in seen.scrape.counters}
    if before.targeted is None and not found:
        return before
    count = before.targeted or TargetedCount()
    news = [_since(count.cursors.get(uid), now) for uid, now in found.items()]
    total = Answered(
        requests=count.total.requests + sum(one.requests for one in news),
        errors=count.total.errors + sum(one.errors for one in news),
    )
    kept = {pod.uid: count.cursors[pod.uid] for pod in pods if pod.uid in count.cursors}
    moved = {
        uid: Cursor(start=one.start, requests=one.targeted_requests, errors=one.targeted_errors)
        for uid, one in found.items()
    }
    return before.model_copy(update={"targeted": TargetedCount(total=total, cursors=kept | moved)})


def _since(cursor: Cursor | None, now: Counters) -> Arm:
    if cursor is None:
        return Arm(requests=0, errors=0)
    requests, errors = (cursor.requests, cursor.errors) if cursor.start == now.start else (0, 0)
    new_requests = max(0, now.targeted_requests - requests)
    return Arm(requests=new_requests, errors=min(new_requests, max(0, now.targeted_errors - errors)))


def harm(situation: Situation) -> str | None:
    """Say that more of the targeted requests fail than the limit allows, if that is proven.

    This is a test of its own, with the alpha of harm: it can be wrong beside the comparison at random.
    """
    canary, count = asked_for(situation.spec), situation.evidence.targeted
    if canary is None or count is None or situation.rollout is None:
        return None
    seen = Arm(requests=count.total.requests, errors=count.total.errors)
    if harm_above(canary.error_limit, seen) < threshold(situation.spec.analysis.alpha.harm):
        return None
    return f"error rate of requests that match: {_counted(count.total)}; tolerated: {100 * canary.error_limit:g} %"


def said(situation: Situation) -> str:
    """Say what was counted of requests that match; nothing where there is no `match`."""
    if asked_for(situation.spec) is None or situation.rollout is None or situation.status.stable is None:
        return ""
    count = situation.evidence.targeted
    return f"of requests that match: {_counted(count.total if count else Answered())}"


def _counted(total: Answered) -> str:
    return f"{total.errors} errors in {total.requests} requests"
