"""What strategies have in common whose candidate runs beside stable: one stage after the other, then promotion."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import datetime

from sluice.api.base import format_duration
from sluice.api.spec import ModelDeploymentSpec
from sluice.api.status import ModelDeploymentStatus, Rollout, Verdict
from sluice.api.strategy import Pause
from sluice.core import findings, sharing, targeted, words
from sluice.core.moves import advance, promoted, with_weight
from sluice.core.observation import Observation
from sluice.core.replicas import carried_by, needed
from sluice.core.situation import Outcome, Situation, rollout_of
from sluice.core.stage import Stage
from sluice.core.strategies.gating import pass_gates
from sluice.core.strategies.shifting import shift
from sluice.core.timing import ANALYSIS_SECONDS, READY_SECONDS


class SteppedStrategy(ABC):
    """Does the stages that a strategy makes of its spec."""

    @abstractmethod
    def stages(self, spec: ModelDeploymentSpec) -> tuple[Stage, ...]:
        """Return all stages; after the last one the candidate becomes stable."""

    @abstractmethod
    def begun(self, spec: ModelDeploymentSpec, index: int) -> str:
        """Identify the stages up to and including this one, so that a change of them is noticed."""

    def stage(self, spec: ModelDeploymentSpec, rollout: Rollout) -> Stage | None:
        """Return the stage a rollout is at, None when it is being promoted."""
        stages = self.stages(spec)
        return stages[rollout.step_index] if rollout.step_index < len(stages) and not rollout.direct else None

    def title(self, spec: ModelDeploymentSpec, rollout: Rollout) -> str:
        """Say where the rollout stands, for example `3/4 setWeight 50`."""
        stage = self.stage(spec, rollout)
        return f"{rollout.step_index + 1}/{len(self.stages(spec))} {stage.title}" if stage else "promoting"

    def pods(
        self, spec: ModelDeploymentSpec, facts: ModelDeploymentStatus, seen: Observation, now: datetime
    ) -> Mapping[str, int]:
        """Return all pods for stable; for the candidate what its stage needs, and the weight it has."""
        replicas, rollout = spec.desired_replicas, facts.rollout
        pods = {facts.stable.name: replicas} if facts.stable else {}
        if rollout is None:
            return pods
        if spec.by_pods:
            return pods | {rollout.revision.name: sharing.pods(spec, rollout, self._stage(spec, rollout), seen)}
        wanted = max(self._stage(spec, rollout).pods, needed(replicas, rollout.weight)) if replicas else 0
        # A warm revision that comes back keeps the pods it has.
        return pods | {rollout.revision.name: max(wanted, min(seen.revision(rollout.revision.name).replicas, replicas))}

    def stopped(self, rollout: Rollout) -> bool:
        """Return False: stable serves all the time."""
        return False

    def carries(self, spec: ModelDeploymentSpec, rollout: Rollout, ready: int) -> int:
        """Return what the pods can bear: stable takes the rest."""
        return carried_by(spec, ready)

    def lacks(self, situation: Situation) -> str | None:
        """Say how many pods are missing for the present stage, or that who should reach them does not."""
        stage = self._stage(situation.spec, rollout_of(situation))
        lacks_pods = words.lacks_pods(situation.candidate, stage.pods, stage.weight)
        return lacks_pods or _hidden(situation, stage)

    def next(self, situation: Situation) -> Outcome:
        """Do the present stage, or say what it waits for."""
        rollout = rollout_of(situation)
        stage = self.stage(situation.spec, rollout)
        if stage is None:
            # Move the stable pointer once the candidate takes all traffic; no pod is touched by that.
            return _reach(situation, rollout, self._stage(situation.spec, rollout)) or promoted(situation, rollout)
        # A weight that was lowered for want of ready pods comes back before the stage goes on.
        settled = stage.waits and not stage.gates and rollout.weight == stage.weight
        if not settled and (outcome := _reach(situation, rollout, stage)):
            return outcome
        if stage.gates is not None:
            return pass_gates(situation, rollout, stage.gates)
        if stage.pause is not None:
            return _pause(situation, rollout, stage.pause)
        return self.prove(situation, rollout) if stage.proves else advance(situation, rollout, words.reached(situation))

    def prove(self, situation: Situation, rollout: Rollout) -> Outcome:
        """Wait for the proof that this stage asks for."""
        return unproven(situation) or self.proven(situation, rollout)

    def proven(self, situation: Situation, rollout: Rollout) -> Outcome:
        """Say what follows the proof that a stage has waited for: the next one."""
        return advance(situation, rollout, findings.proven(situation))

    def _stage(self, spec: ModelDeploymentSpec, rollout: Rollout) -> Stage:
        """Return what the rollout aims at, also when it is being promoted."""
        replicas = spec.desired_replicas
        return self.stage(spec, rollout) or Stage("promote", 100, needed(replicas, 100))


def _reach(situation: Situation, rollout: Rollout, stage: Stage) -> Outcome | None:
    """Give the candidate its weight as far as its ready pods carry it; None when it is live on the gateway."""
    at_once = sharing.first_goal(rollout, stage) if situation.spec.by_pods else None
    if rollout.weight > stage.weight:
        at_once = stage.weight
    if at_once is not None:
        return shift(situation, rollout, at_once)
    if lacks := words.lacks_pods(situation.candidate, stage.pods, stage.weight):
        facts = with_weight(situation, rollout, min(rollout.weight, situation.carried))
        message = f"{lacks}{words.way_out(situation)}"
        return Outcome(facts, "ScalingUp", message, Verdict.RUNNING, requeue_after=READY_SECONDS)
    if rollout.weight == 0 and not rollout.direct and (unread := words.unread(situation)):
        # Where its counters stand before its first request is where counting starts.
        return Outcome(situation.status, "Unreadable", unread, Verdict.ERROR, requeue_after=READY_SECONDS)
    if outcome := shift(situation, rollout, stage.weight):
        return outcome
    if hidden := _hidden(situation, stage):
        reason = "WaitingForPreview" if stage.previewed else "WaitingForMatch"
        return Outcome(situation.status, reason, hidden, Verdict.RUNNING, requeue_after=READY_SECONDS)
    return None


def _hidden(situation: Situation, stage: Stage) -> str | None:
    """Say that the candidate can't be reached yet by those whom the stage wants to reach it, if so."""
    if stage.previewed:
        return words.not_previewed(situation)
    return targeted.not_open(situation) if stage.targeted else None


