"""Canary: a small random share of the traffic first, then step by step everyone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import Any

from sluice.api.spec import ModelDeploymentSpec
from sluice.api.status import Verdict
from sluice.api.strategy import Mirror, Step
from sluice.core.experiments import unsticky
from sluice.core.replicas import needed, pods_for
from sluice.core.situation import Outcome, Situation, rollout_of
from sluice.core.stage import Stage
from sluice.core.strategies.gating import GATES, gates_stage
from sluice.core.strategies.stepped import SteppedStrategy
from sluice.core.targeted import asked_for
from sluice.core.timing import READY_SECONDS

# What a stage was made of, and the stage.
Asked = tuple[dict[str, Any], Stage]


class CanaryStrategy(SteppedStrategy):
    """Gates, and steps of mirror, setWeight, pause and analysis; after the last one the candidate becomes stable."""

    def stages(self, spec: ModelDeploymentSpec) -> tuple[Stage, ...]:
        """Return a stage for each step; gates first, then who is targeted, and pods before they get copies."""
        return tuple(stage for _, stage in _asked(spec))

    def begun(self, spec: ModelDeploymentSpec, index: int) -> str:
        """Identify the steps up to and including this one, so that a change of them is noticed.

        Who matches may change on the way: that is no part of it, only whether anybody does.
        """
        steps = [asked for asked, _ in _asked(spec)][: index + 1]
        if spec.traffic and spec.traffic.sticky:
            steps.append({"sticky": spec.traffic.sticky.to_kubernetes()})
        return hashlib.sha256(json.dumps(steps, sort_keys=True).encode()).hexdigest()[:10]

    def next(self, situation: Situation) -> Outcome:
        """Do the present stage; who is to stick to the candidate meets it only when he can."""
        rollout, stage = rollout_of(situation), situation.stage
        begins = rollout.weight == 0 and stage is not None and stage.weight > 0
        if begins and self.lacks(situation) is None and (why := unsticky(situation.spec, situation.seen)):
            return Outcome(situation.status, "AwaitingUsers", why, Verdict.ERROR, requeue_after=READY_SECONDS)
        return super().next(situation)


def canary_stages(steps: Iterable[Step], spec: ModelDeploymentSpec) -> Iterator[Asked]:
    """Yield a stage for each step, at the weight of the last setWeight step reached."""
    weight = 0
    for step in steps:
        if step.mirror:
            yield from mirror_stages(step.mirror, spec.desired_replicas)
            continue
        weight = step.set_weight or weight
        yield (
            step.to_kubernetes(),
            Stage(step.title, weight, pods_for(spec, weight), pause=step.pause, analysis=step.analysis),
        )


def mirror_stages(wants: Mirror, replicas: int) -> Iterator[Asked]:
    """Yield the stages of a candidate that gets copies of requests and no traffic: its pods, then the copies."""
    pods = needed(replicas, wants.percent)
    yield {"start": {}}, Stage("start", 0, pods)
    yield {"mirror": wants.to_kubernetes()}, Stage(f"mirror {wants.percent}", 0, pods, mirror=wants)


def _asked(spec: ModelDeploymentSpec) -> Iterator[Asked]:
    if spec.gates:
        yield {GATES: spec.gates.to_kubernetes()}, gates_stage(spec.gates, 1)
    if asked_for(spec):
        yield {"match": {}}, Stage("match", 0, needed(spec.desired_replicas, 0), targeted=True)
    yield from canary_stages(spec.strategy.steps, spec)
