"""Canary: a small random share of the traffic first, then step by step everyone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

from sluice.api.spec import ModelDeploymentSpec
from sluice.api.strategy import Mirror, Step
from sluice.core.replicas import needed
from sluice.core.stage import Stage
from sluice.core.strategies.stepped import SteppedStrategy
from sluice.core.targeted import asked_for


class CanaryStrategy(SteppedStrategy):
    """Steps of mirror, setWeight, pause and analysis; after the last one the candidate becomes stable."""

    def stages(self, spec: ModelDeploymentSpec) -> tuple[Stage, ...]:
        """Return a stage for each step; who is targeted first."""
        stages = canary_stages(spec.strategy.steps, spec.desired_replicas)
        first = Stage("match", 0, needed(spec.desired_replicas, 0), targeted=True)
        return (first, *stages) if asked_for(spec) else stages

    def begun(self, spec: ModelDeploymentSpec, index: int) -> str:
        """Identify the steps up to and including this one, so that a change of them is noticed.

        Who matches may change on the way: that is no part of it, only whether anybody does.
        """
        first: list[dict[str, Any]] = [{"match": {}}] if asked_for(spec) else []
        steps = [*first, *(step.to_kubernetes() for step in spec.strategy.steps)][: index + 1]
        return hashlib.sha256(json.dumps(steps, sort_keys=True).encode()).hexdigest()[:10]


def canary_stages(steps: Iterable[Step], replicas: int) -> tuple[Stage, ...]:
    """Return a stage for each step, at the weight of the last setWeight step reached."""
    stages, weight = [], 0
    for step in steps:
        if step.mirror:
            stages.append(mirror_stage(step.mirror, replicas))
            continue
        weight = step.set_weight or weight
        stages.append(Stage(step.title, weight, needed(replicas, weight), pause=step.pause, analysis=step.analysis))
    return tuple(stages)


def mirror_stage(wants: Mirror, replicas: int) -> Stage:
    """Return the stage of a candidate that gets copies of requests: pods for them, and no traffic."""
    return Stage(f"mirror {wants.percent}", 0, needed(replicas, wants.percent), mirror=wants)
