"""Requests that both versions have answered, as people read them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Object = Mapping[str, Any]


@dataclass(frozen=True)
class FlipView:
    """How often stable said one class, and the candidate another."""

    stable: str
    candidate: str
    count: int


@dataclass(frozen=True)
class ClassesView:
    """Rows with a class; `flips` are the most frequent of those that changed."""

    rows: int
    changed: int
    unknown: int
    flips: tuple[FlipView, ...]


@dataclass(frozen=True)
class NumbersView:
    """Rows with a number: the candidate's less stable's; sizes are without their sign."""

    rows: int
    mean: float
    mean_size: float
    largest: float


@dataclass(frozen=True)
class DurationView:
    """How long one side's answers took, in seconds."""

    mean: float
    p50: float
    p99: float


@dataclass(frozen=True)
class PairsView:
    """Requests that both versions have answered, and how the answers differ; bounds hold at any time.

    What the operator does not say, or what there is none of, is None.
    """

    joined: int
    different: int
    candidate_failed: int
    stable_failed: int
    both_failed: int = 0
    at_least: float | None = None
    at_most: float | None = None
    statement: str = ""
    classes: ClassesView | None = None
    numbers: NumbersView | None = None
    stable: DurationView | None = None
    candidate: DurationView | None = None


def pairs(seen: Object, disagreement: Object) -> PairsView:
    """Read them from a status or a record."""
    durations = seen.get("durations") or {}
    return PairsView(
        joined=seen.get("joined", 0),
        different=seen.get("different", 0),
        candidate_failed=seen.get("candidateFailed", 0),
        stable_failed=seen.get("stableFailed", 0),
        both_failed=seen.get("bothFailed", 0),
        at_least=disagreement.get("atLeast"),
        at_most=disagreement.get("atMost"),
        statement=disagreement.get("statement", ""),
        classes=_classes(seen["classes"]) if seen.get("classes") else None,
        numbers=_numbers(seen["numbers"]) if seen.get("numbers") else None,
        stable=_duration(durations["stable"]) if durations else None,
        candidate=_duration(durations["candidate"]) if durations else None,
    )


def details(seen: PairsView) -> tuple[tuple[str, str], ...]:
    """Say in what answers differ: what is compared, and how."""
    found = []
    if seen.classes:
        found.append(("classes", _flips(seen.classes)))
    if numbers := seen.numbers:
        sizes = f"mean size {_number(numbers.mean_size)}, largest {_number(numbers.largest)}"
        less = f"candidate less stable: mean {_number(numbers.mean)}, {sizes} ({numbers.rows:,} rows)"
        found.append(("numbers", less))
    if seen.stable and seen.candidate:
        each = (f"{side} {_seconds(one.p50)}, {_seconds(one.p99)}"
                for side, one in (("stable", seen.stable), ("candidate", seen.candidate)))  # fmt: skip
        found.append(("p50, p99", " · ".join(each)))
    return tuple(found)


def _flips(seen: ClassesView) -> str:
    others = seen.changed - sum(one.count for one in seen.flips)
    parts = [f"{one.stable} → {one.candidate} {one.count:,}" for one in seen.flips]
    parts += [f"others {others:,}"] if others else []
    parts += [f"beyond the first 20 classes {seen.unknown:,}"] if seen.unknown else []
    return f"{' · '.join(parts) or 'all the same'} ({seen.rows:,} rows)"


def _number(value: float) -> str:
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e15 else f"{value + 0.0:.3g}"


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 1 else f"{1000 * value:.3g} ms"


def _classes(seen: Object) -> ClassesView:
    flips = tuple(FlipView(one["stable"], one["candidate"], one["count"]) for one in seen.get("flips", ()))
    return ClassesView(seen["rows"], seen.get("changed", 0), seen.get("unknown", 0), flips)


def _numbers(seen: Object) -> NumbersView:
    return NumbersView(seen["rows"], seen["mean"], seen["meanSize"], seen["largest"])


def _duration(seen: Object) -> DurationView:
    return DurationView(seen["mean"], seen["p50"], seen["p99"])
