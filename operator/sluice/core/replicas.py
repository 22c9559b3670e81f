"""Replica arithmetic: how many pods a weight needs, and which weight pods can carry."""

from __future__ import annotations

from sluice.api.spec import ModelDeploymentSpec
from sluice.api.status import ModelDeploymentStatus
from sluice.core.observation import Observation


def needed(replicas: int, weight: int) -> int:
    """Return the pods that `weight` percent of the traffic needs when all of it needs `replicas`.

    Rounded up, and at least one: needed(3, 10) == 1, needed(3, 50) == 2, needed(10, 25) == 3, needed(4, 100) == 4.
    """
    return max(1, -(-replicas * weight // 100))


def covered(replicas: int, ready: int) -> int:
    """Return the largest weight in percent that `ready` pods can carry: the other direction of `needed`.

    covered(3, 1) == 33, covered(3, 0) == 0, covered(2, 5) == 100.
    """
    if ready >= replicas:
        return 100 if ready else 0
    return 100 * ready // replicas


def shared_needed(replicas: int, weight: int) -> int:
    """Return the pods that have `weight` percent of the traffic beside `replicas` of stable, where each has as much.

    The most whose share is not above it; at least one, whatever its share, and no more than stable has:
    shared_needed(10, 10) == 1 (9 %), shared_needed(4, 10) == 1 (20 %), shared_needed(4, 75) == 4 (50 %). All traffic
    needs as many as stable has.
    """
    return max(1, min(replicas, replicas * weight // max(1, 100 - weight)))


def shared_covered(replicas: int, ready: int) -> int:
    """Return the largest weight in percent of `ready` pods: beside stable's, each has no more than each of these."""
    if ready >= replicas:
        return 100 if ready else 0
    return 99 if ready else 0


def pods_for(spec: ModelDeploymentSpec, weight: int) -> int:
    """Return the pods that the candidate needs for a weight, however traffic is split."""
    return (shared_needed if spec.by_pods else needed)(spec.desired_replicas, weight)


def carried_by(spec: ModelDeploymentSpec, ready: int) -> int:
    """Return the largest weight in percent that so many ready pods may have, however traffic is split."""
    return (shared_covered if spec.by_pods else covered)(spec.desired_replicas, ready)


def in_the_way(facts: ModelDeploymentStatus, seen: Observation) -> int:
    """Return how many pods have to end before others start in their place; who is kept warm is not asked to."""
    warm = {entry.revision.name for entry in facts.retired if entry.was_stable}
    return sum(state.running for name, state in seen.revisions.items() if not (name in warm and state.replicas))
