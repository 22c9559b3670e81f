"""Facts from the future: what an operator wrote whose clock was ahead of what ours is now."""

from __future__ import annotations

from datetime import datetime

from sluice.api.spec import ModelDeploymentSpec
from sluice.api.status import ModelDeploymentStatus, Rollout
from sluice.core.demand import BLIND
from sluice.core.timing import DRAIN, seconds


def without_future(status: ModelDeploymentStatus, spec: ModelDeploymentSpec, now: datetime) -> ModelDeploymentStatus:
    """Bring times that have not come yet to now: what they measure begins anew, instead of waiting for an hour."""
    changes: dict[str, object] = {}
    if status.rollout and (rollout := _rollout(status.rollout, now)) is not status.rollout:
        changes["rollout"] = rollout
    latest = now + max(DRAIN, seconds(spec.scale_down_delay_seconds))
    if any(entry.scale_down_at > latest for entry in status.retired):
        changes["retired"] = tuple(
            entry.model_copy(update={"scale_down_at": min(entry.scale_down_at, latest)}) for entry in status.retired
        )
    if status.demand and status.demand.until and status.demand.until > now + BLIND:
        changes["demand"] = status.demand.model_copy(update={"until": now + BLIND})
    return status.model_copy(update=changes) if changes else status


def _rollout(rollout: Rollout, now: datetime) -> Rollout:
    fields = ("step_started_at", "paused_at", "weight_changed_at", "weight_live_at")
    future = {name: now for name in fields if (at := getattr(rollout, name)) is not None and at > now}
    return rollout.model_copy(update=future) if future else rollout
