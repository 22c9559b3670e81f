"""Lets go of what can't count any more, and of the oldest where there is too much of it."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, Table, case, delete, exists, func, select

from sluice_collector.database import Database
from sluice_collector.experiments.ledger import Limits
from sluice_collector.experiments.missing import keep_count
from sluice_collector.experiments.rows import Held, change, hold
from sluice_collector.experiments.tables import experiments, outcomes, requests, units, waits

_CHUNK = 20_000
"""Rows deleted in one transaction: nobody who writes should wait for long."""
_ALL = experiments.c.units + experiments.c.requests + experiments.c.outcomes


@dataclass(frozen=True)
class Given:
    """Outcomes that were given up: their exposure did not come, or too many waited."""

    unknown: int = 0
    full: int = 0


class Retention:
    """Of the experiments in a database: a transaction for each, or each chunk. All methods raise SQLAlchemyError."""

    def __init__(self, database: Database, limits: Limits, *, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._limits = limits
        self._clock = clock

    def rows(self) -> int:
        """How many rows all experiments have."""
        with self._database.reading() as connection:
            return _count(connection)

    def waiting(self) -> int:
        """How many outcomes wait for their exposure."""
        with self._database.reading() as connection:
            return _count_waiting(connection)

    def trim(self) -> Given:
        """Keep to the bounds: after every batch."""
        most = self._limits.requests
        with self._database.reading() as connection:
            full = list(connection.scalars(select(experiments.c.id).where(experiments.c.requests > most)))
            waiting = _count_waiting(connection)
            rows = _count(connection)
        for row in full:
            self._trim_requests(row)
        given = self._trim_waiting(waiting - self._limits.waiting) if waiting > self._limits.waiting else 0
        if rows > self._limits.rows:
            self._trim_experiments(rows)
        return Given(full=given)

    def expire(self) -> Given:
        """Give up outcomes whose exposure did not come for so long that no sender still tries."""
        return Given(unknown=self._give_up(self._clock() - self._limits.remember, lost=False))

    def forget(self) -> None:
        """Forget requests when the time of all their units is over, and experiments without news."""
        now = self._clock()
        span = case((experiments.c.span > self._limits.remember, experiments.c.span), else_=self._limits.remember)
        old = exists().where(requests.c.experiment == experiments.c.id, requests.c.arrived < now - span)
        before = now - self._limits.keep
        with self._database.reading() as connection:
            over = list(connection.scalars(select(experiments.c.id).where(experiments.c.span.is_not(None), old)))
            silent = list(connection.scalars(select(experiments.c.id).where(experiments.c.touched < before)))
        for row in over:
            self._forget_requests(row)
        for row in silent:
            self._empty(row, silent_since=before)

    def _trim_requests(self, row: int) -> None:
        """The oldest; from then on, an outcome of an unknown request may be one that is lost (see `missing`)."""
        self._forget_requests(row)
        most = self._limits.requests
        with self._database.writing() as connection:
            held = hold(connection, row)
            if held is not None and held.requests > most:
                # A twentieth more, so that not every batch has to do this.
                _drop_requests(connection, held, math.inf, held.requests - most + most // 20, trimmed=True)

    def _forget_requests(self, row: int) -> None:
        """Those that came so long ago that an outcome of them would be too late for their unit."""
        gone = _CHUNK
        while gone == _CHUNK:
            with self._database.writing() as connection:
                held = hold(connection, row)
                if held is None or held.span is None:
                    return
                until = self._clock() - max(held.span, self._limits.remember)
                gone = _drop_requests(connection, held, until, _CHUNK)

    def _trim_waiting(self, excess: int) -> int:
        """The oldest; they may be of users who count."""
        with self._database.reading() as connection:
            # A tenth more, so that not every batch has to do this.
            place = excess - 1 + self._limits.waiting // 10
            oldest = select(outcomes.c.arrived).where(waits).order_by(outcomes.c.arrived)
            until = connection.scalar(oldest.offset(place).limit(1))
        return 0 if until is None else self._give_up(until, lost=True)

    def _give_up(self, until: float, *, lost: bool) -> int:
        """Let go of outcomes that wait since then or longer, one experiment after the other; returns how many."""
        old = waits & (outcomes.c.arrived <= until)
        with self._database.reading() as connection:
            found = list(connection.scalars(select(outcomes.c.experiment).where(old).distinct()))
        given = 0
        for row in found:
            with self._database.writing() as connection:
                if (held := hold(connection, row)) is None:
                    continue
                missed = keep_count(connection, row, until) if held.trimmed and not lost else 0
                gone = connection.execute(delete(outcomes).where(old, outcomes.c.experiment == row)).rowcount
                change(connection, row, outcomes=held.outcomes - gone, lost=held.lost or (lost and gone > 0))
                given += missed + gone
        return given

    def _trim_experiments(self, count: int) -> None:
        """Those that are incomplete, then those without news for longest, lose everything, until a tenth is free."""
        with self._database.reading() as connection:
            order = experiments.c.lost.desc(), experiments.c.touched, experiments.c.id
            wanted = select(experiments.c.id, _ALL).where(_ALL > 0).order_by(*order)
            found = connection.execute(wanted).all()
        for row, size in found:
            if count <= self._limits.rows * 0.9:
                return
            self._empty(row)
            count -= size

    def _empty(self, row: int, silent_since: float | None = None) -> None:
        """Delete what is known of an experiment; with its own row, if it is for having been silent since then.

        It is lost before the first of its rows is, so that nobody takes a part of its results for all of them.
        """
        left = True
        while left:
            with self._database.writing() as connection:
                held = hold(connection, row)
                if held is None or (silent_since is not None and held.touched >= silent_since):
                    return
                gone = {
                    "units": _delete_some(connection, units, "unit", row),
                    "requests": _delete_some(connection, requests, "request", row),
                    "outcomes": _delete_some(connection, outcomes, "subject", row),
                }
                left = any(gone.values())
                counts = {name: getattr(held, name) - count for name, count in gone.items()}
                change(connection, row, lost=True, **counts)
                if not left and silent_since is not None:
                    connection.execute(delete(experiments).where(experiments.c.id == row))


def _count(connection: Connection) -> int:
    return int(connection.scalar(select(func.sum(_ALL))) or 0)


def _count_waiting(connection: Connection) -> int:
    return connection.scalar(select(func.count()).where(waits)) or 0


def _drop_requests(connection: Connection, held: Held, until: float, most: int, **changed: bool) -> int:
    """Delete the oldest requests of an experiment, of those that arrived before; returns how many."""
    mine = requests.c.experiment == held.id
    oldest = select(requests.c.request).where(mine, requests.c.arrived < until).order_by(requests.c.arrived).limit(most)
    gone = connection.execute(delete(requests).where(mine, requests.c.request.in_(oldest))).rowcount
    change(connection, held.id, requests=held.requests - gone, **changed)
    return gone


def _delete_some(connection: Connection, table: Table, column: str, row: int) -> int:
    """Delete a chunk of an experiment's rows; returns how many."""
    mine = table.c.experiment == row
    some = select(table.c[column]).where(mine).limit(_CHUNK)
    return connection.execute(delete(table).where(mine, table.c[column].in_(some))).rowcount
