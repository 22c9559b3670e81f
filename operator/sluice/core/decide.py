"""The one decision: from what is known to what should be. Pure; the controller does the rest."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sluice.api.ab_test import ABTest
from sluice.api.record import Evidence, RolloutRecord
from sluice.api.spec import ModelDeploymentSpec
from sluice.api.status import ModelDeploymentStatus
from sluice.core import demand, gates, layout, sharing, targeted, variants
from sluice.core.announce import announcements
from sluice.core.describe import awaits_proxies, describe
from sluice.core.future import without_future
from sluice.core.guards import GUARDS
from sluice.core.observation import Observation
from sluice.core.plan import Plan
from sluice.core.record import entry as keep
from sluice.core.situation import Outcome, Situation, look
from sluice.core.strategies.registry import STRATEGIES
from sluice.core.timing import READY_SECONDS, RETRY_SECONDS, ROUNDING


def decide(
    spec: ModelDeploymentSpec,
    status: ModelDeploymentStatus,
    record: RolloutRecord | None,
    seen: Observation,
    now: datetime,
    *,
    selector: str = "",
) -> Plan:
    """Return the plan for this moment.

    Everything in the plan follows from the facts in its status, from the evidence in its record and from what is
    seen, so that a controller that writes the record first and the status second can die between any two later
    writes: the next look makes the same plan again.

    Args:
        record: of the rollout in progress, as far as it was stored.
    """
    strategy = STRATEGIES[spec.strategy.kind]
    status = without_future(status, spec, now)
    spec = demand.in_numbers(spec, status, seen)
    further = variants.stored(record) if status.rollout else {}
    evidence = further.get(status.rollout.revision.name, Evidence()) if status.rollout else Evidence()
    if record is None and status.decisions:  # somebody deleted it: what the counters held before belongs to nothing
        evidence = Evidence(since=now)
    situation = look(spec, status, evidence, seen, now=now, strategy=strategy, further=further)
    rule, outcome = choose(situation)
    forgotten = layout.forget(spec, outcome.facts, seen, now)
    facts = layout.without(outcome.facts, forgotten)
    preview = layout.preview(spec, facts, seen)
    closed = gates.closed(spec, facts, strategy)
    meant = None if closed else targeted.wanted(spec, facts, seen)
    late = layout.late(facts, now)
    facts = facts.model_copy(
        update={
            "preview": preview or (facts.preview if seen.preview or late else None),
            "targeted": meant or (facts.targeted if seen.targeted or late else None),
            "demand": demand.held(spec, facts, now),
        }
    )
    asks = gates.gating(replace(situation, status=facts))
    facts = facts.model_copy(update={"gating": gates.still_asked(asks, facts, seen, late)})
    entry = keep(record, situation, outcome, rule, facts)
    if entry:
        facts = facts.model_copy(update={"decisions": entry.number})
    after = replace(situation, status=facts)
    write_back = layout.write_back(spec, facts)
    kept = layout.kept(spec, facts, seen, now)
    described = describe(status, after, outcome, selector)
    scale = layout.scale(spec, facts, seen, now, strategy)
    return Plan(
        status=described,
        entry=entry,
        scale=scale,
        floors=demand.floors(spec, facts, scale),
        freeze=layout.freeze(facts),
        split=layout.split(spec, facts, seen, strategy),
        preview=preview,
        mirror=None if closed else layout.mirror(spec, facts, seen, strategy),
        experiment=None if closed else layout.experiment(spec, facts, seen, strategy),
        targeted=meant,
        gating=asks,
        kept=kept,
        outage=layout.outage(facts, seen),
        forget=forgotten,
        events=(*outcome.events, *announcements(status, described, spec)),
        write_back=write_back,
        clear_wish=facts.last_action is not None and facts.last_action.pending,
        requeue_after=min(
            outcome.requeue_after,
            demand.left(facts, seen, now),
            RETRY_SECONDS if write_back else outcome.requeue_after,
            READY_SECONDS if not asks and gates.answers_lack(seen) else outcome.requeue_after,
            READY_SECONDS if facts.down_since or layout.unsettled(facts, kept, seen, now) else outcome.requeue_after,
            sharing.awaited(spec, facts, seen),
            READY_SECONDS if awaits_proxies(described) else outcome.requeue_after,
            READY_SECONDS if targeted.unsettled(meant, seen) else outcome.requeue_after,
            late + ROUNDING if late and (facts.preview or facts.targeted or facts.gating) else outcome.requeue_after,
        ),
    )


def compares(spec: ModelDeploymentSpec, status: ModelDeploymentStatus) -> bool:
    """Whether answers of both versions to the same requests are compared at this stage of the rollout."""
    stage = STRATEGIES[spec.strategy.kind].stage(spec, status.rollout) if status.rollout and status.stable else None
    return stage is not None and stage.mirror is not None


def under_test(spec: ModelDeploymentSpec, status: ModelDeploymentStatus) -> ABTest | None:
    """Return the A/B test that the rollout in progress is, also before its first user; None where it is none."""
    return spec.strategy.ab_test if status.rollout and status.stable and not status.rollout.direct else None


def choose(situation: Situation) -> tuple[str, Outcome]:
    """Let the first rule that has an answer speak, else the strategy; return its name too."""
    for guard in GUARDS:
        if outcome := guard(situation):
            return guard.__name__, outcome
    return situation.spec.strategy.kind, situation.strategy.next(situation)
