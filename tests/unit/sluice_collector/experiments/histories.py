"""What happens in A/B tests, and an oracle that shares no code with the collector."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from sluice_collector.experiments.exposures import Exposure
from sluice_collector.experiments.outcomes import Kind, Outcome
from sluice_collector.experiments.sums import Results

NAME = "team-a/penguins-7"
OTHER = "team-b/other"
METRIC = "conversion"

News = Exposure | Outcome
Timed = tuple[float, News]


def unit(name: object) -> str:
    return hashlib.sha256(str(name).encode()).hexdigest()[:32]


def exposure(request: str = "r1", user: object = "ann", revision: str = "blue", experiment: str = NAME) -> Exposure:
    return Exposure(experiment, unit(user), revision, request)


def of_request(request: str = "r1", value: float = 1.0, metric: str = METRIC, experiment: str = NAME) -> Outcome:
    return Outcome(experiment, metric, value, ("request", request))


def of_user(user: object = "ann", value: float = 1.0, key: str = "", experiment: str = NAME) -> Outcome:
    return Outcome(experiment, METRIC, value, ("unit", unit(user)), key)


def history(seed: int, *, users: int, requests: int, experiments: Sequence[str] = (NAME, OTHER)) -> list[News]:
    """Exposures and outcomes in any order, with copies; some outcomes are of requests and users that never come."""
    chance = random.Random(seed)
    made: list[News] = []
    for experiment in experiments:
        for number in range(requests):
            user = chance.randrange(users)
            revision = ("blue", "green")[user % 2 if chance.random() < 0.9 else 1 - user % 2]
            if chance.random() < 0.9:
                made.append(exposure(f"r{number}", user, revision, experiment))
            while chance.random() < 0.4:
                metric = METRIC if chance.random() < 0.8 else "revenue"
                value = chance.choice([1.0, 0.0, chance.gauss(0, 1e6), 10 ** chance.uniform(-9, 12)])
                if chance.random() < 0.5:
                    made.append(of_request(f"r{number}", value, metric, experiment))
                else:
                    subject: tuple[Kind, str] = ("unit", unit(user))
                    made.append(Outcome(experiment, metric, value, subject, str(chance.randrange(3))))
    made += chance.choices(made, k=len(made) // 3)
    chance.shuffle(made)
    return made


@dataclass
class _Version:
    units: int = 0
    crossed: int = 0
    values: list[Fraction] | None = None


def oracle(
    heard: Iterable[Timed],
    now: float,
    *,
    window: float,
    experiment: str = NAME,
    metric: str = METRIC,
    mean: bool = False,
    patience: float = float("inf"),
) -> dict[str, tuple[int, int, float, float, int]]:
    """Looks through all that was heard for each unit.

    An outcome that came `patience` seconds before its exposure is gone by then, so that a later copy is new.
    """
    heard = [(at, news) for at, news in heard if news.experiment == experiment]
    exposures: list[tuple[float, Exposure]] = []
    for at, news in heard:
        if isinstance(news, Exposure) and all(news.request != other.request for _, other in exposures):
            exposures.append((at, news))
    outcomes = [(at, news) for at, news in heard if isinstance(news, Outcome) and news.metric == metric]
    versions: dict[str, _Version] = {}
    for user in dict.fromkeys(one.unit for _, one in exposures):
        mine = [(at, one) for at, one in exposures if one.unit == user]
        first, revision = mine[0][0], mine[0][1].revision
        version = versions.setdefault(revision, _Version(values=[]))
        version.units += 1
        version.crossed += any(one.revision != revision for _, one in mine)
        if not first + window < now:
            continue
        known = {("request", one.request): at for at, one in mine} | {("unit", user): first}
        values: list[Fraction] = []
        for subject, since in known.items():
            for key in {one.key if subject[0] == "unit" else "" for _, one in outcomes if one.subject == subject}:
                copies = [
                    (at, one.value)
                    for at, one in outcomes
                    if one.subject == subject and (subject[0] == "request" or one.key == key)
                ]
                while copies and since - copies[0][0] > patience:
                    copies = [(at, value) for at, value in copies if at - copies[0][0] > patience]
                if copies and copies[0][0] <= first + window:
                    values.append(Fraction(copies[0][1]))
        assert version.values is not None
        if values or not mean:
            version.values.append(sum(values, Fraction()) / (len(values) if mean else 1))
    return {
        revision: (
            one.units,
            len(one.values or ()),
            float(sum(one.values or ())),
            float(sum(value * value for value in one.values or ())),
            one.crossed,
        )
        for revision, one in versions.items()
    }


def comparable(results: Results | dict[str, Any]) -> dict[str, tuple[int, int, float, float, int]]:
    """What the collector says, in the oracle's form."""
    if isinstance(results, dict):
        found = {revision: dict(version) for revision, version in results["versions"].items()}
    else:
        found = {revision: dict(vars(version)) for revision, version in results.versions.items()}
    return {
        revision: (one["units"], one["matured"], one["total"], one["squares"], one["crossed"])
        for revision, one in found.items()
    }


def close(found: Mapping[str, tuple[float, ...]], expected: Mapping[str, tuple[float, ...]]) -> bool:
    """Whether counts are the same, and sums but for the last digits of what they are made of."""
    if found.keys() != expected.keys():
        return False
    for revision, (units, matured, total, squares, crossed) in expected.items():
        ours = found[revision]
        size = max(1.0, squares) ** 0.5 * max(1, matured) ** 0.5  # of the absolute values' sum, at most
        if (ours[0], ours[1], ours[4]) != (units, matured, crossed):
            return False
        if abs(ours[2] - total) > 1e-12 * size or abs(ours[3] - squares) > 1e-12 * max(1.0, squares):
            return False
    return True
