"""Canary: a small random share of the traffic first, then step by step everyone."""

from __future__ import annotations

import hashlib
import json

from sluice.api.spec import ModelDeploymentSpec
from sluice.api.strategy import Step
from sluice.core.replicas import needed
from sluice.core.stage import Stage
from sluice.core.strategies.gating import gates_stage
from sluice.core.strategies.stepped import SteppedStrategy


class CanaryStrategy(SteppedStrategy):
    """Steps of setWeight, pause and analysis; after the last one the candidate becomes stable."""

    def stages(self, spec: ModelDeploymentSpec) -> tuple[Stage, ...]:
        """Return a stage for each step, at the weight of the last setWeight step reached; gates come before them."""
        stages, weight = [gates_stage(spec.gates, 1)] if spec.gates else [], 0
        for step in _steps(spec):
            weight = step.set_weight or weight
            pods = needed(spec.desired_replicas, weight)
            stages.append(Stage(step.title, weight, pods, pause=step.pause, analysis=step.analysis))
        return tuple(stages)

    def begun(self, spec: ModelDeploymentSpec, index: int) -> str:
        """Identify the steps up to and including this one, so that a change of them is noticed."""
        gates = [spec.gates.to_kubernetes()] if spec.gates else []
        steps = [*gates, *(step.to_kubernetes() for step in _steps(spec))][: index + 1]
        return hashlib.sha256(json.dumps(steps, sort_keys=True).encode()).hexdigest()[:10]


def _steps(spec: ModelDeploymentSpec) -> tuple[Step, ...]:
    return spec.strategy.canary.steps if spec.strategy.canary else ()
