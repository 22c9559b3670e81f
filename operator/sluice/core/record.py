"""Keeps the record of a rollout: what was decided, by which rule, from what; bounded."""

from __future__ import annotations

import json
from datetime import timedelta

from sluice.api.record import (
    Decision,
    Evidence,
    Inputs,
    MetricStanding,
    Period,
    RolloutOutcome,
    RolloutRecord,
    RolloutRecordSpec,
    RolloutRecordStatus,
    VariantInputs,
    VariantPlan,
    VariantRecord,
)
from sluice.api.status import LastAction, ModelDeploymentStatus, Rollout
from sluice.core import experiments, variants, words
from sluice.core.ending import NO_WINNER, end_of
from sluice.core.evidence import Judgement
from sluice.core.observation import Unresolved
from sluice.core.plan import Entry, EventType
from sluice.core.situation import Outcome, Situation

MAX_BYTES = 256 * 1024
ANSWERED = timedelta(seconds=60)  # within which a rollout begins that somebody asked for
MAX_DECISIONS = 150
MAX_PERIODS = 60
MAX_TEXT = 500
_KEPT_FIRST = 20  # decisions at the beginning that are never dropped


def entry(
    before: RolloutRecord | None, situation: Situation, outcome: Outcome, rule: str, facts: ModelDeploymentStatus
) -> Entry | None:
    """Return the record of the rollout that this decision is about, with the decision in it; None when none is.

    Args:
        before: the record as it is stored; decisions in it beyond `status.decisions` were meant but never held.
        situation: what the decision was made from.
        outcome: the decision.
        rule: the name of the rule that made it.
        facts: the facts after it.
    """
    status = situation.status
    rollout = status.rollout or facts.rollout
    if rollout is None or facts.record is None:
        return None
    begins = status.rollout is None
    record = None if begins else before
    if record is None:
        record = RolloutRecord(spec=_spec(situation, rollout))
    decided = is_decision(status, facts, outcome)
    held = 0 if begins else status.decisions
    decisions = tuple(one for one in record.status.decisions if one.number <= held)
    if decided:
        decisions = (*decisions, _decision(situation, outcome, rule, facts, number=held + 1))
    kept = record.status.model_copy(
        update={
            "decisions": decisions,
            "periods": _periods(record.status.periods, situation, facts.rollout),
            "evidence": _evidence(situation, record.spec.candidate.name) if status.rollout else Evidence(),
            "disagreement": status.rollout.evidence.disagreement if status.rollout else None,
            "variants": _variants(record, situation, facts),
            **_end(situation, outcome, facts),
        }
    )
    return Entry(facts.record, record.model_copy(update={"status": bounded(kept)}), held + decided, decided)


def is_decision(before: ModelDeploymentStatus, after: ModelDeploymentStatus, outcome: Outcome) -> bool:
    """Whether something was decided, not only seen."""
    return bool(outcome.events) or _course(before) != _course(after)


def bounded(status: RolloutRecordStatus) -> RolloutRecordStatus:
    """Drop decisions from the middle until the record fits, and merge its oldest periods."""
    periods, decisions = status.periods, status.decisions
    while len(periods) > MAX_PERIODS:
        first, second = periods[:2]
        periods = (second.model_copy(update={"since": first.since}), *periods[2:])
    room = MAX_BYTES - len(json.dumps(status.model_copy(update={"decisions": (), "periods": periods}).to_kubernetes()))
    sizes = [len(json.dumps(one.to_kubernetes())) + 2 for one in decisions]
    middle, total = min(_KEPT_FIRST, len(sizes)), sum(sizes)
    end = middle
    while end < len(sizes) - 1 and (total > room or len(sizes) - (end - middle) > MAX_DECISIONS):
        total -= sizes[end]
        end += 1
    return status.model_copy(
        update={
            "periods": periods,
            "decisions": decisions[:middle] + decisions[end:],
            "dropped": status.dropped + end - middle,
        }
    )


def _spec(situation: Situation, rollout: Rollout) -> RolloutRecordSpec:
    return RolloutRecordSpec(
        model_deployment=situation.seen.name,
        uid=situation.seen.uid,
        strategy=situation.spec.strategy.kind,
        unit=experiments.unit(situation.spec),
        stable=situation.status.stable,
        candidate=rollout.revision,
        variants=tuple(
            VariantPlan(name=one.name, revision=one.revision, weight=one.weight) for one in rollout.variants
        ),
        started_at=rollout.started_at,
    )


def _course(status: ModelDeploymentStatus) -> tuple[object, ...]:
    rollout = status.rollout
    if rollout is None:
        return (status.stable,)
    return (
        status.stable, rollout.revision, rollout.step_index, rollout.weight, rollout.direct, rollout.inconclusive,
        rollout.paused_at is not None, *(one.dropped for one in rollout.variants),
    )  # fmt: skip


