"""Canary: a small random share of the traffic first, then step by step everyone."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from sluice.api.spec import ModelDeploymentSpec
from sluice.api.strategy import Step
from sluice.core.replicas import needed
from sluice.core.stage import Stage
from sluice.core.strategies.stepped import SteppedStrategy
from sluice.core.targeted import asked_for


class CanaryStrategy(SteppedStrategy):
    """Steps of setWeight, pause and analysis; after the last one the candidate becomes stable."""

    def stages(self, spec: ModelDeploymentSpec) -> tuple[Stage, ...]:
        """Return a stage for each step, at the weight of the last setWeight step reached; who is targeted first."""
        stages, weight = [], 0
        if asked_for(spec):
            stages.append(Stage("match", 0, needed(spec.desired_replicas, 0), targeted=True))
        for step in _steps(spec):
            weight = step.set_weight or weight
            pods = needed(spec.desired_replicas, weight)
            stages.append(Stage(step.title, weight, pods, pause=step.pause, analysis=step.analysis))
        return tuple(stages)

    def begun(self, spec: ModelDeploymentSpec, index: int) -> str:
        """Identify the steps up to and including this one, so that a change of them is noticed.

        Who matches may change on the way: that is no part of it, only whether anybody does.
        """
        first: list[dict[str, Any]] = [{"match": {}}] if asked_for(spec) else []
        steps = [*first, *(step.to_kubernetes() for step in _steps(spec))][: index + 1]
        return hashlib.sha256(json.dumps(steps, sort_keys=True).encode()).hexdigest()[:10]


def _steps(spec: ModelDeploymentSpec) -> tuple[Step, ...]:
    return spec.strategy.canary.steps if spec.strategy.canary else ()
