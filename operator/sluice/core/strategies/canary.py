"""Canary: a small random share of the traffic first, then step by step everyone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping

from sluice.api.base import format_duration
from sluice.api.spec import ModelDeploymentSpec
from sluice.api.status import ModelDeploymentStatus, Rollout, Verdict
from sluice.api.strategy import Step
from sluice.core import words
from sluice.core.moves import advance, promoted, with_weight
from sluice.core.observation import Observation
from sluice.core.replicas import covered, needed
from sluice.core.situation import Outcome, Situation
from sluice.core.strategies.shifting import rollout_of, shift
from sluice.core.timing import ANALYSIS_SECONDS, READY_SECONDS


class CanaryStrategy:
    """Steps of setWeight, pause and analysis; after the last one the candidate becomes stable."""

    def step(self, spec: ModelDeploymentSpec, rollout: Rollout) -> Step | None:
        """Return the step a rollout is at, None when it is being promoted."""
        steps = _steps(spec)
        return steps[rollout.step_index] if rollout.step_index < len(steps) and not rollout.direct else None

    def begun(self, spec: ModelDeploymentSpec, index: int) -> str:
        """Identify the steps up to and including this one, so that a change of them is noticed."""
        steps = [step.to_kubernetes() for step in _steps(spec)[: index + 1]]
        return hashlib.sha256(json.dumps(steps, sort_keys=True).encode()).hexdigest()[:10]

    def title(self, spec: ModelDeploymentSpec, rollout: Rollout) -> str:
        """Say where the rollout stands, for example `3/4 setWeight 50`."""
        steps, step = _steps(spec), self.step(spec, rollout)
        return f"{rollout.step_index + 1}/{len(steps)} {step.title}" if step else "promoting"

    def pods(self, spec: ModelDeploymentSpec, facts: ModelDeploymentStatus, seen: Observation) -> Mapping[str, int]:
        """Return all pods for stable; for the candidate what its weight needs, and what the coming one does."""
        replicas, rollout = spec.desired_replicas, facts.rollout
        pods = {facts.stable.name: replicas} if facts.stable else {}
        if rollout is None:
            return pods
        wanted = needed(replicas, max(target_weight(spec, rollout), rollout.weight)) if replicas else 0
        # A warm revision that comes back keeps the pods it has.
        return pods | {rollout.revision.name: max(wanted, min(seen.revision(rollout.revision.name).replicas, replicas))}

    def stopped(self, rollout: Rollout) -> bool:
        """Return False: stable serves all the time."""
        return False

    def lacks(self, situation: Situation) -> str | None:
        """Say how many pods are missing for the weight of the present step."""
        target = target_weight(situation.spec, rollout_of(situation))
        wants = needed(situation.spec.desired_replicas, target)
        return words.lacks_pods(situation.candidate, wants, target)

    def next(self, situation: Situation) -> Outcome:
        """Do the current step, or say what it waits for."""
        rollout = rollout_of(situation)
        step = self.step(situation.spec, rollout)
        if step is None:
            return self._promote(situation, rollout)
        if step.set_weight is not None:
            return self._shift(situation, rollout)
        # A weight that was lowered for want of ready pods comes back before the step goes on.
        target = target_weight(situation.spec, rollout)
        if rollout.weight != target and (outcome := raise_weight(situation, rollout, target)):
            return outcome
        if step.pause is not None:
            return self._pause(situation, rollout, step)
        return self._analyse(situation, rollout)

    def _shift(self, situation: Situation, rollout: Rollout) -> Outcome:
        """Give the candidate its weight once its pods can carry it; done when the gateway has taken it."""
        target = target_weight(situation.spec, rollout)
        outcome = raise_weight(situation, rollout, target)
        if outcome:
            return outcome
        return advance(situation, rollout, f"{target} % of the traffic goes to {words.version(rollout.revision)}")

    def _pause(self, situation: Situation, rollout: Rollout, step: Step) -> Outcome:
        duration = step.pause.duration if step.pause else None
        if duration is None:
            message = words.awaiting_promotion(situation)
            return Outcome(
                situation.status, "AwaitingPromotion", message, Verdict.RUNNING, requeue_after=ANALYSIS_SECONDS
            )
        left = (duration - situation.step_age).total_seconds()
        if left > 0:
            message = f"pausing at {rollout.weight} % for {format_duration(duration)}"
            wait = max(0.1, min(ANALYSIS_SECONDS, left))
            return Outcome(situation.status, "Pausing", message, Verdict.RUNNING, requeue_after=wait)
        return advance(situation, rollout, f"paused for {format_duration(duration)}")

    def _analyse(self, situation: Situation, rollout: Rollout) -> Outcome:
        """Wait for the proof of safety at this step's margin."""
        judgement = situation.judgement
        if judgement and judgement.passed and not situation.seen.scrape.unreachable:
            return advance(
                situation, rollout, f"safe at {rollout.weight} %: {words.counts(situation.evidence.at_weight)}"
            )
        message = words.waiting_for_evidence(situation)
        verdict = Verdict.ERROR if situation.seen.scrape.unreachable else Verdict.RUNNING
        return Outcome(situation.status, "Analyzing", message, verdict, requeue_after=ANALYSIS_SECONDS)

    def _promote(self, situation: Situation, rollout: Rollout) -> Outcome:
        """Move the stable pointer once the candidate takes all traffic; no pod is touched by that."""
        outcome = raise_weight(situation, rollout, 100)
        if outcome:
            return outcome
        return promoted(situation, rollout)


def raise_weight(situation: Situation, rollout: Rollout, target: int) -> Outcome | None:
    """Give the candidate `target` percent as far as its ready pods carry it; None when it is live on the gateway."""
    replicas, candidate = situation.spec.desired_replicas, situation.candidate
    if lacks := words.lacks_pods(candidate, needed(replicas, target), target):
        facts = with_weight(situation, rollout, min(rollout.weight, covered(replicas, candidate.ready)))
        return Outcome(facts, "ScalingUp", lacks, Verdict.RUNNING, requeue_after=READY_SECONDS)
    if rollout.weight == 0 and not rollout.direct and (unread := words.unread(situation)):
        # Where its counters stand before its first request is where counting starts.
        return Outcome(situation.status, "Unreadable", unread, Verdict.ERROR, requeue_after=READY_SECONDS)
    return shift(situation, rollout, target)


def target_weight(spec: ModelDeploymentSpec, rollout: Rollout) -> int:
    """Return the weight of the last setWeight step reached; 100 when being promoted."""
    steps = _steps(spec)
    if rollout.direct or rollout.step_index >= len(steps):
        return 100
    return next((s.set_weight for s in reversed(steps[: rollout.step_index + 1]) if s.set_weight), 0)


def _steps(spec: ModelDeploymentSpec) -> tuple[Step, ...]:
    return spec.strategy.canary.steps if spec.strategy.canary else ()
