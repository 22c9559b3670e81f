"""The rules of gates: what they answer is kept, and a no rolls back."""

from __future__ import annotations

from sluice.api.outcomes import GateOutcome
from sluice.api.status import Verdict
from sluice.core.gates import answers, at_gates, results, told
from sluice.core.moves import normal, rolled_back, warning
from sluice.core.situation import Outcome, Situation


def gate_answered(situation: Situation) -> Outcome | None:
    """What a gate has answered is kept: nobody asks it again, whoever dies."""
    rollout, result = situation.rollout, next(answers(situation), None)
    if rollout is None or result is None:
        return None
    kept = rollout.model_copy(update={"gates": (*rollout.gates, result)})
    facts = situation.status.model_copy(update={"rollout": kept})
    tell = normal if result.outcome is GateOutcome.PASSED else warning
    event = tell(f"Gate{result.outcome}", told(result))
    return Outcome(facts, "GateAnswered", event.message, Verdict.RUNNING, (event,), requeue_after=0)


def gate_failed(situation: Situation) -> Outcome | None:
    """A candidate that a gate turns down is rolled back, also while it is paused or held."""
    rollout = situation.rollout
    if rollout is None or at_gates(situation) is None or not (failed := results(rollout, GateOutcome.FAILED)):
        return None
    return rolled_back(situation, rollout, "GateFailed", "; ".join(told(result) for result in failed))
