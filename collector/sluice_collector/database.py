"""SQLite or PostgreSQL, so that the rest need not know which."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event, func, select
from sqlalchemy.dialects import postgresql, sqlite

from sluice_collector.tables import METADATA

_SCHEMA_LOCK = 7_583_442
"""Any number: whoever creates the tables on PostgreSQL holds this lock."""
_INSERT: Mapping[str, type[sqlite.Insert | postgresql.Insert]] = {
    "sqlite": sqlite.Insert,
    "postgresql": postgresql.Insert,
}


class Database:
    """Transactions on tables that are created at first use.

    A lock, a statement or a connection is waited for as long as `patience`, in seconds.
    """

    def __init__(self, url: str, *, connections: int, patience: int = 10) -> None:
        postgres = url.startswith("postgresql")
        self._engine = create_engine(
            url,
            pool_size=connections,
            pool_timeout=patience,
            pool_pre_ping=postgres,
            hide_parameters=True,  # what a server answered does not belong into a log
            connect_args=_postgres_arguments(patience) if postgres else {"timeout": patience},
        )
        if not postgres:
            _prepare_sqlite(self._engine)
        self._preparing = threading.Lock()
        self._prepared = False

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction; on SQLite nobody else writes meanwhile."""
        self._prepare()
        with self._engine.execution_options(writes=True).begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that holds up nobody."""
        self._prepare()
        with self._engine.begin() as connection:
            yield connection

    def insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """An insert that may leave alone what is there."""
        return _INSERT[self.dialect](table)

    def close(self) -> None:
        """Let go of all connections."""
        self._engine.dispose()

    def _prepare(self) -> None:
        """Create the tables, unless they are there: PostgreSQL may come up later than this process."""
        if self._prepared:
            return
        with self._preparing:
            with self._engine.execution_options(writes=True).begin() as connection:
                if self.dialect == "postgresql":
                    connection.execute(select(func.pg_advisory_xact_lock(_SCHEMA_LOCK)))
                METADATA.create_all(connection)
            self._prepared = True


def _postgres_arguments(patience: int) -> dict[str, Any]:
    milliseconds = patience * 1000
    return {
        "connect_timeout": patience,
        "application_name": "sluice-collector",
        "options": f"-c statement_timeout={milliseconds} -c lock_timeout={milliseconds}",
    }


def _prepare_sqlite(engine: Engine) -> None:
    """Let SQLAlchemy begin transactions, not the driver, which would do so only at the first write.

    synchronous=FULL: an answer that was accepted survives a power failure, and counts that somebody has read never go
    back. It costs one fsync a batch.
    """

    @event.listens_for(engine, "connect")
    def connected(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begun(connection: Connection) -> None:
        # One that has read could not wait for the right to write: somebody else's write would make it fail.
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