def _decision(
    situation: Situation, outcome: Outcome, rule: str, facts: ModelDeploymentStatus, *, number: int
) -> Decision:
    rollout, judgement, model = facts.rollout, situation.judgement, situation.seen.model
    event = outcome.events[0] if outcome.events else None
    asked = _asked(situation, facts)
    return Decision(
        number=number,
        at=situation.now,
        rule=rule,
        reason=event.reason if event else outcome.reason,
        message=(event.message if event else outcome.message)[:MAX_TEXT],
        told=event is not None,
        warning=event is not None and event.type is EventType.WARNING,
        actor=(asked.actor or "unknown") if asked else _pauser(situation, facts),
        step=situation.strategy.title(situation.spec, rollout) if rollout else None,
        weight=rollout.weight if rollout else 0,
        verdict=outcome.verdict,
        inputs=Inputs(
            wanted=words.version(situation.wanted) if not isinstance(model, Unresolved) else model.reason,
            replicas=situation.spec.desired_replicas,
            stable_ready=situation.stable.ready,
            candidate_ready=situation.candidate.ready,
            live_weight=situation.live_weight,
            service_pods=situation.rollout.service_pods if situation.rollout else None,
            total=situation.evidence.total,
            at_weight=situation.evidence.at_weight,
            pairs=situation.evidence.pairs and situation.evidence.pairs.counts,
            disagreement=situation.rollout.evidence.disagreement if situation.rollout else None,
            harm=round(min(1.0, judgement.harm), 3) if judgement else None,
            safe=round(min(1.0, judgement.safe), 3) if judgement else None,
            metrics=_standings(judgement),
            targeted=situation.evidence.targeted.total if situation.evidence.targeted else None,
            test=situation.rollout.evidence.test if situation.rollout else None,
            variants=_rivals(situation),
            unreachable_pods=len(situation.seen.scrape.unreachable),
            wish=asked.action if asked else None,
        ),
    )


def _evidence(situation: Situation, candidate: str) -> Evidence:
    """Return the evidence of whom a record names the candidate, also when its rollout is about another one by now."""
    return situation.evidences.get(candidate, situation.evidence)


def _variants(record: RolloutRecord, situation: Situation, facts: ModelDeploymentStatus) -> tuple[VariantRecord, ...]:
    """Say how each challenger of a test stands, or what has become of him."""
    after = facts.rollout or situation.rollout
    ended = facts.rollout is None or (situation.rollout and facts.rollout.started_at != situation.rollout.started_at)
    rejected = {entry.revision.name: entry for entry in facts.rejected}
    told = {one.revision: one.statement for one in record.status.variants}
    judged = {one.rollout.revision.name: one.judgement for one in situation.challengers if one.rollout}
    kept = []
    for one in after.variants if after else ():
        name, judgement, end = one.revision.name, judged.get(one.revision.name), rejected.get(one.revision.name)
        found = VariantRecord(name=one.name, revision=name)
        if facts.stable and facts.stable.name == name:
            found = found.model_copy(update={"outcome": RolloutOutcome.PROMOTED, "cause": "Completed"})
        elif one.dropped or (ended and end):
            cause = one.dropped or (end.reason if end else None)
            lost = RolloutOutcome.NO_WINNER if cause == NO_WINNER else RolloutOutcome.ROLLED_BACK
            message = one.message or (end.message if end else "")
            found = found.model_copy(update={"outcome": lost, "cause": cause, "message": message[:MAX_TEXT]})
        elif ended and situation.rollout:
            found = found.model_copy(update={"outcome": RolloutOutcome.SUPERSEDED})
        kept.append(
            found.model_copy(
                update={
                    "statement": _statement(judgement) or told.get(name),
                    "evidence": situation.evidences.get(name) if name != record.spec.candidate.name else None,
                }
            )
        )
    return tuple(kept)


def _statement(judgement: Judgement | None) -> str | None:
    return experiments.statement(judgement.test)[:MAX_TEXT] if judgement and judgement.test else None


def _rivals(situation: Situation) -> tuple[VariantInputs, ...]:
    found = []
    for one in situation.rivals:
        mine = variants.own(one.rollout) if one.rollout else None
        if mine and one.judgement:
            found.append(
                VariantInputs(
                    name=mine.name,
                    ready=one.candidate.ready,
                    total=one.evidence.total,
                    harm=round(min(1.0, one.judgement.harm), 3),
                    safe=round(min(1.0, one.judgement.safe), 3),
                    test=mine.evidence.test,
                )
            )
    return tuple(found)


def _asked(situation: Situation, facts: ModelDeploymentStatus) -> LastAction | None:
    """Return the wish that a decision answers: one that came just now, or that this rollout begins for."""
    before, last = situation.status, facts.last_action
    if last != before.last_action:
        return last
    begun = facts.rollout if before.rollout is None else None
    if last and begun and last.revision == begun.revision.name and situation.now - last.at <= ANSWERED:
        return last
    return None


def _pauser(situation: Situation, facts: ModelDeploymentStatus) -> str | None:
    """Return who has paused a rollout, or let it go on."""
    before, after = situation.rollout, facts.rollout
    if before is None or after is None or (before.paused_at is None) is (after.paused_at is None):
        return None
    return situation.seen.paused_by


def _standings(judgement: Judgement | None) -> tuple[MetricStanding, ...]:
    return tuple(
        MetricStanding(name=one.name, harm=round(max(0.0, one.harm), 3), safe=round(min(1.0, one.safe), 3))
        for one in (judgement.metrics if judgement else ())
    )


def _periods(periods: tuple[Period, ...], situation: Situation, after: Rollout | None) -> tuple[Period, ...]:
    """Bring the last period up to date, close it when the weight changes, and open the next."""
    now = situation.now
    if periods and situation.rollout:
        last = periods[-1].model_copy(update={"counts": situation.evidence.at_weight})
        if after is not None and after.weight == last.weight:
            return (*periods[:-1], last)
        periods = (*periods[:-1], last.model_copy(update={"until": now}))
    return (*periods, Period(weight=after.weight, since=now)) if after else periods


def _end(situation: Situation, outcome: Outcome, facts: ModelDeploymentStatus) -> dict[str, object]:
    """Say how the rollout has ended, if it has."""
    end = end_of(situation.status, facts)
    if end is None:
        return {"outcome": RolloutOutcome.IN_PROGRESS, "cause": None, "message": None, "finished_at": None}
    ended, cause = end
    return {"outcome": ended, "cause": cause, "message": outcome.message[:MAX_TEXT], "finished_at": situation.now}
