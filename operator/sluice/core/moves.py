"""The moves of a rollout: each returns new facts, and nothing else changes facts."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sluice.api.status import ModelDeploymentStatus, Rejected, Retired, Revision, Rollout, Variant, Verdict
from sluice.core import findings, variants, words
from sluice.core.ending import NO_WINNER, WINNER
from sluice.core.evidence import unsettled
from sluice.core.experiments import of_units, statement, window
from sluice.core.observation import Observation
from sluice.core.pairs import disagreement
from sluice.core.plan import Event, EventType
from sluice.core.situation import Outcome, Situation
from sluice.core.timing import ANALYSIS_SECONDS, DRAIN, seconds


def normal(reason: str, message: str) -> Event:
    """Something went as planned."""
    return Event(EventType.NORMAL, reason, message)


def warning(reason: str, message: str) -> Event:
    """Something a person may want to know at once."""
    return Event(EventType.WARNING, reason, message)


REMEMBERED = 10  # rejected revisions


def begin(situation: Situation, revision: Revision, challengers: tuple[Variant, ...] = ()) -> ModelDeploymentStatus:
    """Start a rollout of a revision, or a test of several, from wherever they were kept."""
    status, now = situation.status, situation.now
    rollout = Rollout(
        revision=revision,
        started_at=now,
        step_started_at=now,
        steps=situation.strategy.begun(situation.spec, 0),
        direct=not challengers and returns(situation, revision),
        variants=challengers,
    )
    began = {one.name for one in variants.revisions(rollout)}
    number = status.rollouts + 1
    return status.model_copy(
        update={
            "rollout": rollout,
            "retired": tuple(entry for entry in status.retired if entry.revision.name not in began),
            "rejected": pardoned(status, revision.name),
            "rollouts": number,
            "record": record_name(situation.seen, number),
            "decisions": 0,
        }
    )


def record_name(seen: Observation, number: int) -> str:
    """Return the name of a rollout's record; a namesake that is created later has records of its own."""
    return f"{seen.name}-{seen.uid[:8]}-{number}"


def returns(situation: Situation, revision: Revision) -> bool:
    """Whether a revision needs no proof: a person wants it back, or it had all traffic and is warm still."""
    status = situation.status
    if status.stable is None:
        return False
    if status.returning_to and status.returning_to.name == revision.name:
        return True
    replicas = situation.spec.desired_replicas
    return any(
        entry.was_stable and situation.now < entry.scale_down_at
        for entry in status.retired
        if entry.revision.name == revision.name and 0 < replicas <= situation.seen.revision(revision.name).ready
    )


def pardoned(status: ModelDeploymentStatus, revision: str) -> tuple[Rejected, ...]:
    """Return the rejected revisions without one."""
    return tuple(entry for entry in status.rejected if entry.revision.name != revision)


def give_up(status: ModelDeploymentStatus, now: datetime) -> ModelDeploymentStatus:
    """End the rollout with all traffic on stable; the pods of whoever was compared with it drain."""
    rollout = status.rollout
    if rollout is None:
        return status
    # Who never was reached has no request under way.
    drained = now + DRAIN if rollout.weight_changed_at or status.preview or status.targeted else now
    retired = status.retired
    for revision in variants.revisions(rollout):
        retired = retire(retired, revision, drained)
    return status.model_copy(update={"rollout": None, "retired": retired})


def reject(status: ModelDeploymentStatus, reason: str, message: str, now: datetime) -> ModelDeploymentStatus:
    """Give the candidate up for good, and all others in its test: none is tried again until told to."""
    if status.rollout is None:
        return status
    sent_away = status
    for revision in reversed(variants.revisions(status.rollout)):
        sent_away = with_rejected(sent_away, revision, reason, message, now)
    # A revision that a person goes back to can fail too.
    return give_up(sent_away, now).model_copy(update={"returning_to": None})


