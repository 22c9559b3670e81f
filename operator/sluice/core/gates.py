"""Gates: which of them are to be asked, and what their answers mean. Who asks them is none of this package."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from sluice.api.gates import Gates
from sluice.api.outcomes import GateOutcome
from sluice.api.spec import ModelDeploymentSpec
from sluice.api.status import GateResult, ModelDeploymentStatus, Rollout
from sluice.core.observation import GateState, Observation
from sluice.core.plan import Gating

if TYPE_CHECKING:
    from sluice.core.situation import Situation
    from sluice.core.strategies.base import Strategy

MAX_MESSAGE = 500


def round_of(status: ModelDeploymentStatus, rollout: Rollout) -> str:
    """Return what tells the questions of this rollout, and of this try of it, from all others."""
    return f"{status.record}-{rollout.gate_round}"


def gating(situation: Situation) -> Gating | None:
    """Return the gates that should be asked at this moment: once the candidate can be reached, and has no traffic.

    A pause begins nothing, and what has begun goes on.
    """
    status, rollout, gates = situation.status, situation.rollout, at_gates(situation)
    if rollout is None or status.stable is None or gates is None:
        return None
    traffic = rollout.weight > 0 or situation.live_weight != 0 or situation.seen.may_reach(rollout.revision.name)
    halted = situation.spec.paused or traffic or situation.strategy.lacks(situation) is not None
    asked = () if halted else unanswered(rollout, gates)
    return Gating(round_of(status, rollout), asked, rollout.revision, status.stable)


def closed(spec: ModelDeploymentSpec, facts: ModelDeploymentStatus, strategy: Strategy) -> bool:
    """Whether gates stand between the candidate and its first request, also one that is meant for it, or a copy.

    So they do where the steps have changed and that is not noted yet: by the new ones it seems to be further.
    """
    rollout = facts.rollout
    if rollout is None or rollout.direct or spec.gates is None:
        return False
    stage = strategy.stage(spec, rollout)
    at_them = stage is not None and stage.gates is not None
    return at_them or rollout.steps != strategy.begun(spec, rollout.step_index)


def still_asked(asks: Gating | None, facts: ModelDeploymentStatus, seen: Observation, late: float) -> str | None:
    """Return the round of which somebody may still be asked: what is to be looked for, and in the end taken away.

    Args:
        asks: the gates to be asked now.
        facts: what is known.
        seen: what is seen.
        late: for how many seconds an operator who hung may still begin to ask.
    """
    if asks:
        return asks.round
    return facts.gating if late or answers_lack(seen) else None


def answers_lack(seen: Observation) -> bool:
    """Whether somebody is being asked."""
    return any(state.outcome is None for state in seen.gates)


def at_gates(situation: Situation) -> Gates | None:
    """Return the gates of the present stage, None at any other."""
    return situation.stage.gates if situation.stage and situation.status.stable else None


def unanswered(rollout: Rollout, gates: Gates) -> tuple[str, ...]:
    """Return the names of the gates without an answer."""
    answered = {result.name for result in rollout.gates}
    return tuple(name for name in gates.names if name not in answered)


def answers(situation: Situation) -> Iterator[GateResult]:
    """Yield the answers that have come since the last look."""
    rollout, gates = situation.rollout, at_gates(situation)
    states = asked_now(situation)
    for name in unanswered(rollout, gates) if rollout and gates else ():
        state = states.get(name)
        if state and state.outcome:
            message = state.message[:MAX_MESSAGE]
            yield GateResult(name=name, outcome=state.outcome, message=message, at=situation.now)


def asked_now(situation: Situation) -> dict[str, GateState]:
    """Return what is seen of the gates of this round, by name."""
    rollout = situation.rollout
    here = round_of(situation.status, rollout) if rollout else None
    return {state.name: state for state in situation.seen.gates if state.round == here}


def anew(rollout: Rollout) -> Rollout:
    """Ask all gates once more: what they said counts no longer."""
    return rollout.model_copy(update={"gates": (), "gate_round": rollout.gate_round + 1})


def results(rollout: Rollout, outcome: GateOutcome) -> tuple[GateResult, ...]:
    """Return the answers of one kind."""
    return tuple(result for result in rollout.gates if result.outcome is outcome)


def undecided(situation: Situation, gates: Gates) -> str:
    """Say why the gates are not passed; that they failed is said elsewhere."""
    rollout = situation.rollout
    unsure = results(rollout, GateOutcome.UNDECIDED) if rollout else ()
    if unsure:
        return "; ".join(told(result) for result in unsure)
    return f"not all gates answered within {situation.spec.progress_deadline_seconds} s; {waiting(situation, gates)}"


def told(result: GateResult) -> str:
    """Say what a gate has answered."""
    verb = {GateOutcome.PASSED: "passed", GateOutcome.FAILED: "failed", GateOutcome.UNDECIDED: "can't tell"}
    return f"gate {result.name} {verb[result.outcome]}" + (f": {result.message}" if result.message else "")


def waiting(situation: Situation, gates: Gates) -> str:
    """Say which gates are waited for, and what each of them waits for."""
    rollout, states = situation.rollout, asked_now(situation)
    names = unanswered(rollout, gates) if rollout else ()
    parts = []
    for name in names:
        state = states.get(name)
        parts.append(f"{name} ({state.message})" if state and state.message else name)
    done = len(gates.names) - len(names)
    return f"waiting for gates before any traffic, {done} of {len(gates.names)} answered: {', '.join(parts)}"
