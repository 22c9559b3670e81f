"""Events for what is no decision: what went wrong around a rollout, or waits, and that it is over; once each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sluice.api.spec import ModelDeploymentSpec
from sluice.api.status import Condition, ConditionStatus, ModelDeploymentStatus
from sluice.core import identified
from sluice.core.moves import normal, warning
from sluice.core.plan import Event

# The decision itself tells of the first two; pods are missing whenever somebody scales up.
_UNTOLD = ("RolledBack", "Inconclusive", "MissingPods")


def announcements(
    before: ModelDeploymentStatus, after: ModelDeploymentStatus, spec: ModelDeploymentSpec
) -> tuple[Event, ...]:
    """Return an event for each thing that has begun or ended between two statuses."""
    old, new = _conditions(before), _conditions(after)
    return (
        *_problem(old, new, "Degraded", ConditionStatus.TRUE),
        *_problem(old, new, "Progressing", ConditionStatus.UNKNOWN),
        *(_pause(old, new, ongoing=after.rollout is not None) if after.stable else ()),
        *_without_id(before, after, spec),
        *_written_back(before, after),
    )


def _problem(
    old: Mapping[str, Condition], new: Mapping[str, Condition], kind: str, bad: ConditionStatus
) -> Iterator[Event]:
    was, now = _reason(old, kind, bad), _reason(new, kind, bad)
    if now and now != was:
        yield warning(now, new[kind].message)
    elif was and not now:
        yield normal("Recovered", f"no more {was}: {new['Ready'].message}")


def _pause(old: Mapping[str, Condition], new: Mapping[str, Condition], *, ongoing: bool) -> Iterator[Event]:
    was, now = (_reason(found, "Paused", ConditionStatus.TRUE) for found in (old, new))
    if now and now != was:
        yield normal(now, new["Progressing"].message)
    elif was in ("PausedByUser", "ScaledToZero") and not now and ongoing:
        yield normal("Resumed", new["Progressing"].message)


def _without_id(
    before: ModelDeploymentStatus, after: ModelDeploymentStatus, spec: ModelDeploymentSpec
) -> Iterator[Event]:
    """Tell once in a rollout that many requests do not say whose they are."""
    old, new = before.rollout, after.rollout
    told = old and new and old.started_at == new.started_at and old.evidence.identified
    if not (told and told.notable) and (said := identified.said(spec, new)):
        yield warning("RequestsWithoutId", f"{said}; let whoever asks send it")


def _written_back(before: ModelDeploymentStatus, after: ModelDeploymentStatus) -> Iterator[Event]:
    if after.promoted_alias and after.promoted_alias != before.promoted_alias:
        yield normal("AliasMoved", f"the alias {after.promoted_alias.partition('@')[0]} names {after.model} now")


def _reason(found: Mapping[str, Condition], kind: str, status: ConditionStatus) -> str | None:
    condition = found.get(kind)
    if condition is None or condition.status is not status or condition.reason in _UNTOLD:
        return None
    return condition.reason


def _conditions(status: ModelDeploymentStatus) -> Mapping[str, Condition]:
    return {condition.type: condition for condition in status.conditions}
