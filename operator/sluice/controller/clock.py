"""The time as decisions see it: steps of a machine's clock neither pass a deadline nor hold one up.

Between two looks only the monotonic clock counts. What it is measured from is the API server's time, which all
replicas share; where the two drift apart, for example after a machine has slept, this clock follows slowly.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

# Seconds that may be made up in each second: a deadline is at most a tenth too early or too late, then.
SLEW = 0.1

COARSE = timedelta(seconds=2)  # the API server tells whole seconds


class SteadyClock:
    """Call it for the time, in UTC; let it hear what time the API server has."""

    def __init__(
        self,
        wall: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._at = monotonic()
        self._time: datetime | None = None

    def __call__(self) -> datetime:
        """Return the time; by the machine's own clock only until the API server was heard."""
        if self._time is None:
            return self._wall()
        return self._time + timedelta(seconds=self._monotonic() - self._at)

    def hear(self, told: datetime) -> None:
        """Take over the API server's time when it is heard for the first time, and follow it slowly from then on."""
        at = self._monotonic()
        if self._time is None:
            self._time = told
        else:
            passed = timedelta(seconds=at - self._at)
            behind = told - (self._time + passed)
            most = SLEW * passed if abs(behind) > COARSE else timedelta(0)
            self._time += passed + max(-most, min(most, behind))
        self._at = at
