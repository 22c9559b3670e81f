"""How a ModelDeployment is, in a few words. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

Object = Mapping[str, Any]
Said = tuple[str, "Tone"]


class Tone(StrEnum):
    """How a state feels to somebody on call."""

    GOOD = "good"
    BUSY = "busy"
    WAITS = "waits"
    BAD = "bad"


def state_of(raw: Object) -> Said:
    """Say in a few words how a ModelDeployment is."""
    return next(_states(raw, raw.get("status") or {}))


def condition(status: Object, kind: str) -> Object:
    """Return a condition, empty when it is not there."""
    return next((one for one in status.get("conditions", ()) if one["type"] == kind), {})


def _states(raw: Object, status: Object) -> Iterator[Said]:
    """Yield what is true of it, the gravest first."""
    if "deletionTimestamp" in raw["metadata"]:
        yield "Being deleted", Tone.BUSY
    if not status.get("observedGeneration"):
        yield "Not seen by the operator yet", Tone.WAITS
    available, degraded = condition(status, "Available"), condition(status, "Degraded")
    installed = "stable" in status
    if available.get("reason") == "Recreating":
        yield "Recreating: no version serves", Tone.BUSY
    if installed and available.get("status") == "False" and available.get("reason") != "ScaledToZero":
        yield f"Not available: {available.get('reason')}", Tone.BAD
    if rollout := status.get("rollout"):
        yield from _rollout(raw["spec"], status, rollout)
    if degraded.get("status") == "True" and degraded.get("reason") != "RolledBack":
        yield f"Degraded: {degraded.get('reason')}", Tone.BAD
    if status.get("verdict") == "Failed":
        yield "Rolled back", Tone.BAD
    if status.get("verdict") == "NoWinner":
        yield "Serving: the test had no winner", Tone.GOOD
    if status.get("verdict") == "Winner":
        yield "Won its test: waits for promotion", Tone.WAITS
    reason = condition(status, "Progressing").get("reason", "unknown")
    if not installed:
        yield f"Waiting: {reason}", Tone.WAITS
    if status.get("verdict") == "Error":
        yield f"Serving, but {reason}", Tone.WAITS
    if available.get("reason") == "ScaledToZero":
        yield "Scaled to zero", Tone.GOOD
    yield "Serving", Tone.GOOD


def _rollout(spec: Object, status: Object, rollout: Object) -> Iterator[Said]:
    """Yield what is true of a rollout, ended by what is true of any."""
    if "stable" not in status:
        yield "Installing", Tone.BUSY
    if rollout.get("inconclusive"):
        yield "Inconclusive: waits for a person", Tone.WAITS
    if spec.get("paused"):
        yield "Paused", Tone.WAITS
    if condition(status, "Paused").get("reason") == "AwaitingPromotion":
        yield "Waits for promotion", Tone.WAITS
    if status.get("verdict") == "Error":
        yield f"Held: {condition(status, 'Progressing').get('reason', 'an error')}", Tone.WAITS
    if rollout.get("direct"):
        yield "Moving all traffic", Tone.BUSY
    yield "Rolling out", Tone.BUSY
