"""Answers to work with, and an oracle that shares no code with the collector."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from flask.testing import FlaskClient
from sluice_collector.answers import Answer, Side
from sluice_collector.app import create_app
from sluice_collector.database import Database
from sluice_collector.experiments.ledger import Experiments
from sluice_collector.experiments.ledger import Limits as ExperimentLimits
from sluice_collector.experiments.retention import Retention
from sluice_collector.ledger import Ledger, Limits
from sluice_collector.metrics import Metrics
from sluice_collector.settings import Settings
from sluice_collector.tables import METADATA
from sqlalchemy import delete

NAME = "team-a/penguins-7"
PATIENCE_SECONDS = 300
"""With a database on a machine that others keep busy."""


@dataclass
class Clock:
    now: float = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class World:
    url: str
    limits: Limits = field(default_factory=Limits)
    bounds: ExperimentLimits = field(default_factory=ExperimentLimits)
    clock: Clock = field(default_factory=Clock)
    _databases: list[Database] = field(default_factory=list)

    def open(self) -> Ledger:
        """As one process more opens it."""
        return Ledger(self._database(), self.limits, clock=self.clock)

    def experiments(self) -> Experiments:
        """As one process more has them."""
        return Experiments(self._database(), self.bounds, clock=self.clock)

    def retention(self) -> Retention:
        """As one process more does it."""
        return Retention(self._database(), self.bounds, clock=self.clock)

    def client(self, metrics: Metrics | None = None) -> FlaskClient:
        """Asks one process more."""
        return create_app(self.open(), self.experiments(), self.retention(), metrics or Metrics()).test_client()

    def _database(self) -> Database:
        settings = Settings.model_validate({"database_url": self.url})
        database = Database(settings.database_url.get_secret_value(), connections=4, patience=PATIENCE_SECONDS)
        self._databases.append(database)
        return database

    def clear(self) -> None:
        """Forgets everything."""
        with self._databases[0].writing() as connection:
            for table in METADATA.tables.values():
                connection.execute(delete(table))

    def close(self) -> None:
        for database in self._databases:
            database.close()


def answer(request: str = "r1", side: Side = "stable", *predictions: Any, **fields: Any) -> Answer:
    given: dict[str, Any] = {
        "comparison": NAME, "status": 200, "seconds": 0.01, "predictions": predictions or ("Adelie",)
    }  # fmt: skip
    return Answer(request=request, side=side, **given | fields)


def both(request: str, stable: Any, candidate: Any) -> list[Answer]:
    return [answer(request, "stable", stable), answer(request, "candidate", candidate)]


def stream(seed: int, requests: int) -> list[Answer]:
    """Answers of two comparisons in any order, with all that can happen to them; some never come."""
    chance = random.Random(seed)
    made = []
    for number in range(requests):
        comparison = chance.choice([NAME, "team-b/other"])
        label = chance.choice("abc")
        value: str | float = label if chance.random() < 0.5 else chance.gauss(0, 10)
        sides: tuple[Side, Side] = ("stable", "candidate")
        for side in sides:
            if chance.random() < 0.2:
                value = chance.choice("abc") if isinstance(value, str) else value + chance.random()
            status = chance.choices([200, 500, 422], [90, 6, 4])[0]
            one = answer(
                f"r{number}", side, value, comparison=comparison, status=status, seconds=chance.expovariate(20)
            )
            if chance.random() < 0.95:
                made.append(one if status == 200 else replace(one, predictions=None))
    chance.shuffle(made)
    return made


def in_batches(answers: Sequence[Answer], size: int) -> Iterable[Sequence[Answer]]:
    return [answers[at : at + size] for at in range(0, len(answers), size)]


def oracle(answers: Iterable[Answer], comparison: str = NAME) -> dict[str, Any]:
    """Joins with plain dicts what was sent in any order, the first of each key, and counts it."""
    heard: dict[str, dict[str, Answer]] = {}
    for one in answers:
        if one.comparison == comparison:
            heard.setdefault(one.request, {}).setdefault(one.side, one)
    counts: Counter[str] = Counter()
    classes: Counter[tuple[str, str]] = Counter()
    deltas: list[Fraction] = []
    for sides in heard.values():
        if len(sides) < 2:
            continue
        s, c = sides["stable"], sides["candidate"]
        if s.status // 100 == 4 and c.status // 100 == 4:
            continue
        counts["pairs"] += 1
        counts["stableErrors"] += s.status >= 500
        counts["candidateErrors"] += c.status >= 500
        counts["bothFailed"] += s.status >= 500 and c.status >= 500
        if s.status >= 500 and c.status >= 500:
            continue
        if s.status >= 400 or c.status >= 400:
            counts["disagreements"] += 1
            continue
        assert s.predictions is not None
        assert c.predictions is not None
        counts["disagreements"] += any(
            _differ(a, b, s.tolerance) for a, b in zip(s.predictions, c.predictions, strict=True)
        )
        for a, b in zip(s.predictions, c.predictions, strict=True):
            if isinstance(a, float) and isinstance(b, float):
                deltas.append(Fraction(b - a))
            elif isinstance(a, str) and isinstance(b, str):
                classes[a, b] += 1
    return {
        **{name: counts[name] for name in ("pairs", "disagreements", "stableErrors", "candidateErrors", "bothFailed")},
        "classes": dict(classes),
        "deltas": (len(deltas), float(sum(deltas) / len(deltas)) if deltas else 0.0),
    }


def _differ(a: Any, b: Any, tolerance: float) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return abs(a - b) > tolerance * max(1, abs(a), abs(b))
    return bool(a != b)


def comparable(shown: dict[str, Any]) -> dict[str, Any]:
    """What the collector answers, in the oracle's form."""
    return {
        **{name: shown[name] for name in ("pairs", "disagreements", "stableErrors", "candidateErrors", "bothFailed")},
        "classes": {(one["stable"], one["candidate"]): one["count"] for one in shown["classes"]},
        "deltas": (shown["numeric"]["count"], shown["numeric"]["meanDelta"]),
    }
