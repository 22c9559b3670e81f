"""How many pods all traffic needs when autoscalers count them, and the fewest that these may leave of each version.

In a rollout no autoscaler sees all traffic. One that has half of it ends half of its pods, and then nobody could take
all of it back at once. So the most that stable has had since the rollout began is a fact: whoever has, or may get, all
traffic has no fewer. Autoscalers go on from there, upwards; below it they begin when they have seen all traffic again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, timedelta

from sluice.api.spec import ModelDeploymentSpec
from sluice.api.status import Demand, ModelDeploymentStatus
from sluice.core import variants
from sluice.core.observation import Observation
from sluice.core.timing import ROUNDING

# What an autoscaler knows of the load is up to a minute old: the kubelet measures over 10 s, metrics are collected and
# looked at each 15 s, and a pod's first measurements do not count.
BLIND = timedelta(seconds=60)


def needed_now(spec: ModelDeploymentSpec, facts: ModelDeploymentStatus, seen: Observation) -> int:
    """Return the pods that all traffic needs: what the user says, or what stable's autoscaler has made of it."""
    auto = spec.autoscaling
    if auto is None:
        return spec.desired_replicas
    runs = seen.revision(facts.stable.name).replicas if facts.stable else 0
    held = facts.demand.pods if facts.demand else 0
    return min(max(auto.min_replicas, runs, held), auto.max_replicas)


def in_numbers(spec: ModelDeploymentSpec, facts: ModelDeploymentStatus, seen: Observation) -> ModelDeploymentSpec:
    """Return the spec as if the autoscaler wrote into `replicas`; then nobody else has to know of it."""
    if spec.autoscaling is None:
        return spec
    return spec.model_copy(update={"replicas": needed_now(spec, facts, seen)})


def held(spec: ModelDeploymentSpec, facts: ModelDeploymentStatus, now: datetime) -> Demand | None:
    """Return the demand to be kept in mind after a decision.

    Args:
        spec: with the number of pods that all traffic needed before the decision.
        facts: after the decision.
        now: the time.
    """
    demand = facts.demand
    if spec.autoscaling is None or facts.stable is None:
        return None
    if facts.rollout or facts.down_since:
        return Demand(pods=spec.desired_replicas)
    if demand and demand.until is None:
        return Demand(pods=spec.desired_replicas, until=now + BLIND)
    return demand if demand and demand.until and now < demand.until else None


def left(facts: ModelDeploymentStatus, seen: Observation, now: datetime) -> float:
    """Return the seconds until something is to be seen of autoscalers that wakes nobody; nothing: infinity.

    They may go below what was needed before, or have found out what they did not know when they were new.
    """
    until = facts.demand and facts.demand.until
    over = max(0.1, (until - now).total_seconds() + ROUNDING) if until else math.inf
    return min(over, BLIND.total_seconds() if seen.autoscaling_problem else math.inf)


def floors(spec: ModelDeploymentSpec, facts: ModelDeploymentStatus, scale: Mapping[str, int]) -> Mapping[str, int]:
    """Return the fewest pods by revision, of those that have an autoscaler: stable and the candidate, if they run.

    Who is retired has none, so that he can be stopped: an autoscaler would start him again.

    Args:
        spec: of the ModelDeployment.
        facts: after the decision.
        scale: pods wanted by revision.
    """
    auto = spec.autoscaling
    if auto is None:
        return {}
    beside = variants.revisions(facts.rollout) if facts.rollout else ()
    live = [revision.name for revision in (facts.stable, *beside) if revision]
    fewest = {name: min(scale[name], auto.max_replicas) for name in live if scale.get(name)}
    if facts.stable and facts.stable.name in fewest:
        least = max(auto.min_replicas, facts.demand.pods if facts.demand else 0)
        fewest[facts.stable.name] = min(least, auto.max_replicas)
    return fewest
