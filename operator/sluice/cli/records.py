"""RolloutRecords as people read them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sluice.cli import words
from sluice.cli.errors import CliError
from sluice.cli.pairs import PairsView, pairs

Object = Mapping[str, Any]


@dataclass(frozen=True)
class RolloutView:
    """One rollout; `seconds` and `finished` are None while it goes on, `pairs` where no requests were copied."""

    number: str
    record: str
    started: str
    finished: str | None
    seconds: float | None
    stable: str
    candidate: str
    revision: str
    strategy: str
    unit: str
    outcome: str
    cause: str
    message: str
    requests: int
    errors: int
    decisions: int
    dropped: int
    pairs: PairsView | None = None
    variants: tuple[str, ...] = ()


@dataclass(frozen=True)
class DecisionView:
    """One decision; `inputs` is what it was made from, for people."""

    number: int
    at: str
    rule: str
    reason: str
    message: str
    actor: str
    step: str
    weight: int
    verdict: str
    inputs: str
    warning: bool


def rollout(record: Object) -> RolloutView:
    """Read one record."""
    spec, status, name = record["spec"], record.get("status") or {}, record["metadata"]["name"]
    started, finished = words.moment(spec.get("startedAt")), words.moment(status.get("finishedAt"))
    evidence = status.get("evidence") or {}
    total, copied = evidence.get("total") or {}, evidence.get("pairs")
    return RolloutView(
        number=name.rpartition("-")[2],
        record=name,
        started=spec.get("startedAt", ""),
        finished=status.get("finishedAt"),
        seconds=(finished - started).total_seconds() if started and finished else None,
        stable=words.version(spec.get("stable")),
        candidate=words.version(spec["candidate"]),
        revision=spec["candidate"]["name"],
        strategy=spec.get("strategy", ""),
        unit=spec.get("unit") or "",
        outcome=status.get("outcome", "InProgress"),
        cause=status.get("cause") or "",
        message=status.get("message") or "",
        requests=total.get("candidateRequests", 0),
        errors=total.get("candidateErrors", 0),
        decisions=len(status.get("decisions", ())),
        dropped=status.get("dropped", 0),
        pairs=pairs(copied, status.get("disagreement") or {}) if copied else None,
        variants=_variants(spec, status),
    )


def _variants(spec: Object, status: Object) -> tuple[str, ...]:
    """Say of each version of an A/B test with variants what became of it."""
    versions = {one["revision"]["name"]: words.version(one["revision"]) for one in spec.get("variants") or ()}
    found = []
    for one in status.get("variants") or ():
        cause = f" ({one['cause']})" if one.get("cause") else ""
        said = one.get("statement") or one.get("message") or ""
        outcome = one.get("outcome", "InProgress")
        version = versions.get(one["revision"], one["revision"])
        found.append(f"{one['name']} {version}: {outcome}{cause}" + (f"; {said}" if said else ""))
    return tuple(found)


def decisions(record: Object) -> tuple[DecisionView, ...]:
    """Read the decisions of a record."""
    return tuple(_decision(one) for one in (record.get("status") or {}).get("decisions", ()))


def find(found: Sequence[Object], wanted: str | None) -> Object:
    """Return the record of this number or name; the last one if none is named.

    Raises:
        CliError: there is none such.
    """
    chosen = found[-1:] if wanted is None else [one for one in found if wanted in _names(one)][-1:]
    if not chosen:
        numbers = ", ".join(_names(one)[0] for one in found[-10:])
        raise CliError(f"there is no rollout {wanted}", f"There are: {numbers}")
    return chosen[0]


def clock(text: str | None) -> str:
    """Write a time of the API as local people read it: UTC, to the second."""
    then: datetime | None = words.moment(text)
    return f"{then:%Y-%m-%d %H:%M:%S}" if then else ""


def _names(record: Object) -> tuple[str, str]:
    name = record["metadata"]["name"]
    return name.rpartition("-")[2], name


def _decision(raw: Object) -> DecisionView:
    return DecisionView(
        number=raw["number"],
        at=raw["at"],
        rule=raw["rule"],
        reason=raw["reason"],
        message=raw["message"],
        actor=raw.get("actor") or "",
        step=raw.get("step") or "",
        weight=raw.get("weight", 0),
        verdict=raw.get("verdict") or "",
        inputs=_inputs(raw.get("inputs") or {}),
        warning=raw.get("warning", False),
    )


def _inputs(raw: Object) -> str:
    """Say what a decision was made from; what says nothing is left out."""
    parts = [f"asked for: {raw['wish']}"] if raw.get("wish") else []
    if raw.get("wanted"):
        parts.append(f"wanted {raw['wanted']}")
    wanted = raw.get("replicas", 0)
    parts.append(
        f"ready pods: stable {raw.get('stableReady', 0)}, candidate {raw.get('candidateReady', 0)} of {wanted}"
    )
    if pods := raw.get("servicePods"):
        mine, theirs = pods.get("candidate", 0), pods.get("stable", 0)
        parts.append(f"{mine} of the {mine + theirs} pods behind the Service are the candidate's")
    elif raw.get("liveWeight") is not None:
        parts.append(f"gateway gives the candidate {raw['liveWeight']} %")
    total = raw.get("total") or {}
    if total.get("stableRequests") or total.get("candidateRequests"):
        parts.append(f"errors: {_arm(total, 'stable')}, {_arm(total, 'candidate')}")
    if statement := (raw.get("disagreement") or {}).get("statement"):
        parts.append(statement)
    if statement := (raw.get("test") or {}).get("statement"):
        parts.append(f"{statement} (assigned: {raw['test']['unit']})")
    shares = [f"{name} {words.whole(raw[name])}" for name in ("harm", "safe") if raw.get(name) is not None]
    if shares:
        parts.append(f"proof: {', '.join(shares)}")
    standings = raw.get("metrics") or ()
    if len(standings) > 1:
        each = (f"{one['name']} {words.whole(one['harm'])}, {words.whole(one['safe'])}" for one in standings)
        parts.append(f"by metric (harm, safe): {'; '.join(each)}")
    if raw.get("unreachablePods"):
        parts.append(f"{raw['unreachablePods']} pods did not answer")
    return " · ".join(parts)


def _arm(counts: Object, arm: str) -> str:
    return f"{arm} {counts.get(f'{arm}Errors', 0)} of {counts.get(f'{arm}Requests', 0)}"
