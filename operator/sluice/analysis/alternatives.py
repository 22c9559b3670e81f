"""The pairs of rates that the absolute test bets on, chosen before a block is seen.

Some are fixed; most follow what has been seen so far. Mixing many costs only the logarithm of their shares, and lets
even the very first block, however large, be strong evidence.
"""

from __future__ import annotations

from sluice.analysis.boundary import Rates
from sluice.analysis.counts import Arm

# Harm: stable as seen so far, and the canary worse than tolerated by these odds; then a dead canary; then the canary
# as seen so far; then fixed pairs.
_WORSE = (1.5, 2.5, 5.0, 15.0, 60.0)
_FIXED_STABLE = (0.01, 0.05, 0.2)
_FIXED_WORSE = (4.0, 30.0)
_DEAD = 0.97
HARM_PRIOR = (0.08, 0.12, 0.12, 0.12, 0.10, 0.20, 0.14) + (0.02,) * 6

# Safety: both arms alike as seen so far; each as seen so far; then both alike at fixed multiples of the margin.
_ALIKE = (0.02, 0.3, 1.0, 3.0, 10.0, 30.0)
SAFE_PRIOR = (0.50, 0.10, 0.20, 0.04, 0.04, 0.04, 0.04, 0.04)


def harmful(*, stable: Arm, canary: Arm, delta: float) -> list[Rates | None]:
    """One pair per share of HARM_PRIOR, all with canary > stable + delta; None where there is nothing to bet on."""
    seen = _rate(stable, delta / 10, most=_room(delta))
    guesses: list[Rates | None] = [Rates(seen, _worse(seen + delta, odds)) for odds in _WORSE]
    guesses.append(Rates(seen, max(_DEAD, (1 + seen + delta) / 2)))
    learned = Rates(seen, _rate(canary, 0.5, most=1.0))
    guesses.append(learned if learned.canary > learned.stable + delta else None)
    for share in _FIXED_STABLE:
        fixed = share * (1 - delta)
        guesses.extend(Rates(fixed, _worse(fixed + delta, odds)) for odds in _FIXED_WORSE)
    return guesses


def safe(*, stable: Arm, canary: Arm, delta: float) -> list[Rates | None]:
    """One pair per share of SAFE_PRIOR, all with canary < stable + delta; None where there is nothing to bet on."""
    prior, room = delta / 10, _room(delta)
    both = _rate(stable + canary, prior, most=room)
    learned = Rates(_rate(stable, prior, most=room), _rate(canary, prior, most=1.0))
    guesses: list[Rates | None] = [Rates(both, both), learned if learned.canary < learned.stable + delta else None]
    guesses.extend(Rates(rate, rate) for rate in (min(multiple * delta, room / 2) for multiple in _ALIKE))
    return guesses


def _room(delta: float) -> float:
    """The largest rate of stable to bet on: above 1 - delta the canary cannot be worse than tolerated."""
    return 0.95 * (1 - delta)


def _rate(arm: Arm, prior: float, *, most: float) -> float:
    """Error rate of `arm`, at most `most`, as if half an error had been seen before, at the rate `prior` in (0, 1)."""
    return min(most, (arm.errors + 0.5) / (arm.requests + 0.5 / prior))


def _worse(rate: float, odds: float) -> float:
    """The rate whose odds are `odds` times those of `rate`."""
    return odds * rate / (1 - rate + odds * rate)
