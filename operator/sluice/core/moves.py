"""The moves of a rollout: each returns new facts, and nothing else changes facts."""

from __future__ import annotations

from datetime import datetime

from sluice.api.status import Counts, ModelDeploymentStatus, Rejected, Retired, Revision, Rollout, Verdict
from sluice.core import words
from sluice.core.evidence import unsettled
from sluice.core.plan import Event, EventType
from sluice.core.situation import Outcome, Situation
from sluice.core.timing import ANALYSIS_SECONDS, DRAIN, seconds


def normal(reason: str, message: str) -> Event:
    """Something went as planned."""
    return Event(EventType.NORMAL, reason, message)


def warning(reason: str, message: str) -> Event:
    """Something a person may want to know at once."""
    return Event(EventType.WARNING, reason, message)


def begin(situation: Situation, status: ModelDeploymentStatus, revision: Revision) -> ModelDeploymentStatus:
    """Start a rollout of a revision, from wherever it was kept."""
    now = situation.now
    retired = tuple(entry for entry in status.retired if entry.revision.name != revision.name)
    steps = situation.strategy.begun(situation.spec, 0)
    rollout = Rollout(revision=revision, started_at=now, step_started_at=now, steps=steps)
    return status.model_copy(update={"rollout": rollout, "retired": retired, "rejected": None})


def give_up(status: ModelDeploymentStatus, now: datetime) -> ModelDeploymentStatus:
    """End the rollout with all traffic on stable; its pods drain."""
    if status.rollout is None:
        return status
    return status.model_copy(
        update={"rollout": None, "retired": retire(status.retired, status.rollout.revision, now + DRAIN)}
    )


def reject(status: ModelDeploymentStatus, reason: str, message: str, now: datetime) -> ModelDeploymentStatus:
    """Give the candidate up for good: it is not tried again until told to."""
    if status.rollout is None:
        return status
    rejected = Rejected(revision=status.rollout.revision, reason=reason, message=message, at=now)
    return give_up(status, now).model_copy(update={"rejected": rejected})


def retire(retired: tuple[Retired, ...], revision: Revision, scale_down_at: datetime) -> tuple[Retired, ...]:
    """Put a revision to the youngest end of the retired ones."""
    others = tuple(entry for entry in retired if entry.revision.name != revision.name)
    return (*others, Retired(revision=revision, scale_down_at=scale_down_at))


def with_weight(status: ModelDeploymentStatus, rollout: Rollout, weight: int, now: datetime) -> ModelDeploymentStatus:
    """Note a new weight; what was counted at the old one no longer counts as counted at the weight."""
    if weight == rollout.weight:
        return status
    changed = {
        "weight": weight,
        "weight_changed_at": now,
        "weight_live_at": None,
        "weights_before": tuple(sorted(unsettled(rollout) | {rollout.weight})),
        "evidence": rollout.evidence.model_copy(update={"at_weight": Counts()}),
    }
    return status.model_copy(update={"rollout": rollout.model_copy(update=changed)})


def at_step(situation: Situation, rollout: Rollout, index: int) -> Rollout:
    """Begin a step; its clock starts now, or stands still from now on while paused."""
    return rollout.model_copy(
        update={
            "step_index": index,
            "step_started_at": situation.now,
            "paused_at": situation.now if rollout.paused_at else None,
            "inconclusive": False,
            "steps": situation.strategy.begun(situation.spec, index),
        }
    )


def advance(situation: Situation, rollout: Rollout, why: str) -> Outcome:
    """Go to the next step."""
    facts = situation.status.model_copy(update={"rollout": at_step(situation, rollout, rollout.step_index + 1)})
    event = normal("StepCompleted", f"step {situation.strategy.title(situation.spec, rollout)} done: {why}")
    return Outcome(facts, "StepCompleted", event.message, Verdict.RUNNING, (event,), requeue_after=0)


def promoted(situation: Situation, rollout: Rollout) -> Outcome:
    """Make the candidate stable; the old stable stays warm for `scaleDownDelaySeconds`."""
    status, now = situation.status, situation.now
    retired = status.retired
    if status.stable:
        warm = max(DRAIN, seconds(situation.spec.scale_down_delay_seconds))
        retired = retire(retired, status.stable, now + warm)
    facts = status.model_copy(
        update={"stable": rollout.revision, "rollout": None, "retired": retired, "rejected": None}
    )
    seen = f": {words.counts(rollout.evidence.total)}" if status.stable else ""
    event = normal("Promoted", f"{words.version(rollout.revision)} is stable now{seen}")
    return Outcome(facts, "Promoted", event.message, Verdict.SUCCESSFUL, (event,), requeue_after=0)


def inconclusive(situation: Situation, rollout: Rollout) -> Outcome:
    """Neither harm nor safety was proven in time: hold here until a person decides."""
    held = rollout.model_copy(update={"inconclusive": True})
    facts = situation.status.model_copy(update={"rollout": held})
    event = warning("Inconclusive", words.inconclusive(situation))
    return Outcome(facts, "Inconclusive", event.message, Verdict.INCONCLUSIVE, (event,), requeue_after=ANALYSIS_SECONDS)
