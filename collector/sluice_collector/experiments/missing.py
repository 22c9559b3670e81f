"""Outcomes whose request nobody knows, in an experiment that had to let requests go.

Each may be of a request that was let go, or of none at all: a client's mistake, an id of another system. They can't be
told apart, so all are taken for lost. A few of them tell nothing else than the noise that the rest has anyway.
"""

import math
from dataclasses import dataclass
from typing import Final

from sqlalchemy import Connection, case, func, select, update

from sluice_collector.experiments.outcomes import KINDS
from sluice_collector.experiments.tables import MISSED, outcomes, waits

EARLY_SECONDS: Final = 60
"""So much earlier than its exposure an outcome may come: model servers try no longer to tell of one."""
NOISE: Final = 10
"""Of the variance of a count, this part is the square of what may be missing."""

_of_request = outcomes.c.kind == KINDS.index("request")


@dataclass(frozen=True)
class Missing:
    """Of one metric: outcomes that have a unit, and those that may have had one."""

    joined: int = 0
    missed: int = 0

    @property
    def matters(self) -> bool:
        """Whether more are missing than chance moves the number of the others by, or near to it.

        A count of n varies by about sqrt(n); sqrt(n / 10) missing are a third of that. A single one ends no test.
        """
        return self.missed > max(1.0, math.sqrt(self.joined / NOISE))


def look_for(connection: Connection, row: int, metric: str, *, now: float) -> Missing:
    """Count them in an experiment that has let requests go."""
    long_since = waits & _of_request & (outcomes.c.arrived < now - EARLY_SECONDS)
    lost = (outcomes.c.unit == MISSED) | long_since
    joined = outcomes.c.unit != MISSED  # null is not true
    counted = select(func.sum(case((joined, 1), else_=0)), func.sum(case((lost, 1), else_=0)))
    found = connection.execute(counted.where(outcomes.c.experiment == row, outcomes.c.metric == metric)).one()
    return Missing(*(int(number or 0) for number in found))


def keep_count(connection: Connection, row: int, until: float) -> int:
    """Let outcomes that have waited since then, or longer, count as lost; returns how many."""
    those = (outcomes.c.experiment == row) & waits & _of_request & (outcomes.c.arrived <= until)
    return connection.execute(update(outcomes).where(those).values(unit=MISSED)).rowcount
