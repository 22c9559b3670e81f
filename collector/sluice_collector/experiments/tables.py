"""The four tables of A/B tests: hashes of user ids, ids of requests, and numbers."""

from sqlalchemy import Boolean, Column, Float, Index, Integer, SmallInteger, String, Table, Text

from sluice_collector.tables import METADATA

experiments = Table(
    "experiments",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("name", String(320), nullable=False, unique=True),
    Column("since", Float, nullable=False),  # Unix seconds of the first news
    Column("touched", Float, nullable=False, index=True),  # and of the last
    Column("span", Float),  # the longest window that somebody asked for, in seconds
    Column("units", Integer, nullable=False, default=0),  # how many rows it has in each of the tables
    Column("requests", Integer, nullable=False, default=0),
    Column("outcomes", Integer, nullable=False, default=0),
    Column("trimmed", Boolean, nullable=False, default=False),  # requests were let go that could have been asked for
    Column("lost", Boolean, nullable=False, default=False),  # something that could have counted: it takes in nothing
)

units = Table(
    "experiment_units",
    METADATA,
    Column("experiment", Integer, primary_key=True),
    Column("unit", String(32), primary_key=True),
    Column("revision", String(253), nullable=False),  # the first it came to
    Column("first", Float, nullable=False),  # Unix seconds, when it did
    Column("crossed", Boolean, nullable=False),
    sqlite_with_rowid=False,
)

requests = Table(
    "experiment_requests",
    METADATA,
    Column("experiment", Integer, primary_key=True),
    Column("request", String(128), primary_key=True),
    Column("unit", String(32), nullable=False),
    Column("arrived", Float, nullable=False),  # Unix seconds
    sqlite_with_rowid=False,
)

# For the oldest of an experiment. Without statistics, PostgreSQL would use the first of them to look up a few requests,
# and read all of them; SQLite would not use the second, and sort them all.
Index("experiment_requests_old", requests.c.experiment, requests.c.arrived).ddl_if(dialect="sqlite")
Index("experiment_requests_by_age", requests.c.arrived, requests.c.experiment).ddl_if(dialect="postgresql")

outcomes = Table(
    "experiment_outcomes",
    METADATA,
    Column("experiment", Integer, primary_key=True),
    Column("subject", Text, primary_key=True),  # a request or a unit
    Column("kind", SmallInteger, primary_key=True),  # which of both: its place in KINDS
    Column("metric", String(63), primary_key=True),
    Column("key", String(128), primary_key=True),
    Column("value", Float(53), nullable=False),
    Column("arrived", Float, nullable=False),  # Unix seconds
    Column("unit", String(32)),  # null as long as it waits for its exposure
    sqlite_with_rowid=False,
)

MISSED = ""
"""The unit of outcomes whose request may have been let go: nobody's. They stay, to be counted, and told once."""

waits = outcomes.c.unit.is_(None)
Index("experiment_outcomes_waiting", outcomes.c.arrived, sqlite_where=waits, postgresql_where=waits)
