"""The one decision: from what is known to what should be. Pure; the controller does the rest."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sluice.api.spec import ModelDeploymentSpec
from sluice.api.status import ModelDeploymentStatus
from sluice.core import layout
from sluice.core.describe import describe
from sluice.core.guards import GUARDS
from sluice.core.observation import Observation
from sluice.core.plan import Plan
from sluice.core.situation import Outcome, Situation, look
from sluice.core.strategies.registry import STRATEGIES


def decide(
    spec: ModelDeploymentSpec,
    status: ModelDeploymentStatus,
    seen: Observation,
    now: datetime,
    *,
    selector: str = "",
) -> Plan:
    """Return the plan for this moment.

    Everything in the plan follows from the facts in its status and from what is seen, so that a controller that
    writes the status first can die between any two later writes: the next look makes the same plan again.
    """
    strategy = STRATEGIES[spec.strategy.kind]
    situation = look(spec, status, seen, now, strategy)
    outcome = choose(situation)
    forgotten = layout.forget(spec, outcome.facts, seen, now)
    facts = layout.without(outcome.facts, forgotten)
    after = replace(situation, status=facts)
    return Plan(
        status=describe(status, after, outcome, selector),
        scale=layout.scale(spec, facts, seen, now, strategy),
        freeze=layout.freeze(facts),
        split=layout.split(facts),
        forget=forgotten,
        events=outcome.events,
        clear_wish=facts.last_action is not None and facts.last_action.pending,
        requeue_after=outcome.requeue_after,
    )


def choose(situation: Situation) -> Outcome:
    """Let the first rule that has an answer speak, else the strategy."""
    for guard in GUARDS:
        if outcome := guard(situation):
            return outcome
    return situation.strategy.next(situation)
