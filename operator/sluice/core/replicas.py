"""Replica arithmetic: how many pods a weight needs, and which weight pods can carry."""

from __future__ import annotations

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


def in_the_way(facts: ModelDeploymentStatus, seen: Observation) -> int:
    """Return how many pods have to end before others start in their place; who is kept warm is not asked to."""
    warm = {entry.revision.name for entry in facts.retired if entry.was_stable}
    return sum(state.running for name, state in seen.revisions.items() if not (name in warm and state.replicas))
