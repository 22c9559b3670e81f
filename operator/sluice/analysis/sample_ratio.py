"""Do requests arrive in the configured proportion? An anytime-valid test of sample-ratio mismatch.

After Lindon and Malek (arXiv 2011.03567): under the null every request goes to the canary with its configured
probability w. They put a conjugate prior on the canary's share; here the prior is on the *odds ratio* r between actual
and configured share, because the weight changes from step to step and r carries over:

    log L(r) = n_c log r - (n_c + n_s) log(w r + 1 - w),     E = sum over r of prior(r) * L(r).

Mismatch is declared at E >= 1000. It blocks promotion, and never a rollback: a crashing canary causes a mismatch.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from sluice.analysis import stored
from sluice.analysis.counts import Block
from sluice.analysis.mixture import Logs, invested, log_sum, multiply
from sluice.analysis.ratio import log_factor

FORMAT = "sample-ratio/1"
MISMATCH = math.log(1000)  # compare with `log_e`

# Odds ratios exp(+-h), each twice as far from 1 as the one before; deviations well below 1 % are not looked for.
_DISTANCES = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24)
ALTERNATIVES = tuple(math.exp(sign * h) for h in _DISTANCES for sign in (1, -1))
PRIOR = (1 / len(ALTERNATIVES),) * len(ALTERNATIVES)


@dataclass(frozen=True)
class SampleRatio:
    """Running evidence of a mismatch; immutable. `wealth` is the log wealth of each alternative odds ratio."""

    wealth: Logs

    @classmethod
    def start(cls) -> SampleRatio:
        """No evidence yet."""
        return cls(wealth=invested(PRIOR))

    def observe(self, block: Block) -> SampleRatio:
        """Add one block's numbers of requests. Nothing is assigned at random at weight 0: such a block changes nothing.

        A share known only as a range counts at its worse end.
        """
        factors = [
            log_factor(
                weight=block.highest_weight if alternative > 1 else block.lowest_weight,
                canary=block.canary.requests,
                stable=block.stable.requests,
                bound=1.0,
                alternative=alternative,
            )
            for alternative in ALTERNATIVES
        ]
        return SampleRatio(wealth=multiply(self.wealth, factors))

    @property
    def log_e(self) -> float:
        """Log e-value against "requests are assigned with the configured weights"."""
        return log_sum(self.wealth)

    def dump(self) -> stored.Json:
        """The state as JSON: finite numbers, below 1 KB, exact."""
        return {"format": FORMAT, "wealth": list(self.wealth)}

    @classmethod
    def load(cls, data: object) -> SampleRatio:
        """What `dump` wrote. Raises ValueError, naming the field, for anything else."""
        fields = stored.Fields.of(data, "sample ratio")
        fields.check_format(FORMAT)
        return cls(wealth=fields.logs("wealth", len(PRIOR)))
