"""The textbook's table of strategies, and the same columns by what was measured: rules, no opinions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from benchmarks.strategies.results import Result, Row

# So many real requests count as a test with real traffic: none to speak of comes before.
FEWEST_TESTED = 30


class Level(IntEnum):
    """How much of something."""

    NONE = 0
    LOW = 1
    MEDIUM = 2
    HIGH = 3


NONE, LOW, MEDIUM, HIGH = Level
Grade = bool | Level | None  # None: not measured


@dataclass(frozen=True)
class Column:
    """A column of the textbook's table.

    Attributes:
        rule: how the grade follows from the figures, for the reader.
        grade: the same, for each row; the result is there for what is relative.
        figure: what the grade was made from.
    """

    name: str
    rule: str
    grade: Callable[[Row, Result], Grade]
    figure: Callable[[Row, Result], str]


# No downtime, real traffic, user targeting; cost, rollback duration, negative impact, complexity.
TEXTBOOK: Mapping[str, tuple[Grade, ...]] = {
    "recreate": (False, False, False, LOW, HIGH, HIGH, NONE),
    "blueGreen": (True, False, False, HIGH, NONE, MEDIUM, MEDIUM),
    "canary": (True, True, False, LOW, LOW, LOW, MEDIUM),
    "shadow": (True, True, False, HIGH, NONE, NONE, HIGH),
    "abTest": (True, True, True, LOW, LOW, LOW, HIGH),
}


@dataclass(frozen=True)
class Disagreement:
    """Where a strategy was measured to be otherwise than the textbook says."""

    strategy: str
    column: str
    said: Grade
    measured: Grade
    figure: str


def level(value: float, most: float) -> Level:
    """Grade a value against the largest: none up to a twentieth, low up to a third, medium up to two thirds."""
    if 20 * value <= most:
        return NONE
    if 3 * value <= most:
        return LOW
    return MEDIUM if 3 * value <= 2 * most else HIGH


def known(values: Sequence[float | None]) -> float:
    """Return the largest of the values that were measured."""
    return max((value for value in values if value is not None), default=0.0)


def complexity(row: Row) -> int | None:
    """Return how many fields have to be written, and components installed, beyond naming the strategy."""
    return None if row.required is None else row.required + len(row.components)


def _downtime(row: Row, _: Result) -> Grade:
    return row.good.downtime == row.command.downtime == 0


def _tested(row: Row, _: Result) -> Grade:
    return row.good.tested_before + (row.good.copies or 0) >= FEWEST_TESTED


def _targets(row: Row, _: Result) -> Grade:
    found = row.good.flips
    return None if found is None else found.split > 0 and found.constant == 0


def _flips(row: Row, result: Result) -> str:
    found = row.good.flips
    if found is None:
        return "–"
    return f"{found.split} of {result.users} users had it at a split, {found.constant} switched at a constant one"


def _cost(row: Row, result: Result) -> Grade:
    return level(row.good.pod_seconds, known([each.good.pod_seconds for each in result.strategies]))


def _rollback(row: Row, result: Result) -> Grade:
    seconds = row.command.back_seconds
    most = known([each.command.back_seconds for each in result.strategies])
    return None if seconds is None else level(seconds, most)


def _impact(row: Row, result: Result) -> Grade:
    return level(touched(row), result.users)


def touched(row: Row) -> int:
    """Return how many users the bad version touched: by its answers, or by nobody's."""
    return max(row.bad.seen.users, row.bad.hurt or 0)


def _complexity(row: Row, result: Result) -> Grade:
    own = complexity(row)
    return None if own is None else level(own, known([complexity(each) for each in result.strategies]))


def _seconds(seconds: float | None) -> str:
    return "–" if seconds is None else f"{seconds:.1f} s"


COLUMNS = (
    Column(
        "no downtime", "no second in which nobody was answered, neither in the good rollout nor on the way back",
        _downtime, lambda row, _: f"{row.good.downtime:.1f} s and {row.command.downtime:.1f} s",
    ),
    Column(
        "real-traffic testing",
        f"at least {FEWEST_TESTED} requests of users, copies included, answered before all depend on it",
        _tested, lambda row, _: f"{row.good.tested_before + (row.good.copies or 0):,} requests",
    ),
    Column(
        "user targeting",
        "some users had the new version while others had the old, and none of them switched while the split stayed",
        _targets, _flips,
    ),
    Column(
        "infrastructure cost", "pod-seconds above the steady state, against the most of all strategies",
        _cost, lambda row, _: f"{row.good.pod_seconds:.0f} pod-seconds",
    ),
    Column(
        "rollback duration", "seconds from a person's command to all traffic back, against the longest",
        _rollback, lambda row, _: _seconds(row.command.back_seconds),
    ),
    Column(
        "negative user impact", "users whom the bad version answered, or whose request failed meanwhile, against all",
        _impact, lambda row, result: f"{touched(row)} of {result.users} users",
    ),
    Column(
        "complexity",
        "fields to be written beyond the strategy's name, plus components beside the operator, against the most",
        _complexity, lambda row, _: "–" if complexity(row) is None else f"{complexity(row)} fields and components",
    ),
)  # fmt: skip


def grades(result: Result) -> Mapping[str, tuple[Grade, ...]]:
    """Grade each strategy that was measured."""
    return {row.strategy: tuple(column.grade(row, result) for column in COLUMNS) for row in result.strategies}


def disagreements(result: Result) -> list[Disagreement]:
    """Return where the textbook and the measurement differ; what was not measured differs from nothing."""
    measured = grades(result)
    return [
        Disagreement(row.strategy, column.name, said, found, column.figure(row, result))
        for row in result.strategies
        for column, said, found in zip(COLUMNS, TEXTBOOK.get(row.strategy, ()), measured[row.strategy], strict=False)
        if found is not None and found != said
    ]
