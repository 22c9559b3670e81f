"""Money spread over several bets: the sum of e-processes with weights that sum to one is an e-process.

Every component k of a mixture multiplies its wealth by an e-variable L_k per block (expectation at most 1 under every
point of the null). All wealth is kept as natural logarithms, rounded *down*, so that rounding only ever loses money.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

FLOOR = -1e4  # a component that is ruined: exp(FLOOR) is zero in any arithmetic that matters
CEILING = 1e4  # far above any threshold; discarding the rest is conservative
DIGITS = 6  # decimals of stored wealth: a compact state

Logs = tuple[float, ...]


def threshold(alpha: float) -> float:
    """The natural logarithm of 1/alpha: evidence of at least this much is wrong with probability at most alpha.

    Ville's inequality: it holds over the whole run, however often one looks. Raises ValueError unless 0 < alpha < 1.
    """
    if not 0 < alpha < 1:
        raise ValueError(f"alpha must lie between 0 and 1, got {alpha!r}")
    return -math.log(alpha)


def log_sum(logs: Iterable[float]) -> float:
    """log(sum(exp(x))) without overflow; `logs` is finite and not empty."""
    values = list(logs)
    top = max(values)
    return top + math.log(math.fsum(math.exp(x - top) for x in values))


def combined(logs: Sequence[float]) -> float:
    """Log e-value against all hypotheses being true at once, from one log e-value against each: their average.

    Valid however they depend on each other (statistics, section (e)). ValueError when there are none.
    """
    if not logs:
        raise ValueError("no e-values to combine")
    return log_sum(logs) - math.log(len(logs))


def keep(value: float) -> float:
    """One component's wealth as it is stored: rounded down to six decimals, between FLOOR and CEILING.

    What is stored already stays as it is, so a bet that neither wins nor loses changes nothing.
    """
    value = min(CEILING, max(FLOOR, value))
    nearest = round(value, DIGITS)
    return nearest if nearest <= value else round(nearest - 10.0**-DIGITS, DIGITS)


def multiply(wealth: Logs, factors: Sequence[float]) -> Logs:
    """Each component's wealth after its bet: log wealth + log factor."""
    return tuple(keep(w + f) for w, f in zip(wealth, factors, strict=True))


def invested(prior: Sequence[float]) -> Logs:
    """Log wealth at the start, when all money is placed at once in the shares `prior`."""
    return tuple(keep(math.log(share)) for share in prior)


def cash(clock: int) -> float:
    """Share of the money not yet placed after `clock` rounds: 1 / (1 + log2(1 + clock)).

    Half goes into the first round. Later rounds get about 1 / (clock * log2(clock)^2), almost the slowest decrease
    that still sums to one, so a fault that starts late costs about log(clock) more evidence than one at the start.
    """
    return 1 / (1 + math.log2(1 + clock))


@dataclass(frozen=True)
class Staggered:
    """A mixture over bets *and* over the round in which they start (statistics, section (e)).

    For each component A_t = (A_{t-1} + w_t) * L_t: one number stands for all starting times. What has not been
    placed yet stays cash, so E_t = sum of A_t + cash, and E_0 = 1.
    """

    wealth: Logs
    clock: int

    @classmethod
    def start(cls, components: int) -> Staggered:
        """Nothing placed yet."""
        return cls(wealth=(FLOOR,) * components, clock=0)

    def bet(self, prior: Sequence[float], factors: Sequence[float]) -> Staggered:
        """Place this round's share of the cash by `prior`, then multiply; `factors` are log e-variables."""
        stake = math.log(cash(self.clock) - cash(self.clock + 1))
        staked = (log_sum((w, stake + math.log(p))) for w, p in zip(self.wealth, prior, strict=True))
        return Staggered(wealth=multiply(tuple(staked), factors), clock=self.clock + 1)

    @property
    def log_e(self) -> float:
        """Natural logarithm of the e-value."""
        return log_sum((*self.wealth, math.log(cash(self.clock))))
