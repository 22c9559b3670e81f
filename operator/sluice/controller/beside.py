"""The routes beside the general one, as a plan wants them; pure."""

from __future__ import annotations

from sluice.controller.target import Target
from sluice.core.plan import Plan
from sluice.kube.api import Manifest
from sluice.traffic import gateway_api, targeted


def preview_route(target: Target, plan: Plan) -> Manifest | None:
    """Lead the preview address to the candidate, or to nobody."""
    traffic, blue_green = target.spec.traffic, target.spec.strategy.blue_green
    if not (plan.preview and traffic and blue_green and blue_green.preview):
        return None
    return gateway_api.render_preview(
        name=target.name, namespace=target.namespace, owner=target.owner, traffic=traffic,
        preview=blue_green.preview, revision=plan.preview,
    )  # fmt: skip


def targeted_route(target: Target, plan: Plan, live: Manifest | None, *, settled: bool) -> Manifest | None:
    """Lead the requests that match to the candidate, or, step by step, to where all others go."""
    traffic, canary = target.spec.traffic, target.spec.strategy.canary
    if traffic is None or not (plan.targeted or live):
        return None
    wanted = targeted.Targeted((canary.match if canary else None) or (), plan.targeted)
    return targeted.render(
        wanted, name=target.name, namespace=target.namespace, owner=target.owner, traffic=traffic, live=live,
        settled=settled,
    )  # fmt: skip
