"""Whether requests, or users, come to the versions as the weights say: who does not is no fair sample.

Users of a canary are counted by pods, each pod its own. So one who moves on to another pod of his version counts twice,
and where many users share a pod some are left out. Hence they are looked at only while a window has the pods that it
began with, and only for odds that are wrong by more than this can explain: users who do not stay, which the gateway's
own word for it does not show.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from sluice.analysis import MISMATCH, Block, SampleRatio
from sluice.api.record import Evidence
from sluice.core.observation import Counters, Observation

TOLERATED = 1.5  # by which factor the odds of users may be wrong
CHANGED = "changed"


def mismatched(evidence: Evidence) -> bool:
    """Whether it is proven that they come otherwise."""
    return _ratio(evidence).log_e >= MISMATCH


def observed(
    evidence: Evidence, block: Block, seen: Observation, counters: Mapping[str, Counters], *revisions: str
) -> Evidence:
    """Return the evidence with who came since the last look."""
    if evidence.window is not None:
        pods = _pods(seen, counters, revisions)
        if evidence.sample_pods not in (None, pods):
            return spoiled(evidence)
        evidence, block = evidence.model_copy(update={"sample_pods": pods}), _tolerant(block)
    return evidence.model_copy(update={"sample_ratio": _ratio(evidence).observe(block).dump()})


def spoiled(evidence: Evidence) -> Evidence:
    """Return the evidence of a window in which nothing more can be learned of proportions."""
    return evidence.model_copy(update={"sample_pods": CHANGED})


def _tolerant(block: Block) -> Block:
    odds = block.lowest_weight / (1 - block.lowest_weight), block.highest_weight / (1 - block.highest_weight)
    lowest, highest = odds[0] / TOLERATED, odds[1] * TOLERATED
    return Block(
        weight=highest / (1 + highest), weight_before=lowest / (1 + lowest), stable=block.stable, canary=block.canary
    )


def _pods(seen: Observation, counters: Mapping[str, Counters], revisions: tuple[str, ...]) -> str:
    """Name the container runs that users are led to."""
    pods = (pod for name in revisions for pod in seen.revision(name).pods if pod.ready and not pod.terminating)
    runs = sorted(f"{pod.uid} {counters[pod.uid].start}" for pod in pods if pod.uid in counters)
    return hashlib.sha256("\n".join(runs).encode()).hexdigest()[:10]


def _ratio(evidence: Evidence) -> SampleRatio:
    try:
        return SampleRatio.load(evidence.sample_ratio)
    except ValueError:
        return SampleRatio.start()
