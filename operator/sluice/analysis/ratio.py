"""Is the canary's error rate more, or less, than a multiple of stable's? (statistics, section (a))

Each request is assigned to the canary with known probability w. Whatever the rates are, and however they move with
load and time, the arm in which an error happens is then Bernoulli with

    p(r) = w r / (w r + 1 - w),     r = canary's rate / stable's rate,

so that only error counts and configured weights are needed. Against the bound r0, an alternative r has evidence

    log L = c log(r / r0) - (c + s) log((w r + 1 - w) / (w r0 + 1 - w)),     c, s = errors of canary, stable.

For r > r0 its expectation is at most 1 wherever the true ratio is at most r0 (harm); for r < r0 wherever it is at
least r0 (safety). A block without errors says nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from sluice.analysis import stored
from sluice.analysis.counts import Block
from sluice.analysis.mixture import Logs, Staggered, invested, log_sum, multiply

# Alternatives as multiples of the bound r0, and the share of the money on each. The last one is "only the canary
# fails" (or "the canary never fails").
HARM_FACTORS = (1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 1000.0)
HARM_PRIOR = (0.10, 0.10, 0.15, 0.15, 0.15, 0.15, 0.20)
SAFE_FACTORS = (0.9, 0.8, 0.65, 0.5, 0.3, 0.1, 0.001)
SAFE_PRIOR = (0.15, 0.20, 0.15, 0.15, 0.15, 0.10, 0.10)


def log_factor(*, weight: float, canary: int, stable: int, bound: float, alternative: float) -> float:
    """Log evidence of one block for the ratio `alternative` against `bound`; counts per arm, weight in [0, 1).

    It grows with the canary's share of the counts, so with r > r0 its expectation stays at most 1 for every smaller
    weight, with r < r0 for every larger one. Without a weight nothing is assigned, and nothing follows.
    """
    if weight == 0:
        return 0.0
    tilt = math.log((weight * alternative + 1 - weight) / (weight * bound + 1 - weight))
    return canary * math.log(alternative / bound) - (canary + stable) * tilt


@dataclass(frozen=True)
class RatioEvidence:
    """Running evidence about canary's rate / stable's rate, against one bound (>= 1)."""

    bound: float
    harmful: Staggered
    safely: Logs

    @classmethod
    def start(cls, bound: float) -> RatioEvidence:
        """No evidence: both e-values are 1."""
        return cls(bound=bound, harmful=Staggered.start(len(HARM_PRIOR)), safely=invested(SAFE_PRIOR))

    def observe(self, block: Block) -> RatioEvidence:
        """Add one block. Blocks without errors, or without random assignment (weight 0), change nothing.

        A share known only as a range counts at its worse end: the highest for harm, the lowest for safety.
        """
        if block.errors == 0 or block.highest_weight == 0:
            return self
        return RatioEvidence(
            bound=self.bound,
            harmful=self.harmful.bet(HARM_PRIOR, self._factors(block, block.highest_weight, HARM_FACTORS)),
            safely=multiply(self.safely, self._factors(block, block.lowest_weight, SAFE_FACTORS)),
        )

    def _factors(self, block: Block, weight: float, multiples: tuple[float, ...]) -> list[float]:
        return [
            log_factor(
                weight=weight,
                canary=block.canary.errors,
                stable=block.stable.errors,
                bound=self.bound,
                alternative=self.bound * multiple,
            )
            for multiple in multiples
        ]

    @property
    def harm(self) -> float:
        """Log e-value against "the ratio is at most the bound"."""
        return self.harmful.log_e

    @property
    def safe(self) -> float:
        """Log e-value against "the ratio is at least the bound"."""
        return log_sum(self.safely)

    def dump(self) -> stored.Json:
        """The state as JSON."""
        return {
            "bound": self.bound,
            "harm": list(self.harmful.wealth),
            "rounds": self.harmful.clock,
            "safe": list(self.safely),
        }

    @classmethod
    def load(cls, data: object) -> RatioEvidence:
        """What `dump` wrote; ValueError for anything else."""
        fields = stored.Fields.of(data, "ratio")
        return cls(
            bound=fields.number("bound"),
            harmful=Staggered(wealth=fields.logs("harm", len(HARM_PRIOR)), clock=fields.count("rounds")),
            safely=fields.logs("safe", len(SAFE_PRIOR)),
        )
