"""Recreate: the old version down, the new one up. Nobody serves in between, and no spare capacity is needed."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

from sluice.api.spec import ModelDeploymentSpec
from sluice.api.status import ModelDeploymentStatus, Rollout, Verdict
from sluice.core import words
from sluice.core.moves import at_step, promoted, warning
from sluice.core.observation import Observation
from sluice.core.situation import Outcome, Situation
from sluice.core.stage import Stage
from sluice.core.strategies.shifting import rollout_of, shift
from sluice.core.timing import READY_SECONDS

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

    def pods(self, spec: ModelDeploymentSpec, facts: ModelDeploymentStatus, seen: Observation) -> Mapping[str, int]:
        """Return pods for one revision only; whoever comes waits until those of who goes are gone."""
        replicas, rollout, stable = spec.desired_replicas, facts.rollout, facts.stable
        if stable is None:
            return {}
        if rollout is None or not self.stopped(rollout):
            pods = {stable.name: replicas if _has_room(facts, seen) else seen.revision(stable.name).replicas}
            # What another strategy has begun stays until this one stops it, or takes it over.
            return pods | ({rollout.revision.name: seen.revision(rollout.revision.name).replicas} if rollout else {})
        return {stable.name: 0, rollout.revision.name: replicas if _phase(rollout) is Phase.START else 0}

    def stopped(self, rollout: Rollout) -> bool:
        """Say whether stable's pods have been told to end."""
        return _phase(rollout) is not Phase.BEGIN

    def lacks(self, situation: Situation) -> str | None:
        """Say whose pods are waited for."""
        rollout, replicas = rollout_of(situation), situation.spec.desired_replicas
        phase = _phase(rollout)
        if phase is Phase.BEGIN:
            return None
        if phase is Phase.STOP:
            left = len(situation.stable.pods)
            return f"waiting for {left} pods of {words.version(situation.status.stable)} to end" if left else None
        return words.lacks_pods(situation.candidate, replicas, 100)

    def next(self, situation: Situation) -> Outcome:
        """Stop the one, start the other, move all traffic."""
        rollout = rollout_of(situation)
        if _phase(rollout) is Phase.BEGIN:
            # What another strategy gave the candidate is taken back: its pods end too.
            return shift(situation, rollout, 0) or self._stop(situation, rollout)
        if lacks := self.lacks(situation):
            message = f"{lacks}; {words.nobody_serves(situation.status, situation.now)}"
            return Outcome(situation.status, "Recreating", message, Verdict.RUNNING, requeue_after=READY_SECONDS)
        if _phase(rollout) is Phase.STOP:
            facts = situation.status.model_copy(update={"rollout": at_step(situation, rollout, Phase.START)})
            message = f"{words.version(situation.status.stable)} is stopped, {words.version(rollout.revision)} starts"
            return Outcome(facts, "Recreating", message, Verdict.RUNNING, requeue_after=0)
        return shift(situation, rollout, 100) or promoted(situation, rollout)

    def _stop(self, situation: Situation, rollout: Rollout) -> Outcome:
        facts = situation.status.model_copy(
            update={
                "rollout": at_step(situation, rollout, Phase.STOP),
                "down_since": situation.status.down_since or situation.now,
            }
        )
        event = warning(
            "Recreating",
            f"{words.version(situation.status.stable)} stops: nobody serves until {words.version(rollout.revision)} is "
            "ready",
        )
        return Outcome(facts, "Recreating", event.message, Verdict.RUNNING, (event,), requeue_after=0)


def _phase(rollout: Rollout) -> Phase:
    """Return where it stands; what another strategy has begun is still to be begun here."""
    return Phase(rollout.step_index) if rollout.steps == STEPS else Phase.BEGIN


def _has_room(facts: ModelDeploymentStatus, seen: Observation) -> bool:
    """Whether stable may start: it runs already, or the pods of the version that was given up are gone."""
    if facts.stable is None or seen.revision(facts.stable.name).replicas:
        return True
    given_up = (entry.revision.name for entry in facts.retired if not entry.was_stable)
    return not any(seen.revision(name).pods for name in given_up)
