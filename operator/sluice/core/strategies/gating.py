"""The stage of the gates: the candidate runs, nobody's request reaches it, and others judge it first."""

from __future__ import annotations

from sluice.api.gates import Gates
from sluice.api.outcomes import GateOutcome
from sluice.api.status import Rollout, Verdict
from sluice.core.gates import results, unanswered, waiting
from sluice.core.moves import advance, inconclusive
from sluice.core.situation import Outcome, Situation
from sluice.core.stage import Stage
from sluice.core.timing import ANALYSIS_SECONDS

GATES = "gates"


def gates_stage(gates: Gates, pods: int) -> Stage:
    """Return the stage; the candidate needs so many ready pods to be asked."""
    return Stage(GATES, 0, pods, gates=gates)


def pass_gates(situation: Situation, rollout: Rollout, gates: Gates) -> Outcome:
    """Wait for all answers. One that failed was seen to by a guard before."""
    if unanswered(rollout, gates):
        message = waiting(situation, gates)
        return Outcome(situation.status, "AwaitingGates", message, Verdict.RUNNING, requeue_after=ANALYSIS_SECONDS)
    if results(rollout, GateOutcome.UNDECIDED):
        return inconclusive(situation, rollout)
    return advance(situation, rollout, f"passed {', '.join(gates.names)}")
