"""When, by the clients' clock, something happened that the operator has dated."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime

from sluice.api.record import RolloutRecord

from benchmarks.strategies.figures import Span


@dataclass(frozen=True)
class Clock:
    """The operator's clock: it says `ahead` seconds more than this process's monotonic one."""

    ahead: float

    def at(self, dated: datetime) -> float:
        """Return the moment, in seconds of the monotonic clock."""
        return dated.timestamp() - self.ahead

    def spans(self, record: RolloutRecord) -> list[Span]:
        """Return the times at one weight each."""
        return [
            Span(one.weight, self.at(one.since), *((self.at(one.until),) if one.until else ()))
            for one in record.status.periods
        ]


def heard(dated: datetime, at: float) -> Clock:
    """Return the clock of an operator that gave this time to a moment of the monotonic clock."""
    return Clock(dated.timestamp() - at)


def of_this_machine() -> Clock:
    """Return the clock of an operator that has this machine's."""
    return Clock(time.time() - time.monotonic())
