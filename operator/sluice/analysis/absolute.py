"""Is the canary's error rate more, or less, than stable's plus a difference? (statistics, section (b))

Uses the numbers of requests as they are and needs no random assignment, only that both arms serve at the same time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sluice.analysis import alternatives, stored
from sluice.analysis.boundary import Rates, log_factor
from sluice.analysis.counts import NOTHING, Arm
from sluice.analysis.mixture import Logs, Staggered, invested, log_sum, multiply


@dataclass(frozen=True)
class AbsoluteEvidence:
    """Running evidence about canary's rate - stable's rate, against one difference `delta` in (0, 1).

    A block in which one arm is silent says nothing alone, so requests wait until both arms have some. When to stop
    waiting depends on numbers of requests only, never on their outcome.
    """

    delta: float
    harmful: Staggered
    safely: Logs
    seen_stable: Arm = NOTHING
    seen_canary: Arm = NOTHING
    waiting_stable: Arm = NOTHING
    waiting_canary: Arm = NOTHING

    @classmethod
    def start(cls, delta: float) -> AbsoluteEvidence:
        """No evidence: both e-values are 1."""
        harmful = Staggered.start(len(alternatives.HARM_PRIOR))
        return cls(delta=delta, harmful=harmful, safely=invested(alternatives.SAFE_PRIOR))

    def observe(self, *, stable: Arm, canary: Arm) -> AbsoluteEvidence:
        """Add the requests of one block."""
        stable, canary = self.waiting_stable + stable, self.waiting_canary + canary
        if stable.requests and canary.requests:
            return self._compare(stable, canary)
        return AbsoluteEvidence(
            delta=self.delta,
            harmful=self.harmful,
            safely=self.safely,
            seen_stable=self.seen_stable,
            seen_canary=self.seen_canary,
            waiting_stable=stable,
            waiting_canary=canary,
        )

    def _compare(self, stable: Arm, canary: Arm) -> AbsoluteEvidence:
        def factors(guesses: Sequence[Rates | None]) -> list[float]:
            return [
                0.0 if guess is None else log_factor(stable=stable, canary=canary, guess=guess, delta=self.delta)
                for guess in guesses
            ]

        harm = alternatives.harmful(stable=self.seen_stable, canary=self.seen_canary, delta=self.delta)
        safe = alternatives.safe(stable=self.seen_stable, canary=self.seen_canary, delta=self.delta)
        return AbsoluteEvidence(
            delta=self.delta,
            harmful=self.harmful.bet(alternatives.HARM_PRIOR, factors(harm)),
            safely=multiply(self.safely, factors(safe)),
            seen_stable=self.seen_stable + stable,
            seen_canary=self.seen_canary + canary,
        )

    @property
    def harm(self) -> float:
        """Log e-value against "the difference is at most delta"."""
        return self.harmful.log_e

    @property
    def safe(self) -> float:
        """Log e-value against "the difference is at least delta"."""
        return log_sum(self.safely)

    def dump(self) -> stored.Json:
        """The state as JSON."""
        return {
            "delta": self.delta,
            "harm": list(self.harmful.wealth),
            "rounds": self.harmful.clock,
            "safe": list(self.safely),
            "seen": stored.write_arms(self.seen_stable, self.seen_canary),
            "waiting": stored.write_arms(self.waiting_stable, self.waiting_canary),
        }

    @classmethod
    def load(cls, data: object) -> AbsoluteEvidence:
        """What `dump` wrote; ValueError for anything else."""
        fields = stored.Fields.of(data, "absolute")
        seen, waiting = fields.arms("seen"), fields.arms("waiting")
        harm = fields.logs("harm", len(alternatives.HARM_PRIOR))
        if waiting[0].requests and waiting[1].requests:
            raise ValueError("stored evidence: absolute.waiting holds requests of both arms, which wait for nothing")
        return cls(
            delta=fields.number("delta"),
            harmful=Staggered(wealth=harm, clock=fields.count("rounds")),
            safely=fields.logs("safe", len(alternatives.SAFE_PRIOR)),
            seen_stable=seen[0],
            seen_canary=seen[1],
            waiting_stable=waiting[0],
            waiting_canary=waiting[1],
        )
