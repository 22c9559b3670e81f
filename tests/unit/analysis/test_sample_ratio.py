"""The sample-ratio test: finds misrouted traffic, leaves honest traffic alone, whatever the weights do."""

import numpy as np
import pytest
from sluice.analysis import MISMATCH, Arm, Block, SampleRatio


def look(weights: list[float], factor: float, seed: int, *, requests: int = 500) -> float:
    """Largest evidence seen when the canary's odds are `factor` times the configured ones."""
    rng, mix, highest = np.random.default_rng(seed), SampleRatio.start(), 0.0
    for weight in weights:
        odds = factor * weight / (1 - weight)
        canary = int(rng.binomial(requests, odds / (1 + odds)))
        mix = mix.observe(Block(weight, Arm(requests - canary, 0), Arm(canary, 0)))
        highest = max(highest, mix.log_e)
    return highest


RAMP = [0.05] * 10 + [0.25] * 10 + [0.5] * 10


def test_honest_traffic_is_left_alone_at_every_look() -> None:
    assert sum(look(RAMP, 1.0, seed) >= MISMATCH for seed in range(100)) == 0


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.25, 2.0])
def test_misrouted_traffic_is_found(factor: float) -> None:
    assert all(look(RAMP, factor, seed) >= MISMATCH for seed in range(10))


def test_evidence_is_carried_from_weight_to_weight() -> None:
    one_weight = look([0.25] * 30, 1.2, seed=1)
    changing = look([0.2, 0.3] * 15, 1.2, seed=1)
    assert min(one_weight, changing) >= MISMATCH


def test_a_canary_that_gets_nothing_is_found_soon() -> None:
    mix = SampleRatio.start().observe(Block(0.1, Arm(120, 0), Arm(0, 0)))
    assert mix.log_e >= MISMATCH
