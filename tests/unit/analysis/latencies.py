"""Simulated rollouts with durations, for the tests and for the table of measured rates in docs/statistics.md.

Stable's durations are lognormal around 20 ms, and so are the canary's, changed by the scenario; evidence is looked at
after every block. The table: `python -m tests.unit.analysis.latencies 500` (repetitions; 30 ms each and scenario).
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray
from sluice.analysis import Answers, LatencyEvidence, Margin, threshold
from sluice.analysis.cells import EDGES, above
from sluice.analysis.latency import choose_cuts, needed

from tests.unit.analysis.rollouts import RAMP, Outcome

MARGIN = Margin(ratio=1.2, absolute=0.02)
HISTORY = 2000  # answers of stable before the rollout


@dataclass(frozen=True)
class Scenario:
    """How the canary's durations differ: a factor; a share of answers that take `tail` times longer.

    `spread` is the standard deviation of log durations; `wobble` that of the log of a factor which each arm has for
    itself, and which changes slowly from block to block (autocorrelation 0.9).
    """

    name: str
    factor: float = 1.0
    share: float = 0.0
    tail: float = 100.0
    spread: float = 0.4
    wobble: float = 0.0
    margin: Margin = MARGIN


NO_DIFFERENCE = (
    Scenario("no difference"),
    Scenario("no difference, wide", spread=1.0),
    Scenario("no difference, narrow", spread=0.05),
    Scenario("no difference, each arm wobbles by 5 %", wobble=0.05),
    Scenario("10 % slower", factor=1.1),
)
# At stable's 99th percentile one answer in a hundred is slower, and two in a hundred more are tolerated.
AT_THE_MARGIN = (
    Scenario("at the margin: 20 % slower, and 2 % hang", factor=1.2, share=0.02 / 0.99),
    Scenario("at the margin, wide", factor=1.2, share=0.02 / 0.99, spread=1.0),
)
NOISY = (
    Scenario("no difference, each arm wobbles by 10 %", wobble=0.1),
    Scenario("no difference, each arm wobbles by 20 %", wobble=0.2),
)
WORSE = (
    Scenario("1.5 times slower", factor=1.5),
    Scenario("1.5 times slower, wide", factor=1.5, spread=1.0),
    Scenario("twice as slow", factor=2.0),
    Scenario("ten times slower", factor=10.0),
    Scenario("one in ten 5 times slower", share=0.1, tail=5.0),
)


def cells(seconds: NDArray[np.float64]) -> tuple[int, ...]:
    """Cumulative counts, as a server has them."""
    up_to = np.searchsorted(np.sort(seconds), np.array(EDGES), side="right")
    return (*(int(count) for count in up_to), len(seconds))


def answers(counts: tuple[int, ...], edges: tuple[int, ...]) -> Answers:
    """What counts above a few edges tell of them."""
    return Answers(counts[-1], {edge: above(counts, edge) for edge in edges})


def durations(rng: np.random.Generator, number: int, scenario: Scenario) -> NDArray[np.float64]:
    """Of stable."""
    return np.asarray(0.02 * np.exp(scenario.spread * rng.standard_normal(number)))


def traffic(
    scenario: Scenario, rng: np.random.Generator, *, blocks: int
) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Cells of stable and canary: about 500 requests a block, weight rising along RAMP."""
    drift = rng.standard_normal(2)
    for number in range(blocks):
        drift = 0.9 * drift + np.sqrt(1 - 0.9**2) * rng.standard_normal(2)
        wobble = np.exp(scenario.wobble * drift)
        requests = int(rng.poisson(500))
        share = int(rng.binomial(requests, RAMP[number * len(RAMP) // blocks]))
        canary = durations(rng, share, scenario) * scenario.factor
        canary = np.where(rng.random(share) < scenario.share, canary * scenario.tail, canary)
        yield cells(durations(rng, requests - share, scenario) * wobble[0]), cells(canary * wobble[1])


def run(scenario: Scenario, seed: int, *, blocks: int = 40, alpha: float = 0.05) -> Outcome:
    """One rollout, looked at after every block, until harm is proven or its traffic ends."""
    rng = np.random.default_rng(seed)
    cuts = choose_cuts(cells(durations(rng, HISTORY, scenario)))
    assert cuts
    evidence, seen, edges = LatencyEvidence.start(scenario.margin, cuts), 0, needed(cuts, [scenario.margin])
    safe: int | None = None
    for stable, canary in traffic(scenario, rng, blocks=blocks):
        evidence = evidence.observe(stable=answers(stable, edges), canary=answers(canary, edges))
        seen += canary[-1]
        if safe is None and evidence.safe >= threshold(alpha):
            safe = seen
        if evidence.harm >= threshold(alpha):
            return Outcome(harm=seen, safe=safe)
    return Outcome(harm=None, safe=safe)


def main(repetitions: int) -> None:
    """Print the table."""
    print("| scenario | harm proven | safety proven | canary requests until the first proof (median, if any) |")
    print("|---|---|---|---|")
    for scenario in (*NO_DIFFERENCE, *AT_THE_MARGIN, *NOISY, *WORSE):
        outcomes = [run(scenario, seed) for seed in range(repetitions)]
        harm = sum(o.harm is not None for o in outcomes)
        safe = sum(o.safe is not None for o in outcomes)
        first = [min(x for x in (o.harm, o.safe) if x is not None) for o in outcomes if o != Outcome(None, None)]
        print(
            f"| {scenario.name} | {harm / repetitions:.2%} | {safe / repetitions:.2%} "
            f"| {f'{median(first):.0f}' if first else 'none'} |",
            flush=True,
        )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
