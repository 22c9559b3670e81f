"""Traffic without a gateway: one Service leads to the pods of both versions, and their numbers are the split.

Stable keeps all of its pods, so that the candidate can have at most half of the traffic beside it, and an abort finds
all that it needs. Before and after, the Service leads to the pods of one version only.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sluice.api.record import Evidence, PodShare
from sluice.api.spec import ModelDeploymentSpec
from sluice.api.status import ModelDeploymentStatus, Rollout, ServicePods
from sluice.core.observation import Observation
from sluice.core.replicas import pods_for
from sluice.core.stage import Stage
from sluice.core.timing import READY_SECONDS, RETRY_SECONDS

if TYPE_CHECKING:
    from sluice.core.strategies.base import Strategy

MOST = 50  # percent: as many pods as stable has

# What was split in which way is known only while somebody looks at least this often: mostly once a second, and
# whenever a pod changes.
UNSEEN = timedelta(seconds=10)
# From when the Service's endpoints are other ones until all nodes know it; as long as that either may be in force.
SETTLING = timedelta(seconds=5)
MOST_PAST = 8  # earlier shares that are told apart


def shared(weight: int) -> bool:
    """Whether both versions have requests at a weight."""
    return 0 < weight < 100


def pods(spec: ModelDeploymentSpec, rollout: Rollout, stage: Stage, seen: Observation) -> int:
    """Return the pods wanted of the candidate.

    While it has a share, pods follow the weight that is a fact: each one that gets ready has requests.
    """
    replicas = spec.desired_replicas
    if replicas == 0:
        return 0
    if shared(rollout.weight):
        return pods_for(spec, rollout.weight)
    if shared(stage.weight) and rollout.weight == 0:
        return stage.pods
    wanted = max(stage.pods, pods_for(spec, rollout.weight) if rollout.weight else 0)
    return max(wanted, min(seen.revision(rollout.revision.name).replicas, replicas))


def first_goal(rollout: Rollout, stage: Stage) -> int | None:
    """Return the weight that comes before the pods for it: who has a share already grows by pods that get ready.

    On the way to all traffic that is the most that it can have beside stable.
    """
    goal = MOST if stage.weight == 100 else stage.weight
    return goal if 0 < rollout.weight < goal else None


def obstacle(spec: ModelDeploymentSpec, facts: ModelDeploymentStatus, seen: Observation) -> str | None:
    """Say why a Service that leads to the pods of all versions would lead to too many; None when it would not."""
    rollout = facts.rollout
    if rollout is None or facts.stable is None:
        return None
    live = {facts.stable.name, rollout.revision.name}
    others = sum(max(state.replicas, state.ready) for name, state in seen.revisions.items() if name not in live)
    if others:
        return f"waiting for {others} pods of other versions to end: the Service would lead to them too"
    most, ready = pods_for(spec, rollout.weight), seen.revision(rollout.revision.name).ready
    if ready > most:
        return f"waiting for {ready - most} pods of the candidate to end: they would have more than {rollout.weight} %"
    return None


def makes_room(spec: ModelDeploymentSpec, facts: ModelDeploymentStatus, strategy: Strategy) -> bool:
    """Whether other versions than stable and candidate have to end, so that one Service can lead to these two."""
    rollout = facts.rollout
    if not spec.by_pods or rollout is None or facts.stable is None:
        return False
    stage = strategy.stage(spec, rollout)
    return shared(rollout.weight) or (stage is not None and shared(stage.weight))


def awaited(spec: ModelDeploymentSpec, facts: ModelDeploymentStatus, seen: Observation) -> float:
    """Return the seconds until a look at the Service's endpoints, of which nobody tells us; infinity: not waited for.

    Somebody else's Service, in the place of ours, is his to take away.
    """
    if not spec.by_pods or facts.stable is None or (seen.route and seen.route.accepted):
        return math.inf
    return RETRY_SECONDS if seen.route and seen.route.accepted is False else READY_SECONDS


def service_pods(rollout: Rollout, seen: Observation, stable: str) -> ServicePods | None:
    """Return how many pods of each version stand behind the Service; None with a gateway."""
    if seen.route is None or seen.route.endpoints is None:
        return None
    found = seen.route.endpoints
    return ServicePods(candidate=found.get(rollout.revision.name, 0), stable=found.get(stable, 0))


def said(facts: ModelDeploymentStatus) -> str:
    """Say how many of the pods behind the Service are the candidate's; nothing where it has no share."""
    rollout = facts.rollout
    if rollout is None or facts.stable is None or not (pods := rollout.service_pods) or not shared(rollout.weight):
        return ""
    return f"{pods.candidate} of the {pods.candidate + pods.stable} pods behind the Service are the candidate's"


def noted(evidence: Evidence, rollout: Rollout, seen: Observation, stable: str, now: datetime) -> Evidence:
    """Keep in mind by which shares requests may have been split since they were last counted.

    What nobody has looked at for a while may have been split in any way.
    """
    present = set(_present(rollout, seen, stable)) or {0.0}
    past = {one.share: one.until or now for one in evidence.pod_shares}
    if evidence.looked_at is not None and abs(now - evidence.looked_at) > UNSEEN:
        past |= {0.0: now, 1.0: now}
    if len(past) > MOST_PAST:  # only the ends of the range matter
        past = dict.fromkeys((min(past), max(past)), max(past.values()))
    shares = [PodShare(share=share) for share in sorted(present)]
    shares += [PodShare(share=share, until=until) for share, until in sorted(past.items()) if share not in present]
    return evidence.model_copy(update={"pod_shares": tuple(shares), "looked_at": now})


def counted(evidence: Evidence, now: datetime) -> Evidence:
    """Forget the shares by which nothing can have been split that is still to be counted."""
    kept = tuple(one for one in evidence.pod_shares if one.until is None or one.until + SETTLING > now)
    return evidence.model_copy(update={"pod_shares": kept})


def span(evidence: Evidence) -> tuple[float, float]:
    """Return the smallest and the largest share, in [0, 1], that the candidate may have had in what is not counted."""
    shares = [one.share for one in evidence.pod_shares]
    return (min(shares), max(shares)) if shares else (0.0, 0.0)


def _present(rollout: Rollout, seen: Observation, stable: str) -> Iterator[float]:
    """Yield its share as the endpoints are, and as they will be once the Service is what the facts say."""
    name = rollout.revision.name
    behind = seen.route.endpoints if seen.route and seen.route.endpoints else {}
    if both := behind.get(name, 0) + behind.get(stable, 0):
        yield behind.get(name, 0) / both
    if rollout.weight == 100:
        yield 1.0
    elif rollout.weight:
        ready = seen.revision(name).ready
        if both := ready + seen.revision(stable).ready:
            yield ready / both