def with_rejected(
    status: ModelDeploymentStatus, revision: Revision, reason: str, message: str, now: datetime
) -> ModelDeploymentStatus:
    """Remember that a revision is not to be rolled out."""
    entry = Rejected(revision=revision, reason=reason, message=message, at=now)
    return status.model_copy(update={"rejected": (*pardoned(status, revision.name), entry)[-REMEMBERED:]})


def retire(
    retired: tuple[Retired, ...], revision: Revision, scale_down_at: datetime, *, was_stable: bool = False
) -> tuple[Retired, ...]:
    """Put a revision to the youngest end of the retired ones."""
    others = tuple(entry for entry in retired if entry.revision.name != revision.name)
    return (*others, Retired(revision=revision, scale_down_at=scale_down_at, was_stable=was_stable))


def with_weight(situation: Situation, rollout: Rollout, weight: int) -> ModelDeploymentStatus:
    """Note a new weight."""
    if weight == rollout.weight:
        return situation.status
    changed = {
        "weight": weight,
        "window": window(situation.spec, rollout.window, weight),
        "weight_changed_at": situation.now,
        "weight_live_at": None,
        "weights_before": tuple(sorted(unsettled(rollout, situation.evidence) | {rollout.weight})),
    }
    return situation.status.model_copy(update={"rollout": rollout.model_copy(update=changed)})


def once_more(situation: Situation, rollout: Rollout) -> Rollout:
    """Give the present step its time again."""
    return rollout.model_copy(
        update={
            "step_started_at": situation.now,
            "paused_at": situation.now if rollout.paused_at else None,
            "inconclusive": False,
        }
    )


def at_step(situation: Situation, rollout: Rollout, index: int) -> Rollout:
    """Begin a step; its clock starts now, or stands still from now on while paused."""
    changed = {"step_index": index, "steps": situation.strategy.begun(situation.spec, index)}
    return once_more(situation, rollout).model_copy(update=changed)


def advance(situation: Situation, rollout: Rollout, why: str) -> Outcome:
    """Go to the next step."""
    facts = situation.status.model_copy(update={"rollout": at_step(situation, rollout, rollout.step_index + 1)})
    event = normal("StepCompleted", f"step {situation.strategy.title(situation.spec, rollout)} done: {why}")
    return Outcome(facts, "StepCompleted", event.message, Verdict.RUNNING, (event,), requeue_after=0)


def dropped(situation: Situation, rollout: Rollout, reason: str, message: str) -> ModelDeploymentStatus:
    """Take one of several challengers out of a test: his users go to stable, and nobody else's anywhere."""
    status, now, revision = situation.status, situation.now, rollout.revision
    gone_at = now + DRAIN if rollout.weight_changed_at else now
    return with_rejected(status, revision, reason, message, now).model_copy(
        update={
            "rollout": variants.without(rollout, revision.name, reason, message, now),
            "retired": retire(status.retired, revision, gone_at),
        }
    )


def crowned(situation: Situation, revision: str) -> Situation:
    """Return the situation in which all challengers but one have lost."""
    winner = next(one for one in situation.challengers if one.rollout and one.rollout.revision.name == revision)
    facts = situation.status
    for loser in situation.challengers:
        if loser is winner or loser.rollout is None or winner.rollout is None or facts.rollout is None:
            continue
        why = f"{variants.label(winner.rollout)} was preferred"
        if loser.judgement and loser.judgement.test:
            why = f"{why}; {statement(loser.judgement.test)}"
        his = loser.rollout.model_copy(update={"variants": facts.rollout.variants})
        facts = dropped(replace(loser, status=facts), his, NO_WINNER, why)
    return replace(situation, status=facts, evidence=winner.evidence, judgement=winner.judgement, rivals=())


