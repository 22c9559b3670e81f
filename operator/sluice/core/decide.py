"""The one decision: from what is known to what should be. Pure; the controller does the rest."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sluice.api.record import Evidence, RolloutRecord
from sluice.api.spec import ModelDeploymentSpec
from sluice.api.status import ModelDeploymentStatus
from sluice.core import layout
from sluice.core.announce import announcements
from sluice.core.describe import describe
from sluice.core.future import without_future
from sluice.core.gates import gating, still_asked
from sluice.core.guards import GUARDS
from sluice.core.observation import Observation
from sluice.core.plan import Plan
from sluice.core.record import entry as keep
from sluice.core.situation import Outcome, Situation, look
from sluice.core.strategies.registry import STRATEGIES
from sluice.core.timing import READY_SECONDS, RETRY_SECONDS


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
    evidence = record.status.evidence if record and status.rollout else Evidence()
    if record is None and status.decisions:  # somebody deleted it: what the counters held before belongs to nothing
        evidence = Evidence(since=now)
    situation = look(spec, without_future(status, spec, now), evidence, seen, now=now, strategy=strategy)
    rule, outcome = choose(situation)
    forgotten = layout.forget(spec, outcome.facts, seen, now)
    facts = layout.without(outcome.facts, forgotten)
    preview = layout.preview(spec, facts, seen)
    facts = facts.model_copy(update={"preview": preview or (facts.preview if seen.preview else None)})
    asks = gating(replace(situation, status=facts))
    facts = facts.model_copy(update={"gating": still_asked(asks, facts, seen)})
    entry = keep(record, situation, outcome, rule, facts)
    if entry:
        facts = facts.model_copy(update={"decisions": entry.number})
    after = replace(situation, status=facts)
    write_back = layout.write_back(spec, facts)
    kept = layout.kept(facts, seen, now)
    described = describe(status, after, outcome, selector)
    return Plan(
        status=described,
        entry=entry,
        scale=layout.scale(spec, facts, seen, now, strategy),
        freeze=layout.freeze(facts),
        split=layout.split(spec, facts, seen, strategy),
        preview=preview,
        gating=asks,
        kept=kept,
        outage=layout.outage(facts, seen),
        forget=forgotten,
        events=(*outcome.events, *announcements(status, described)),
        write_back=write_back,
        clear_wish=facts.last_action is not None and facts.last_action.pending,
        requeue_after=min(
            outcome.requeue_after,
            RETRY_SECONDS if write_back else outcome.requeue_after,
            READY_SECONDS if facts.gating and not asks else outcome.requeue_after,
            READY_SECONDS if facts.down_since or layout.unsettled(facts, kept, seen, now) else outcome.requeue_after,
        ),
    )


def choose(situation: Situation) -> tuple[str, Outcome]:
    """Let the first rule that has an answer speak, else the strategy; return its name too."""
    for guard in GUARDS:
        if outcome := guard(situation):
            return guard.__name__, outcome
    return situation.spec.strategy.kind, situation.strategy.next(situation)
