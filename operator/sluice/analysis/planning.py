"""How much traffic a margin needs: for messages and documentation."""

from __future__ import annotations

import math

from sluice.analysis.counts import Arm, Block, Margin
from sluice.analysis.errors import ErrorEvidence
from sluice.analysis.mixture import threshold

_BLOCKS = 100_000


def requests_for_safety(margin: Margin, alpha: float, stable_rate: float = 0.0, weight: float = 0.1) -> int:
    """About how many canary requests without a single error prove safety for `margin` at level `alpha`.

    Runs the real evidence on an ideal stream: the canary never fails, stable fails evenly at `stable_rate`, requests
    split exactly by `weight` (the canary's share, in (0, 1)). Raises ValueError for values out of range.
    """
    if not 0 < weight < 1:
        raise ValueError(f"weight must lie between 0 and 1, got {weight!r}")
    if not 0 <= stable_rate < 1:
        raise ValueError(f"stable_rate must lie in [0, 1), got {stable_rate!r}")
    enough = threshold(alpha)
    step = max(1, math.ceil(enough / margin.absolute / 100))
    evidence = ErrorEvidence.start(margin)
    canary = stable = failed = 0
    for _ in range(_BLOCKS):
        canary += step
        arrived = round(canary * (1 - weight) / weight) - stable
        errors = min(arrived, math.floor((stable + arrived) * stable_rate) - failed)
        stable, failed = stable + arrived, failed + errors
        evidence = evidence.observe(Block(weight, stable=Arm(arrived, errors), canary=Arm(step, 0)))
        if evidence.safe >= enough:
            return canary
    raise ValueError(f"no number of requests up to {canary} proves safety for {margin}")