def _pause(situation: Situation, rollout: Rollout, pause: Pause) -> Outcome:
    if pause.duration is None:
        message = words.awaiting_promotion(situation)
        return Outcome(situation.status, "AwaitingPromotion", message, Verdict.RUNNING, requeue_after=ANALYSIS_SECONDS)
    left = (pause.duration - situation.step_age).total_seconds()
    if left > 0:
        where = "" if rollout.weight else words.preview_address(situation)
        message = f"pausing at {rollout.weight} % for {format_duration(pause.duration)}{where}"
        wait = max(0.1, min(ANALYSIS_SECONDS, left))
        return Outcome(situation.status, "Pausing", message, Verdict.RUNNING, requeue_after=wait)
    return advance(situation, rollout, f"paused for {format_duration(pause.duration)}")


def unproven(situation: Situation) -> Outcome | None:
    """Wait for the proof that this stage asks for; None when it is there."""
    judgement = situation.judgement
    silent = words.unreachable(situation)
    stage = situation.stage
    if judgement and judgement.passed and not silent and not (stage and situation.step_age < stage.lasts):
        return None
    message = findings.waiting_for_evidence(situation)
    verdict = Verdict.ERROR if silent else Verdict.RUNNING
    return Outcome(situation.status, "Analyzing", message, verdict, requeue_after=ANALYSIS_SECONDS)
