"""A/B test: a share of the users gets the candidate and stays with it, until one version is proven to be better."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

from sluice.api.ab_test import OnWinner
from sluice.api.spec import ModelDeploymentSpec
from sluice.api.status import Rollout, Verdict
from sluice.api.strategy import Pause
from sluice.core.experiments import hindrance
from sluice.core.moves import winner
from sluice.core.replicas import needed
from sluice.core.situation import Outcome, Situation
from sluice.core.stage import Stage
from sluice.core.strategies.gating import gates_stage
from sluice.core.strategies.shifting import rollout_of
from sluice.core.strategies.stepped import SteppedStrategy
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

    def begun(self, spec: ModelDeploymentSpec, index: int) -> str:
        """Identify the test. All of it is settled before it begins, but for what a winner gets."""
        stages = self.stages(spec)
        wants = spec.strategy.ab_test.to_kubernetes() if spec.strategy.ab_test else {}
        if not any(stage.test for stage in stages[:index]):
            wants.pop("onWinner", None)
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
        return max(covers, stage.weight) if stage and stage.test and ready else covers

    def lacks(self, situation: Situation) -> str | None:
        """Say what is missing; pods that are being replaced in mid-test are not."""
        rollout = rollout_of(situation)
        stage = self.stage(situation.spec, rollout)
        if stage and stage.test and rollout.weight == stage.weight and situation.candidate.ready:
            return None
        return super().lacks(situation)

    def proven(self, situation: Situation, rollout: Rollout) -> Outcome:
        """Go on to the promotion, or end with what was found where nobody but a person promotes."""
        test = situation.spec.strategy.ab_test
        if test and test.on_winner is OnWinner.NOTIFY:
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
        return super().next(situation)
