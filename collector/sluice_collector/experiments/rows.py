"""An experiment's own row, by which it is locked."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, select, update

from sluice_collector.database import Database
from sluice_collector.experiments.tables import experiments


@dataclass(frozen=True)
class Held:
    """A row as it was found; see `tables`."""

    id: int
    name: str
    since: float
    touched: float
    span: float | None
    units: int
    requests: int
    outcomes: int
    trimmed: bool
    lost: bool


def look(connection: Connection, name: str) -> Held | None:
    """Read it, and hold up nobody."""
    return _read(connection, experiments.c.name == name, lock=False)


def hold(connection: Connection, row: int) -> Held | None:
    """Lock it until the end of the transaction, if it is there."""
    return _read(connection, experiments.c.id == row, lock=True)


def hold_or_begin(database: Database, connection: Connection, name: str, now: float) -> Held:
    """Lock it until the end of the transaction; an experiment of which nothing was heard begins."""
    empty = database.insert(experiments).values(
        name=name, since=now, touched=now, units=0, requests=0, outcomes=0, trimmed=False, lost=False
    )
    while (found := _read(connection, experiments.c.name == name, lock=True)) is None:  # or it was deleted just now
        connection.execute(empty.on_conflict_do_nothing())
    return found


def change(connection: Connection, row: int, **values: object) -> None:
    """Write columns of a row that is held."""
    connection.execute(update(experiments).where(experiments.c.id == row).values(**values))


def _read(connection: Connection, where: ColumnElement[bool], *, lock: bool) -> Held | None:
    wanted = select(experiments).where(where)
    found = connection.execute(wanted.with_for_update() if lock else wanted).mappings().one_or_none()
    return None if found is None else Held(**found)
