"""Recreate: the old version down, the new one up. Nobody serves in between, and no spare capacity is needed."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import IntEnum

from sluice.api.spec import ModelDeploymentSpec
from sluice.api.status import ModelDeploymentStatus, Rollout, Verdict
from sluice.core import words
from sluice.core.moves import at_step, normal, promoted, warning
from sluice.core.observation import Observation
from sluice.core.replicas import carried_by, in_the_way
from sluice.core.situation import Outcome, Situation, rollout_of
from sluice.core.stage import Stage
from sluice.core.strategies.shifting import shift
from sluice.core.timing import READY_SECONDS, seconds

STEPS = "recreate"


class Phase(IntEnum):
    """Where a recreate stands, as the rollout's step index."""

    BEGIN = 0
    STOP = 1
    START = 2


class RecreateStrategy:
    """Stops the old version, waits until its pods are gone, starts the new one. Going back is the same backwards."""

    def stage(self, spec: ModelDeploymentSpec, rollout: Rollout) -> Stage | None:
        """Return None: there are no steps to choose."""
        return None

    def begun(self, spec: ModelDeploymentSpec, index: int) -> str:
        """Return what tells it from the steps of another strategy."""
        return STEPS

    def title(self, spec: ModelDeploymentSpec, rollout: Rollout) -> str:
        """Say which phase it is, for example `3/3 start`."""
        phase = _phase(rollout)
        return f"{phase + 1}/{len(Phase)} {phase.name.lower()}"

    def pods(
        self, spec: ModelDeploymentSpec, facts: ModelDeploymentStatus, seen: Observation, now: datetime
    ) -> Mapping[str, int]:
        """Return pods for one revision only; whoever comes waits until those of who goes are gone."""
        replicas, rollout, stable = spec.desired_replicas, facts.rollout, facts.stable
        if stable is None:
            return {}
        if rollout is not None and self.stopped(rollout):
            return {stable.name: 0, rollout.revision.name: replicas if _phase(rollout) is Phase.START else 0}
        pods = {stable.name: replicas if _may_return(spec, facts, seen, now) else 0}
        # What another strategy has begun stays until this one stops it.
        return pods | ({rollout.revision.name: seen.revision(rollout.revision.name).replicas} if rollout else {})

    def stopped(self, rollout: Rollout) -> bool:
        """Say whether stable's pods have been told to end."""
        return _phase(rollout) is not Phase.BEGIN

    def carries(self, spec: ModelDeploymentSpec, rollout: Rollout, ready: int) -> int:
        """Return what the pods can bear; where stable was stopped, too few are better than nobody."""
        return 100 if ready and self.stopped(rollout) else carried_by(spec, ready)

    def lacks(self, situation: Situation) -> str | None:
        """Say whose pods are waited for; those that do not end in time are waited for no longer."""
        rollout = rollout_of(situation)
        phase = _phase(rollout)
        if phase is Phase.BEGIN:
            return None
        if phase is Phase.STOP:
            left = in_the_way(situation.status, situation.seen)
            return f"waiting for {left} pods to end" if left and not situation.deadline_passed else None
        return words.lacks_pods(situation.candidate, situation.spec.desired_replicas, 100)

    def next(self, situation: Situation) -> Outcome:
        """Stop the one, start the other, move all traffic."""
        rollout = rollout_of(situation)
        phase = _phase(rollout)
        if phase is Phase.BEGIN:
            return _take_back(situation, rollout) or _stop(situation, rollout)
        status = situation.status.model_copy(update={"down_since": situation.status.down_since or situation.now})
        if lacks := self.lacks(situation):
            message = f"{lacks}; {words.nobody_serves(status, situation.now)}"
            return Outcome(status, "Recreating", message, Verdict.RUNNING, requeue_after=READY_SECONDS)
        if phase is Phase.STOP:
            facts = status.model_copy(update={"rollout": at_step(situation, rollout, Phase.START)})
            message = f"{words.version(status.stable)} is stopped, {words.version(rollout.revision)} starts"
            return Outcome(facts, "Recreating", message, Verdict.RUNNING, requeue_after=0)
        return shift(situation, rollout, 100) or promoted(situation, rollout)


def _take_back(situation: Situation, rollout: Rollout) -> Outcome | None:
    """Take back what another strategy has given the candidate: its pods end too."""
    if outcome := shift(situation, rollout, 0):
        return outcome
    if situation.seen.route and situation.seen.route.settled:
        return None
    message = "waiting until all proxies know that stable has all traffic"
    return Outcome(situation.status, "ShiftingTraffic", message, Verdict.RUNNING, requeue_after=READY_SECONDS)


def _stop(situation: Situation, rollout: Rollout) -> Outcome:
    facts = situation.status.model_copy(
        update={
            "rollout": at_step(situation, rollout, Phase.STOP),
            "down_since": situation.status.down_since or situation.now,
        }
    )
    old, new = words.version(situation.status.stable), words.version(rollout.revision)
    follows = situation.status.down_since is not None  # a recreate before, which has said it
    tell, does = (normal, "stays stopped") if follows else (warning, "stops")
    event = tell("Recreating", f"{old} {does}: nobody serves until {new} is ready")
    return Outcome(facts, "Recreating", event.message, Verdict.RUNNING, (event,), requeue_after=0)


def _phase(rollout: Rollout) -> Phase:
    """Return where it stands; what another strategy has begun is still to be begun here."""
    known = rollout.steps == STEPS and rollout.step_index < len(Phase)
    return Phase(rollout.step_index) if known else Phase.BEGIN


def _may_return(spec: ModelDeploymentSpec, facts: ModelDeploymentStatus, seen: Observation, now: datetime) -> bool:
    """Whether stable has its pods, or may have them again: those in the way are gone, or do not end in time."""
    if facts.stable is None or facts.down_since is None or seen.revision(facts.stable.name).replicas:
        return True
    given_up = [entry.scale_down_at for entry in facts.retired if not entry.was_stable]
    since = max((at for at in given_up if at > facts.down_since), default=facts.down_since)
    late = now - since > seconds(spec.progress_deadline_seconds)
    return late or not in_the_way(facts, seen)
