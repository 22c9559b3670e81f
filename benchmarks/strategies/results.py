"""The result of the measurement, as `benchmarks/results/strategies.json` holds it; seconds unless said."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict

from benchmarks.strategies.specs import SUBJECTS


class _Stored(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class FlipCounts(_Stored):
    """Users, as `figures.Flips` has them."""

    back: int
    constant: int
    split: int


class Good(_Stored):
    """The rollout of a good version."""

    seconds: float
    requests: int
    failed: int
    downtime: float
    tested_before: int
    copies: int | None = None
    pod_seconds: float
    flips: FlipCounts | None = None
    promoted_by: str | None = None


class Command(_Stored):
    """A person goes back."""

    off_seconds: float
    back_seconds: float | None = None
    failed: int
    downtime: float


class Seen(_Stored):
    """By whom a version was met."""

    requests: int
    users: int


class Bad(_Stored):
    """The rollout of a version that fails always."""

    noticed: bool
    seen: Seen
    hurt: int | None = None
    downtime: float
    failed_elsewhere: int
    decided_to_back: float | None = None
    failure_to_back: float | None = None


class Stuck(_Stored):
    """Users at a weight that stayed, as `sticking.Assigned` has them."""

    weight: int
    users: int
    candidate: int
    both: int
    back: int
    replicas: int


class Row(_Stored):
    """One strategy."""

    strategy: str
    date: str | None = None
    commit: str | None = None
    fields: int
    required: int | None = None
    components: tuple[str, ...] = ()
    good: Good
    command: Command
    bad: Bad
    sticking: Stuck | None = None


class Machine(_Stored):
    """Where it was measured."""

    date: str
    commit: str
    cores: int
    cpu: str = ""


class Result(_Stored):
    """All of it."""

    machine: Machine
    rate: float
    users: int
    replicas: int
    strategies: tuple[Row, ...]


def merged(before: Iterable[dict[str, Any]], after: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows with the new ones in the place of those of the same strategies, in the table's order."""
    rows = {row["strategy"]: row for row in (*before, *after)}
    order = [*SUBJECTS, *(name for name in rows if name not in SUBJECTS)]
    return [rows[name] for name in order if name in rows]
