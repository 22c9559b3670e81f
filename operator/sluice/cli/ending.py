"""Says when and how a rollout has ended, for CI. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sluice.cli import words
from sluice.cli.errors import Exit
from sluice.cli.states import condition
from sluice.cli.variants import further
from sluice.cli.view import rejected_entries

Object = Mapping[str, Any]


@dataclass(frozen=True)
class Ending:
    """How it ended: an exit code and a sentence."""

    code: Exit
    text: str


def ending(raw: Object, followed: str | None, version: str | None) -> Ending | None:
    """Say how the rollout has ended, None while it has not.

    Args:
        raw: the ModelDeployment.
        followed: the revision that was the candidate when last looked, None when there was none.
        version: the model version that is waited for, None: whatever is rolled out.
    """
    status = raw.get("status") or {}
    if status.get("observedGeneration", 0) < raw["metadata"].get("generation", 1):
        return None  # what it says is of an earlier spec
    rollout = status.get("rollout")
    if rollout and (version is None or version in versions_of(rollout)):
        return _held(raw, rollout)
    if version is not None:
        return _of_version(status, version, followed)
    return _of_any(status, followed)


def versions_of(rollout: Object) -> set[str]:
    """Return the model versions that a rollout is about: of an A/B test there may be several."""
    return {str(one["revision"]["modelVersion"]) for one in (rollout, *further(rollout))}


def followed_now(raw: Object) -> str | None:
    """Return the candidate's revision."""
    rollout = (raw.get("status") or {}).get("rollout")
    name: str | None = rollout["revision"]["name"] if rollout else None
    return name


def _held(raw: Object, rollout: Object) -> Ending | None:
    status = raw["status"]
    name = words.version(rollout["revision"])
    if rollout.get("inconclusive"):
        return Ending(Exit.WAITS_FOR_A_PERSON, f"{name} is inconclusive: {status.get('message', '')}")
    if condition(status, "Paused").get("reason") == "AwaitingPromotion":
        return Ending(Exit.WAITS_FOR_A_PERSON, f"{name} waits for promotion: {status.get('message', '')}")
    if condition(status, "Paused").get("reason") == "PausedByUser":
        return Ending(Exit.WAITS_FOR_A_PERSON, f"{name} is paused: {status.get('message', '')}")
    return None


def _of_any(status: Object, followed: str | None) -> Ending | None:
    stable, message = status.get("stable") or {}, status.get("message", "")
    if followed and stable.get("name") == followed:
        return Ending(Exit.DONE, f"{words.version(stable)} was promoted")
    rejected = [one for one in rejected_entries(status) if one["revision"]["name"] == followed]
    if rejected:
        return _rejected(rejected[-1])
    if status.get("verdict") in ("Failed", "NoWinner"):
        return Ending(Exit.FAILED, message)
    if status.get("verdict") == "Winner":
        return Ending(Exit.WAITS_FOR_A_PERSON, message)
    if not stable or status.get("verdict") == "Error":
        return None  # nothing can be said before the registry answers, or before the first install begins
    return Ending(Exit.DONE, f"no rollout is going on: {message}")


def _of_version(status: Object, version: str, followed: str | None) -> Ending | None:
    rejected = [one for one in rejected_entries(status) if one["revision"]["modelVersion"] == version]
    stable = status.get("stable") or {}
    if rejected:
        return _rejected(rejected[-1])
    if stable.get("modelVersion") == version:
        return Ending(Exit.DONE, f"{words.version(stable)} was promoted")
    if followed:
        return Ending(Exit.FAILED, f"version {version} is no longer rolled out: {status.get('message', '')}")
    return None


def _rejected(entry: Object) -> Ending:
    if entry["reason"] == "NoWinner":
        return Ending(Exit.FAILED, f"{words.version(entry['revision'])} did not win its test: {entry['message']}")
    if entry["reason"] == "Winner":
        text = f"{words.version(entry['revision'])} has won its test and waits for promotion: {entry['message']}"
        return Ending(Exit.WAITS_FOR_A_PERSON, text)
    why = f"{entry['reason']}: {entry['message']}"
    return Ending(Exit.FAILED, f"{words.version(entry['revision'])} was rolled back: {why}")
