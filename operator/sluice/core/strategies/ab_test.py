"""A/B test: a share of the users gets the candidate and stays with it, until one version is proven to be better."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime

from sluice.api.ab_test import OnWinner
from sluice.api.spec import ModelDeploymentSpec
from sluice.api.status import ModelDeploymentStatus, Rollout, Verdict
from sluice.api.strategy import Pause
from sluice.core import findings, variants, words
from sluice.core.experiments import hindrance
from sluice.core.moves import advance, crowned, winner
from sluice.core.observation import Observation
from sluice.core.replicas import needed
from sluice.core.situation import Outcome, Situation, rollout_of
from sluice.core.stage import Stage
from sluice.core.strategies.gating import gates_stage
from sluice.core.strategies.stepped import SteppedStrategy, unproven
from sluice.core.timing import READY_SECONDS


class ABTestStrategy(SteppedStrategy):
    """Gates, start, test; then all traffic at once, or that when somebody promotes."""

    def stages(self, spec: ModelDeploymentSpec) -> tuple[Stage, ...]:
        """Return the stages that the spec asks for: the pods are there before the test's clock runs."""
        test = spec.strategy.ab_test
        if test is None:
            return ()
        pods = needed(spec.desired_replicas, test.weight)
        gates = (gates_stage(spec.gates, 1),) if spec.gates else ()
        live = Stage(f"test {test.weight}", test.weight, pods, test=test)
        # Whom the winner's harm meets while it waits is still protected.
        hold = (replace(live, title="hold", pause=Pause()),) if test.on_winner is OnWinner.HOLD else ()
        return (*gates, Stage("start", 0, pods), live, *hold)

    def stage(self, spec: ModelDeploymentSpec, rollout: Rollout) -> Stage | None:
        """Return the stage a rollout is at, with the weight of the challenger that it is about."""
        found, mine = super().stage(spec, rollout), variants.own(rollout)
        if found is None or mine is None:
            return found
        weight = mine.weight if found.weight else 0
        return replace(found, title=self._title(found, rollout), weight=weight, pods=self._needs(spec, mine.weight))

    def pods(
        self, spec: ModelDeploymentSpec, facts: ModelDeploymentStatus, seen: Observation, now: datetime
    ) -> Mapping[str, int]:
        """Return all pods for stable, and for each challenger what its users need."""
        beside = variants.others(facts.rollout) if facts.rollout else ()
        needs = {one.revision.name: self._needs(spec, one.weight) for one in beside}
        return {**super().pods(spec, facts, seen, now), **needs}

    def begun(self, spec: ModelDeploymentSpec, index: int) -> str:
        """Identify the test. All of it is settled before it begins, but for what a winner gets."""
        stages = self.stages(spec)
        wants = spec.strategy.ab_test.to_kubernetes() if spec.strategy.ab_test else {}
        if not any(stage.test for stage in stages[:index]):
            wants.pop("onWinner", None)
        if not wants.get("variants"):
            wants.pop("variants", None)
        sticky = spec.traffic and spec.traffic.sticky
        settled = [spec.analysis.alpha.to_kubernetes(), sticky.to_kubernetes() if sticky else None]
        gates = [stage.gates.to_kubernetes() for stage in stages[: index + 1] if stage.gates]
        return hashlib.sha256(json.dumps(["abTest", wants, settled, *gates], sort_keys=True).encode()).hexdigest()[:10]

    def carries(self, spec: ModelDeploymentSpec, rollout: Rollout, ready: int) -> int:
        """Return what the pods can bear; the last one bears the test's users until the others are back.

        Less weight would send users to the other version and back, and spoil what is measured.
        """
        stage = self.stage(spec, rollout)
        covers = super().carries(spec, rollout, ready)
        if stage and stage.test and rollout.variants:
            return stage.weight  # who has no pod has no weight on the route, and keeps his users for when they are back
        return max(covers, stage.weight) if stage and stage.test and ready else covers

    def lacks(self, situation: Situation) -> str | None:
        """Say what is missing; pods that are being replaced in mid-test are not."""
        rollout = rollout_of(situation)
        stage = self.stage(situation.spec, rollout)
        live = stage and stage.test and rollout.weight == stage.weight
        if live and (situation.candidate.ready or rollout.variants):
            return None
        return super().lacks(situation)

    def proven(self, situation: Situation, rollout: Rollout) -> Outcome:
        """Go on to the promotion, or end with what was found where nobody but a person promotes."""
        if _only_tells(situation.spec):
            return winner(situation, rollout)
        return super().proven(situation, rollout)

    def next(self, situation: Situation) -> Outcome:
        """Do the present stage; no user is assigned while it can't be measured what comes of it."""
        rollout = rollout_of(situation)
        stage = self.stage(situation.spec, rollout)
        begins = stage is not None and stage.gates is None and rollout.weight == 0
        why = hindrance(situation.spec, situation.seen, situation.evidence.test)
        if begins and why and self.lacks(situation) is None:
            return Outcome(situation.status, "AwaitingTest", why, Verdict.ERROR, requeue_after=READY_SECONDS)
        if outcome := self._awaits_rivals(situation) if rollout.weight == 0 else None:
            return outcome
        return super().next(situation)

    def prove(self, situation: Situation, rollout: Rollout) -> Outcome:
        """Wait for a winner: of several the one that is better by most for sure."""
        if not situation.rivals:
            return super().prove(situation, rollout)
        found = [(one, unproven(one)) for one in situation.challengers]
        winners = [one for one, waits in found if waits is None]
        if not winners:
            waiting = [(one, waits) for one, waits in found if waits]
            said = (f"{variants.label(rollout_of(one))}: {waits.message}" for one, waits in waiting)
            return replace(waiting[0][1], facts=situation.status, message="; ".join(said))
        best = max(winners, key=_least)
        chosen = crowned(situation, rollout_of(best).revision.name)
        if _only_tells(situation.spec):
            return winner(chosen, rollout_of(chosen))
        why = f"{variants.label(rollout_of(best))}: {findings.proven(best)}"
        return advance(chosen, rollout_of(chosen), why)

    def _awaits_rivals(self, situation: Situation) -> Outcome | None:
        """All begin together: say who lacks something before the first user comes."""
        for rival in situation.rivals:
            name = variants.label(rollout_of(rival))
            if lacks := self.lacks(rival):
                message = f"{name}: {lacks}"
                return Outcome(situation.status, "ScalingUp", message, Verdict.RUNNING, requeue_after=READY_SECONDS)
            if unread := words.unread(rival):
                message = f"{name}: {unread}"
                return Outcome(situation.status, "Unreadable", message, Verdict.ERROR, requeue_after=READY_SECONDS)
        return None

    def _title(self, stage: Stage, rollout: Rollout) -> str:
        if not stage.weight or stage.pause:
            return stage.title
        return f"test {' '.join(str(one.weight) for one in variants.living(rollout))}"

    def _needs(self, spec: ModelDeploymentSpec, weight: int) -> int:
        return needed(spec.desired_replicas, weight) if spec.desired_replicas else 0


def _only_tells(spec: ModelDeploymentSpec) -> bool:
    test = spec.strategy.ab_test
    return test is not None and test.on_winner is OnWinner.NOTIFY


def _least(situation: Situation) -> float:
    """Return by how much a challenger is better for sure."""
    found = situation.judgement.test.difference if situation.judgement and situation.judgement.test else None
    return found.lower if found else 0.0