def promoted(situation: Situation, rollout: Rollout) -> Outcome:
    """Make the candidate stable; the old stable stays warm for `scaleDownDelaySeconds`."""
    status, now = situation.status, situation.now
    retired = status.retired
    if status.stable:
        # Who was stopped has nothing to keep warm.
        warm = seconds(0) if situation.stopped else max(DRAIN, seconds(situation.spec.scale_down_delay_seconds))
        retired = retire(retired, status.stable, now + warm, was_stable=True)
    facts = status.model_copy(
        update={"stable": rollout.revision, "rollout": None, "retired": retired, "returning_to": None}
    )
    if rollout.variants:
        facts = _not_again(situation, facts, rollout)
    counted = situation.evidence.total.candidate_requests and not rollout.direct
    seen = f": {words.counts(situation.evidence.total, of_units(situation.spec))}" if status.stable and counted else ""
    if copied := disagreement(situation.spec, situation.evidence.pairs):
        seen += f"; in the shadow {copied.statement}"
    event = normal("Promoted", f"{words.version(rollout.revision)} is stable now{seen}")
    return Outcome(facts, "Promoted", event.message, Verdict.SUCCESSFUL, (event,), requeue_after=0)


def _not_again(situation: Situation, facts: ModelDeploymentStatus, rollout: Rollout) -> ModelDeploymentStatus:
    """Remember that what `model` names has lost to a variant, if it has: it is not rolled out over the winner."""
    wanted = situation.wanted
    known = {rollout.revision.name, *(entry.revision.name for entry in facts.rejected)}
    if wanted is None or wanted.name in known:
        return facts
    return with_rejected(facts, wanted, NO_WINNER, f"{variants.label(rollout)} was better", situation.now)


def inconclusive(situation: Situation, rollout: Rollout) -> Outcome:
    """Neither harm nor safety was proven in time: hold here until a person decides."""
    held = rollout.model_copy(update={"inconclusive": True})
    facts = situation.status.model_copy(update={"rollout": held})
    event = warning("Inconclusive", findings.inconclusive(situation))
    return Outcome(facts, "Inconclusive", event.message, Verdict.INCONCLUSIVE, (event,), requeue_after=ANALYSIS_SECONDS)


def no_winner(situation: Situation, rollout: Rollout) -> Outcome:
    """End a test with stable as it is: nothing was wrong with the candidate, and it is not tested again unasked."""
    message = findings.no_winner(situation)
    facts = reject(situation.status, NO_WINNER, message, situation.now)
    who = " and ".join(map(words.version, variants.revisions(rollout)))
    event = normal(NO_WINNER, f"{who} did not win: {message}")
    return Outcome(facts, NO_WINNER, event.message, Verdict.NO_WINNER, (event,), requeue_after=0)


def winner(situation: Situation, rollout: Rollout) -> Outcome:
    """End a test with stable as it is, although the candidate has won: somebody else is to promote it."""
    message = findings.won(situation)
    facts = reject(situation.status, WINNER, message, situation.now)
    name = words.version(rollout.revision)
    event = normal(WINNER, f"{name} has won, and is not promoted: {message}; {words.to_promote(rollout.revision)}")
    return Outcome(facts, WINNER, event.message, Verdict.WINNER, (event,), requeue_after=0)


def rolled_back(situation: Situation, rollout: Rollout, reason: str, message: str) -> Outcome:
    """Give the candidate up, and remember why; one of several challengers only leaves the test."""
    if variants.others(rollout):
        told = warning(
            "VariantDropped", f"{variants.label(rollout)} dropped from {rollout.weight} %: {reason}: {message}"
        )
        facts = dropped(situation, rollout, reason, message)
        return Outcome(facts, "VariantDropped", told.message, Verdict.RUNNING, (told,), requeue_after=0)
    facts = reject(situation.status, reason, message, situation.now)
    event = warning(
        "RolledBack", f"{words.version(rollout.revision)} rolled back from {rollout.weight} %: {reason}: {message}"
    )
    return Outcome(facts, "RolledBack", event.message, Verdict.FAILED, (event,), requeue_after=0)
