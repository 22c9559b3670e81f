"""Simulated rollouts, for the tests and for the table of measured rates in docs/statistics.md.

Requests are assigned at random, both arms answer with Bernoulli errors, and evidence is looked at after every block.
The table: `python -m tests.unit.analysis.rollouts 2000` (repetitions; about 10 ms each and scenario).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

import numpy as np
from sluice.analysis import Arm, Block, ErrorEvidence, Margin, threshold

MARGIN = Margin(ratio=1.25, absolute=0.005)
RAMP = (0.05, 0.1, 0.25, 0.5)


@dataclass(frozen=True)
class Scenario:
    """Two constant error rates."""

    name: str
    stable: float
    canary: float
    margin: Margin = MARGIN


NO_DIFFERENCE = tuple(Scenario(f"no difference, {rate:.1%}", rate, rate) for rate in (0.0, 0.003, 0.01, 0.05))
AT_THE_MARGIN = (
    Scenario("at the margin, 0 %", 0.0, 0.005),
    Scenario("at the margin, 1 %", 0.01, 0.015),
    Scenario("at the margin, 5 %", 0.05, 0.0625),
    Scenario("at a wide margin, 1 %", 0.01, 0.03, Margin(ratio=2, absolute=0.02)),
)
WORSE = (
    Scenario("everything fails", 0.003, 1.0),
    Scenario("five times 1 %", 0.01, 0.05),
    Scenario("five times 5 %", 0.05, 0.25),
)


@dataclass(frozen=True)
class Outcome:
    """When a proof was first seen, as canary requests until then; None if never."""

    harm: int | None
    safe: int | None


def traffic(scenario: Scenario, rng: np.random.Generator, *, blocks: int) -> Iterator[Block]:
    """Blocks of one rollout: about 500 requests each, weight rising along RAMP."""
    for number in range(blocks):
        weight = RAMP[number * len(RAMP) // blocks]
        requests = int(rng.poisson(500))
        canary = int(rng.binomial(requests, weight))
        stable = requests - canary
        yield Block(
            weight=weight,
            stable=Arm(stable, int(rng.binomial(stable, scenario.stable))),
            canary=Arm(canary, int(rng.binomial(canary, scenario.canary))),
        )


def run(scenario: Scenario, seed: int, *, blocks: int = 40, alpha: float = 0.05) -> Outcome:
    """One rollout, looked at after every block, until harm is proven or its traffic ends."""
    evidence, seen = ErrorEvidence.start(scenario.margin), 0
    harm: int | None = None
    safe: int | None = None
    for block in traffic(scenario, np.random.default_rng(seed), blocks=blocks):
        evidence, seen = evidence.observe(block), seen + block.canary.requests
        if safe is None and evidence.safe >= threshold(alpha):
            safe = seen
        if evidence.harm >= threshold(alpha):
            harm = seen
            break
    return Outcome(harm=harm, safe=safe)


def main(repetitions: int) -> None:
    """Print the table."""
    print("| scenario | harm proven | safety proven | canary requests until the first proof (median, if any) |")
    print("|---|---|---|---|")
    for scenario in (*NO_DIFFERENCE, *AT_THE_MARGIN, *WORSE):
        outcomes = [run(scenario, seed) for seed in range(repetitions)]
        harm = [o.harm for o in outcomes if o.harm is not None]
        safe = [o.safe for o in outcomes if o.safe is not None]
        first = [min(x for x in (o.harm, o.safe) if x is not None) for o in outcomes if o != Outcome(None, None)]
        print(
            f"| {scenario.name} | {len(harm) / repetitions:.2%} | {len(safe) / repetitions:.2%} "
            f"| {f'{median(first):.0f}' if first else 'none'} |"
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
