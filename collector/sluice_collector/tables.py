"""The two tables of comparisons; those of A/B tests are beside them in `experiments.tables`."""

from sqlalchemy import Column, Float, Index, Integer, MetaData, SmallInteger, String, Table, Text

METADATA = MetaData()

comparisons = Table(
    "comparisons",
    METADATA,
    Column("id", Integer, primary_key=True),
    Column("name", String(320), nullable=False, unique=True),
    Column("touched", Float, nullable=False, index=True),  # Unix seconds of the last new answer
    Column("tally", Text, nullable=False),
)

answers = Table(
    "answers",
    METADATA,
    Column("comparison", Integer, primary_key=True),
    Column("request", String(128), primary_key=True),
    Column("side", SmallInteger, primary_key=True),  # its place in SIDES
    Column("arrived", Float, nullable=False, index=True),  # Unix seconds
    Column("answer", Text),  # null as soon as nothing waits for it: then only its key is remembered
    sqlite_with_rowid=False,
)

_waits = answers.c.answer.is_not(None)
Index("answers_waiting", answers.c.arrived, sqlite_where=_waits, postgresql_where=_waits)
