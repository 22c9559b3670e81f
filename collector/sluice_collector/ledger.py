"""Counts each answer exactly once: what is remembered, what waits and the counts change in one transaction."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from pydantic import TypeAdapter
from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from sluice_collector.answers import SIDES, Answer, Side, dump, load
from sluice_collector.compare import Compared
from sluice_collector.database import Database
from sluice_collector.join import Key, join
from sluice_collector.tables import answers, comparisons
from sluice_collector.tally import Tally

_TALLY = TypeAdapter(Tally)


@dataclass(frozen=True)
class Limits:
    """How long and how much is kept; times in seconds."""

    partner: float = 120
    remember: float = 600
    keep: float = 30 * 86_400
    waiting: int = 50_000


@dataclass(frozen=True)
class Recorded:
    """What a batch has done."""

    accepted: int
    duplicates: int
    pairs: tuple[Compared, ...]


@dataclass(frozen=True)
class Dropped:
    """Answers that were given up without a partner."""

    counts: Mapping[Side, int]


class Ledger:
    """Comparisons in a database.

    Whoever changes a comparison locks its row first, so two processes can't each keep one side of a pair; comparisons
    are locked in the order of their names, so they can't wait for each other. All methods raise SQLAlchemyError.
    """

    def __init__(self, database: Database, limits: Limits, *, clock: Callable[[], float] = time.time) -> None:
        self._database = database
        self._limits = limits
        self._clock = clock

    def record(self, batch: Sequence[Answer]) -> Recorded:
        """Take in answers of any comparisons: all of them, or none."""
        groups = defaultdict[str, list[Answer]](list)
        for answer in batch:
            groups[answer.comparison].append(answer)
        pairs: list[Compared] = []
        duplicates = 0
        with self._database.writing() as connection:
            for name, group in sorted(groups.items()):
                found, again = self._join(connection, name, group)
                pairs += found
                duplicates += again
        return Recorded(len(batch) - duplicates, duplicates, tuple(pairs))

    def counts(self, name: str) -> Tally:
        """The counts of a comparison; zeros, if nothing was heard of it."""
        with self._database.reading() as connection:
            text = connection.scalar(select(comparisons.c.tally).where(comparisons.c.name == name))
        return Tally() if text is None else _TALLY.validate_json(text)

    def waiting(self) -> int:
        """How many answers wait for their partner."""
        with self._database.reading() as connection:
            return _count_waiting(connection)

    def expire(self) -> Dropped:
        """Give up answers whose partner did not come in time."""
        return self._give_up(self._clock() - self._limits.partner)

    def trim(self) -> Dropped:
        """Give up the oldest answers, where too many wait: most that still come in pairs are young."""
        with self._database.reading() as connection:
            excess = _count_waiting(connection) - self._limits.waiting
            if excess <= 0:
                return Dropped({})
            # A tenth more, so that not every batch has to do this.
            place = excess - 1 + self._limits.waiting // 10
            oldest = select(answers.c.arrived).where(answers.c.answer.is_not(None)).order_by(answers.c.arrived)
            until = connection.scalar(oldest.offset(place).limit(1))
        return Dropped({}) if until is None else self._give_up(until)

    def forget(self) -> None:
        """Forget keys whose second copy will not come any more, and comparisons that are over."""
        now = self._clock()
        with self._database.writing() as connection:
            settled = answers.c.answer.is_(None) & (answers.c.arrived < now - self._limits.remember)
            connection.execute(delete(answers).where(settled))
            connection.execute(delete(comparisons).where(comparisons.c.touched < now - self._limits.keep))

    def _join(self, connection: Connection, name: str, group: Sequence[Answer]) -> tuple[Sequence[Compared], int]:
        now = self._clock()
        row, tally = self._lock(connection, name, now)
        known, waiting = self._heard(connection, row, {answer.request for answer in group}, now - self._limits.partner)
        joined = join(group, known, waiting)
        if joined.fresh:
            added = [_values(row, key) | {"arrived": now, "answer": dump(answer) if answer else None}
                     for key, answer in joined.fresh.items()]  # fmt: skip
            connection.execute(insert(answers), added)
            _settle(connection, row, joined.settled)
            _write(connection, row, tally.plus(joined.pairs), touched=now)
        return joined.pairs, joined.duplicates

    def _lock(self, connection: Connection, name: str, now: float) -> tuple[int, Tally]:
        """Begin a comparison, unless it is there, and hold it until the end of the transaction."""
        empty = self._database.insert(comparisons).values(
            name=name, touched=now, tally=_TALLY.dump_json(Tally()).decode()
        )
        wanted = select(comparisons.c.id, comparisons.c.tally).where(comparisons.c.name == name).with_for_update()
        while (found := connection.execute(wanted).one_or_none()) is None:  # or it was deleted a moment ago
            connection.execute(empty.on_conflict_do_nothing())
        return found.id, _TALLY.validate_json(found.tally)

    def _heard(
        self, connection: Connection, row: int, requests: Iterable[str], since: float
    ) -> tuple[set[Key], dict[Key, Answer]]:
        """What was heard of requests before, and which of it waits for a partner and has not waited for too long."""
        wanted = select(answers.c.request, answers.c.side, answers.c.arrived, answers.c.answer).where(
            answers.c.comparison == row, answers.c.request.in_(list(requests))
        )
        known: set[Key] = set()
        waiting: dict[Key, Answer] = {}
        for request, side, arrived, answer in connection.execute(wanted):
            known.add((request, SIDES[side]))
            if answer is not None and arrived >= since:
                waiting[request, SIDES[side]] = load(answer)
        return known, waiting

    def _give_up(self, until: float) -> Dropped:
        """Settle all answers that wait since then or longer, one comparison after the other."""
        with self._database.reading() as connection:
            old = answers.c.answer.is_not(None) & (answers.c.arrived <= until)
            names = select(comparisons.c.name).where(comparisons.c.id.in_(select(answers.c.comparison).where(old)))
            found = list(connection.scalars(names))
        counts = dict.fromkeys(SIDES, 0)
        for name in found:
            with self._database.writing() as connection:
                row, tally = self._lock(connection, name, self._clock())
                mine = old & (answers.c.comparison == row)
                sides = select(answers.c.side, func.count()).where(mine).group_by(answers.c.side)
                for side, count in connection.execute(sides):
                    tally = tally.lost(SIDES[side], count)
                    counts[SIDES[side]] += count
                connection.execute(update(answers).where(mine).values(answer=None))
                _write(connection, row, tally)
        return Dropped(counts)


def _count_waiting(connection: Connection) -> int:
    return connection.scalar(select(func.count()).where(answers.c.answer.is_not(None))) or 0


def _values(row: int, key: Key) -> dict[str, object]:
    request, side = key
    return {"comparison": row, "request": request, "side": SIDES.index(side)}


_SETTLE = (
    update(answers)
    .where(
        answers.c.comparison == bindparam("of"),
        answers.c.request == bindparam("id"),
        answers.c.side == bindparam("from"),
    )
    .values(answer=None)
)


def _settle(connection: Connection, row: int, keys: Iterable[Key]) -> None:
    """Delete what answers said, and remember their keys."""
    if places := [{"of": row, "id": request, "from": SIDES.index(side)} for request, side in keys]:
        connection.execute(_SETTLE, places)


def _write(connection: Connection, row: int, tally: Tally, **touched: float) -> None:
    changed = update(comparisons).where(comparisons.c.id == row)
    connection.execute(changed.values(tally=_TALLY.dump_json(tally).decode(), **touched))
