"""Counts each user and each outcome exactly once: what is known of an experiment changes in one transaction."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, insert, select, update

from sluice_collector.database import Database
from sluice_collector.experiments import lookups
from sluice_collector.experiments.exposures import Admitted, Exposure, admit
from sluice_collector.experiments.missing import Missing, look_for
from sluice_collector.experiments.outcomes import KINDS, Kind, Outcome, Sorted, sort
from sluice_collector.experiments.reading import read
from sluice_collector.experiments.rows import Held, change, hold, hold_or_begin, look
from sluice_collector.experiments.sums import Aggregate, Results
from sluice_collector.experiments.tables import outcomes, requests, units, waits


@dataclass(frozen=True)
class Limits:
    """How long and how much is kept; times in seconds, the rest in rows."""

    remember: float = 600
    keep: float = 45 * 86_400
    units: int = 500_000
    """Of one experiment, as the next two."""
    requests: int = 1_000_000
    outcomes: int = 1_000_000
    waiting: int = 50_000
    """Outcomes of all experiments whose exposure is unknown."""
    rows: int = 3_000_000
    """In all."""


@dataclass(frozen=True)
class Exposed:
    """What a batch of exposures has done; `full` are accepted ones that count for nothing, since there was no room."""

    accepted: int = 0
    duplicates: int = 0
    full: int = 0


@dataclass(frozen=True)
class Fed:
    """What a batch of outcomes has done; `late` and `full` are accepted ones that count for nothing."""

    accepted: int = 0
    duplicates: int = 0
    unknown: int = 0
    late: int = 0
    full: int = 0


class Experiments:
    """Experiments in a database.

    Whoever changes an experiment locks its row first, so that no outcome misses an exposure that comes at the same
    time; they are locked in the order of their names. Times of arrival are taken under the lock, so that they never go
    back while clocks do not. All methods raise SQLAlchemyError.
    """

    def __init__(self, database: Database, limits: Limits, *, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._limits = limits
        self._clock = clock

    def expose(self, batch: Sequence[Exposure]) -> Exposed:
        """Take in exposures of any experiments: all of them, or none."""
        groups = defaultdict[str, list[Exposure]](list)
        for exposure in batch:
            groups[exposure.experiment].append(exposure)
        duplicates = full = 0
        with self._database.writing() as connection:
            for name, group in sorted(groups.items()):
                held = hold_or_begin(self._database, connection, name, self._clock())
                if held.lost:
                    change(connection, held.id, touched=self._clock())
                    full += len(group)
                    continue
                admitted = self._admit(connection, held, group)
                duplicates += admitted.duplicates
                full += admitted.full
        return Exposed(len(batch) - duplicates, duplicates, full)

    def feed(self, batch: Sequence[Outcome]) -> Fed:
        """Take in outcomes of any experiments: all of them, or none."""
        groups = defaultdict[str, list[Outcome]](list)
        for outcome in batch:
            groups[outcome.experiment].append(outcome)
        duplicates = unknown = late = full = 0
        with self._database.writing() as connection:
            for name, group in sorted(groups.items()):
                held = hold_or_begin(self._database, connection, name, self._clock())
                if held.lost:
                    change(connection, held.id, touched=self._clock())
                    full += len(group)
                    continue
                done, no_room = self._sort(connection, held, group)
                duplicates += done.duplicates
                unknown += done.unknown
                late += done.late
                full += done.outside + no_room
        return Fed(len(batch) - duplicates - unknown, duplicates, unknown, late, full)

    def results(self, name: str, metric: str, aggregate: Aggregate, window: float) -> Results:
        """What the units of an experiment are worth by one metric; nothing, if nothing was heard of it.

        A unit counts when more than `window` seconds have passed since it first came, with its outcomes of that time.
        """
        with self._database.reading() as connection:
            held = look(connection, name)
        if held is None:
            return Results()
        if held.span is None or window > held.span:
            self._lengthen(held.id, window)
        now = self._clock()
        with self._database.reading() as connection:
            versions = read(connection, held.id, metric=metric, aggregate=aggregate, window=window, now=now)
            after = look(connection, name)  # PostgreSQL's statements see what others did meanwhile: lost before deleted
            missing = look_for(connection, held.id, metric, now=now) if after and after.trimmed else Missing()
        return Results(versions, after is None or after.lost or missing.matters, missing.missed)

    def _lengthen(self, row: int, window: float) -> None:
        """Keep what can still count within the window; what was let go in a shorter one is lost for it."""
        with self._database.writing() as connection:
            held = hold(connection, row)
            if held is not None and (held.span is None or window > held.span):
                gone = held.span is not None and self._clock() > held.since + held.span
                change(connection, row, span=window, lost=held.lost or gone)

    def _admit(self, connection: Connection, held: Held, group: Sequence[Exposure]) -> Admitted:
        now = self._clock()
        admitted = admit(
            group,
            lookups.known_requests(connection, held.id, {exposure.request for exposure in group}),
            lookups.revisions(connection, held.id, {exposure.unit for exposure in group}),
            room=max(0, self._limits.units - held.units),
        )
        if not admitted.requests:
            return admitted
        if admitted.units:
            added = [
                {"experiment": held.id, "unit": unit, "revision": revision, "first": now, "crossed": False}
                for unit, revision in admitted.units.items()
            ]
            connection.execute(insert(units), added)
        if admitted.crossed:
            those = (units.c.experiment == held.id) & units.c.unit.in_(admitted.crossed)
            connection.execute(update(units).where(those).values(crossed=True))
        came = [
            {"experiment": held.id, "request": request, "unit": unit, "arrived": now}
            for request, unit in admitted.requests.items()
        ]
        connection.execute(insert(requests), came)
        self._join(connection, held, admitted, now)
        change(
            connection,
            held.id,
            touched=now,
            units=held.units + len(admitted.units),
            requests=held.requests + len(admitted.requests),
        )
        return admitted

    def _join(self, connection: Connection, held: Held, admitted: Admitted, now: float) -> None:
        """Give outcomes that came before their exposure to their unit."""
        waiting = (outcomes.c.experiment == held.id) & waits & (outcomes.c.arrived >= now - self._limits.remember)
        owner = select(requests.c.unit).where(
            requests.c.experiment == outcomes.c.experiment, requests.c.request == outcomes.c.subject
        )
        came: list[tuple[Kind, Iterable[str], ColumnElement[str]]] = [
            ("request", admitted.requests, owner.scalar_subquery()),
            ("unit", admitted.units, outcomes.c.subject),
        ]
        for kind, names, unit in came:
            those = waiting & (outcomes.c.kind == KINDS.index(kind)) & outcomes.c.subject.in_(list(names))
            connection.execute(update(outcomes).where(those).values(unit=unit))

    def _sort(self, connection: Connection, held: Held, group: Sequence[Outcome]) -> tuple[Sorted, int]:
        """What becomes of outcomes, and for how many there was no room: then the experiment has lost something."""
        now = self._clock()
        subjects = {outcome.subject for outcome in group}
        done = sort(
            group,
            lookups.known_outcomes(connection, held.id, subjects),
            lookups.places(connection, held.id, subjects),
            now=now,
            window=held.span,
            full=held.units >= self._limits.units,
        )
        kept = list(done.fresh.items())[: max(0, self._limits.outcomes - held.outcomes)]
        if kept:
            added = [
                {
                    "experiment": held.id,
                    "subject": key.subject,
                    "kind": KINDS.index(key.kind),
                    "metric": key.metric,
                    "key": key.key,
                    "value": value,
                    "arrived": now,
                    "unit": unit,
                }
                for key, (value, unit) in kept
            ]
            connection.execute(insert(outcomes), added)
        no_room = len(done.fresh) - len(kept)
        if done.fresh:
            change(connection, held.id, touched=now, outcomes=held.outcomes + len(kept), lost=no_room > 0)
        return done, no_room
