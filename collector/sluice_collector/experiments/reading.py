"""Reads what the versions of an experiment have come to; each row once, few of them at a time."""

from collections.abc import Mapping

from sqlalchemy import Connection, case, func, select

from sluice_collector.experiments.sums import Aggregate, Version, add_up
from sluice_collector.experiments.tables import outcomes, units

_AT_ONCE = 5000
"""Rows of a result that are in memory."""


def read(
    connection: Connection, row: int, *, metric: str, aggregate: Aggregate, window: float, now: float
) -> Mapping[str, Version]:
    """The units of an experiment by their first revision, and the outcomes that arrived in their time.

    Args:
        connection: in a transaction.
        row: the experiment's.
        metric: of the outcomes.
        aggregate: how a unit's outcomes make one value.
        window: seconds of a unit's time.
        now: Unix seconds; units count whose time ended before.
    """
    end = units.c.first + window
    matured = end < now
    counted = (
        select(
            units.c.revision,
            func.count(),
            func.sum(case((matured, 1), else_=0)),
            func.sum(case((units.c.crossed, 1), else_=0)),
        )
        .where(units.c.experiment == row)
        .group_by(units.c.revision)
    )
    same = (outcomes.c.experiment == units.c.experiment) & (outcomes.c.unit == units.c.unit)
    values = (
        select(units.c.revision, units.c.unit, outcomes.c.value)
        .join_from(outcomes, units, same)
        .where(outcomes.c.experiment == row, outcomes.c.metric == metric, matured, outcomes.c.arrived <= end)
        .order_by(units.c.unit)
    )
    versions = {
        revision: Version(units=count, matured=int(old), crossed=int(crossed))
        for revision, count, old, crossed in connection.execute(counted)
    }
    found = connection.execution_options(yield_per=_AT_ONCE).execute(values)
    return add_up(versions, ((revision, unit, value) for revision, unit, value in found), aggregate)
