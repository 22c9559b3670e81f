"""Which revision an action means, from what is seen; or why there is nothing to act on. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sluice.cli import names, words
from sluice.cli.errors import CliError, Exit
from sluice.cli.variants import further, name_in_test
from sluice.cli.view import rejected_entries

Object = Mapping[str, Any]


def candidate(raw: Object, action: str, wanted: str | None) -> str:
    """Return the candidate's revision.

    Raises:
        CliError: nothing is rolled out, or another revision than the wanted one; says what is going on instead.
    """
    status = raw.get("status") or {}
    rollout = status.get("rollout")
    if not rollout:
        raise _nothing(raw, status, action)
    revision = rollout["revision"]
    if "stable" not in status:
        raise CliError(
            f"nothing to {action}: {words.version(revision)} is the first version and goes live when it is ready",
            f"{status.get('message', '')}\n{_look(raw)}", Exit.FAILED,
        )  # fmt: skip
    for one in further(rollout):
        if wanted in (*named(one["revision"]), one["name"]):
            return str(one["revision"]["name"])
    if wanted and wanted == name_in_test(rollout):
        return str(revision["name"])
    return _same(raw, revision, wanted)


def to_promote(raw: Object, wanted: str | None) -> str:
    """Return the candidate's revision, or the one that has won its test and was not promoted.

    Raises:
        CliError: there is neither, or another one than the wanted one.
    """
    status = raw.get("status") or {}
    won = [entry["revision"] for entry in rejected_entries(status) if entry["reason"] == "Winner"]
    if won and status.get("verdict") == "Winner" and not status.get("rollout"):
        return _same(raw, next((one for one in won if wanted in named(one)), won[-1]), wanted)
    return candidate(raw, "promote", wanted)


def to_retry(raw: Object, wanted: str | None) -> str:
    """Return the revision to try again: the candidate, or else the one that was rejected last.

    Raises:
        CliError: there is neither.
    """
    status = raw.get("status") or {}
    rejected = {entry["revision"]["name"]: entry["revision"] for entry in rejected_entries(status)}
    if wanted in rejected:
        return str(wanted)
    if rollout := status.get("rollout"):
        return _same(raw, rollout["revision"], wanted)
    if not rejected or wanted:
        known = ", ".join(f"{name} ({words.version(one)})" for name, one in rejected.items())
        reason = f"revision {wanted} was not rolled back" if wanted else "nothing was rolled back"
        more = f"; what was: {known}" if known else ""
        raise CliError(f"nothing to retry: {reason}{more}", f"{status.get('message', '')}\n{_look(raw)}", Exit.FAILED)
    return str(list(rejected)[-1])


def to_roll_back_to(raw: Object, wanted: str | None) -> str:
    """Return the earlier revision to go back to: the one named by hash or version, or else the latest stable one.

    Raises:
        CliError: there is none such; names those that are kept.
    """
    status = raw.get("status") or {}
    kept = [entry for entry in reversed(status.get("retired", ())) if entry.get("wasStable", True)]
    if wanted is None and kept:
        return str(kept[0]["revision"]["name"])
    for entry in kept:
        if wanted in named(entry["revision"]):
            return str(entry["revision"]["name"])
    known = "\n".join(f"  --to {one['revision']['name']}  {words.version(one['revision'])}" for one in kept)
    stable = status.get("stable")
    if stable and wanted in named(stable):
        text = f"{words.version(stable)} is the stable version"
        hint = "To take the candidate away: kubectl sluice abort" if status.get("rollout") else "It serves all traffic."
        raise CliError(text, hint, Exit.FAILED)
    if not kept:
        raise CliError("there is no earlier revision to go back to", _history(raw), Exit.FAILED)
    raise CliError(f"{wanted} is not kept, or was never stable", f"Kept:\n{known}\n{_history(raw)}", Exit.FAILED)


def named(revision: Object) -> tuple[str, ...]:
    """Return the names by which people mean a revision."""
    return revision["name"], revision["modelVersion"], words.version(revision)


def _same(raw: Object, revision: Object, wanted: str | None) -> str:
    if wanted is not None and wanted not in named(revision):
        raise CliError(
            f"the candidate is {words.version(revision)} (revision {revision['name']}), not {wanted}: nothing done",
            _look(raw), Exit.FAILED,
        )  # fmt: skip
    return str(revision["name"])


def _nothing(raw: Object, status: Object, action: str) -> CliError:
    happening = status.get("message") or f"the operator has not looked at this {names.KIND} yet"
    return CliError(f"nothing to {action}: no rollout is going on", f"{happening}\n{_look(raw)}", Exit.FAILED)


def _look(raw: Object) -> str:
    meta = raw["metadata"]
    return f"Look: kubectl sluice status {meta['name']} -n {meta['namespace']}"


def _history(raw: Object) -> str:
    meta = raw["metadata"]
    return f"What was rolled out: kubectl sluice history {meta['name']} -n {meta['namespace']}"
