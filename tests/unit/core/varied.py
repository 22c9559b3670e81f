"""Moments of A/B tests with variants, built with verbs: who is in it, and how many converted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

from sluice.api.record import Evidence, VariantRecord
from sluice.core import observation
from sluice.core.observation import ResolvedModel, Units, Unresolved

from tests.unit.core.moments import NOW, SERVING, ZERO, Moment, model, name
from tests.unit.core.tested import HOUR, converted

LARGE: dict[str, Any] = {"name": "large", "model": {"uri": "models:/penguins@large"}, "weight": 20}
SMALL: dict[str, Any] = {"name": "small", "model": {"uri": "models:/penguins@small"}, "weight": 10}
WANTS: dict[str, Any] = {
    "primary": {"metric": "conversion"}, "minDuration": "1h", "maxDuration": "10h", "weight": 30,
}  # fmt: skip
AWAY = Unresolved("AliasNotFound", "there is no alias large: set it")


def wanting(*versions: str | None, spec: Mapping[str, Any] | None = None, **wants: Any) -> Moment:
    """Stable is 1; the candidate and the variants name these versions, None: nothing."""
    tested = [LARGE, SMALL][: len(versions) - 1]
    moment = SERVING.edited(strategy={"abTest": WANTS | {"variants": tested} | wants}, **(spec or {}))
    found: dict[str, ResolvedModel | Unresolved] = {
        one["name"]: model(number) if number else AWAY for one, number in zip(tested, versions[1:], strict=True)
    }
    first = moment.wanting(versions[0]) if versions[0] else replace(moment, model=AWAY)
    return replace(first, variants=found)


def at(step: int, *versions: str, live: bool = True, age: float = 2 * HOUR, **wants: Any) -> Moment:
    """A test of the candidate and one or two variants, with all of their pods; nobody was dropped yet."""
    asked = wanting(*versions, **wants)
    begun = asked.next()
    assert begun.status.rollout
    began = NOW - timedelta(seconds=age)
    chosen = begun.status.rollout.variants
    weight = chosen[0].weight if live else 0
    moment = asked.rolling_out(versions[0], step=step, weight=weight, age=age, variants=chosen)
    shares = {one.revision.name: one.weight for one in chosen} if live else {}
    route = observation.RouteState({name("1"): 100 - sum(shares.values()), **shares}, accepted=True, settled=True)
    for version in versions[1:]:
        moment = moment.running(version, 4)
    evidence = Evidence.model_validate(
        {"cursors": {p.uid: ZERO for _, pods in moment.pods for p in pods}, "since": began,
         "weightSince": began if live else None}
    )  # fmt: skip
    assert moment.record
    kept = tuple(VariantRecord(name=one.name, revision=one.revision.name, evidence=evidence) for one in chosen[1:])
    status = moment.record.status.model_copy(update={"evidence": evidence, "variants": kept})
    record = moment.record.model_copy(update={"status": status})
    return replace(moment, route=route, record=record, test=observation.TestResults({}))


def results(moment: Moment, **more: Any) -> Moment:
    """Who converted, by version: `v1=(400, 4000)`."""
    units = {key: value for key, value in more.items() if key.startswith("v")}
    found = {name(key[1:]): value if isinstance(value, Units) else converted(*value) for key, value in units.items()}
    rest = {key: value for key, value in more.items() if key not in units}
    return replace(moment, test=observation.TestResults(found, **rest))


def safe(moment: Moment, **errors: int) -> Moment:
    """All have answered as many requests as their weights say, some of them with errors."""
    rollout = moment.status.rollout
    assert rollout
    shares = {one.revision.model_version: one.weight for one in rollout.variants}
    counts = {version: (100 * share, errors.get(f"v{version}", 0)) for version, share in shares.items()}
    return moment.counting({"1": (100 * (100 - sum(shares.values())), 0)} | counts)


def even(moment: Moment) -> Moment:
    return safe(results(moment, v1=(500, 5000), v2=(300, 3000), v3=(200, 2000)))


def best(moment: Moment) -> Moment:
    return safe(results(moment, v1=(500, 5000), v2=(450, 3000), v3=(500, 2000)))


START, LIVE, HOLD = at(0, "2", "3", live=False, age=5), at(1, "2", "3"), at(1, "2", "3", onWinner="Hold")
LATE = at(1, "2", "3", age=10 * HOUR + 1)


def promoted(moment: Moment) -> Moment:
    """Let the winner have all traffic and become stable."""
    for _ in range(6):
        moment = moment.next()
        rollout = moment.status.rollout
        if rollout is None:
            return moment
        shares = {name("1"): 100 - rollout.weight, rollout.revision.name: rollout.weight}
        route = observation.RouteState({n: s for n, s in shares.items() if s}, accepted=True, settled=True)
        moment = replace(moment, route=route)
    raise AssertionError(moment.outcome.message)
