"""The error rate, decided by both margins at once (statistics, "The margin")."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sluice.analysis import stored
from sluice.analysis.absolute import AbsoluteEvidence
from sluice.analysis.counts import Block, Margin
from sluice.analysis.mixture import log_sum
from sluice.analysis.ratio import RatioEvidence

FORMAT = "errors/1"  # change it whenever alternatives or their shares change


@dataclass(frozen=True)
class ErrorEvidence:
    """Running evidence about the canary's error rate for one margin; immutable, `observe` returns the next state.

    Act on the current value, at any time: harm is proven at level alpha when `harm >= threshold(alpha)`, safety when
    `safe >= threshold(alpha)`. Evidence is never reset when the canary's weight changes.
    """

    margin: Margin
    ratio: RatioEvidence
    absolute: AbsoluteEvidence

    @classmethod
    def start(cls, margin: Margin) -> ErrorEvidence:
        """No evidence yet."""
        return cls(
            margin=margin,
            ratio=RatioEvidence.start(margin.ratio),
            absolute=AbsoluteEvidence.start(margin.absolute),
        )

    def observe(self, block: Block) -> ErrorEvidence:
        """Add one block; the cost does not depend on how many requests it holds."""
        return ErrorEvidence(
            margin=self.margin,
            ratio=self.ratio.observe(block),
            absolute=self.absolute.observe(stable=block.stable, canary=block.canary),
        )

    @property
    def harm(self) -> float:
        """Log e-value that *both* margins are exceeded: the null is a union, so the smaller e-value counts."""
        return min(self.ratio.harm, self.absolute.harm)

    @property
    def safe(self) -> float:
        """Log e-value that *a* margin is kept: the null is an intersection, so the average counts."""
        return log_sum((self.ratio.safe, self.absolute.safe)) - math.log(2)

    def dump(self) -> stored.Json:
        """The state as JSON: finite numbers, exact, below 1 KB."""
        return {"format": FORMAT, "ratio": self.ratio.dump(), "absolute": self.absolute.dump()}

    @classmethod
    def load(cls, data: object) -> ErrorEvidence:
        """What `dump` wrote. Raises ValueError, naming the field, for anything else (another version's, too)."""
        fields = stored.Fields.of(data, "errors")
        fields.check_format(FORMAT)
        ratio, absolute = RatioEvidence.load(fields.get("ratio")), AbsoluteEvidence.load(fields.get("absolute"))
        return cls(margin=Margin(ratio=ratio.bound, absolute=absolute.delta), ratio=ratio, absolute=absolute)
