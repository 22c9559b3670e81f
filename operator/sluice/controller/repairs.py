"""What was put back after somebody else had changed it, in words."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from sluice.core.plan import Event, EventType
from sluice.kube.api import Manifest
from sluice.kube.ownership import taken, writer
from sluice.resources.autoscaler import is_autoscaled

MOST_FIELDS = 3


@dataclass(frozen=True)
class Repair:
    """The event of a repair; `what` is the same whenever the same is put back again."""

    what: str
    event: Event


def repaired(manifest: Manifest, found: Manifest | None, *, made_again: Manifest | None = None) -> Repair | None:
    """Say what an apply has put back; None when it only did what the plan had changed.

    Args:
        manifest: what was applied.
        found: the object before, None when there was none.
        made_again: the object now, if it had gone since we last applied it.
    """
    name = _name(manifest)
    if made_again:
        meta = made_again["metadata"]  # one of two operators has made it, both have applied it
        about = f"{meta['uid']}/{meta['resourceVersion']}"
        return _repair(name, f"{name} was deleted, or had lost its labels: made again", about)
    fields = taken(_claimed(manifest, found), found) if found else ()
    if not fields:
        return None
    return _put_back(name, (field.manager for field in fields), {field.field: str(field) for field in fields})


def taken_out(found: Manifest, fields: Collection[str]) -> Repair:
    """Say which fields, that somebody had added to an object's spec, were taken out again."""
    managers = (writer(found["metadata"], "spec", field) or "" for field in fields)
    return _put_back(_name(found), managers, {field: f"spec.{field} removed" for field in fields})


def _claimed(manifest: Manifest, found: Manifest) -> Manifest:
    """Return what nobody else may write: an autoscaler was free to change the number of pods."""
    if not is_autoscaled(found):
        return manifest
    return manifest | {"spec": {key: value for key, value in manifest["spec"].items() if key != "replicas"}}


def _name(manifest: Manifest) -> str:
    return f"{manifest['kind']} {manifest['metadata']['name']}"


def _put_back(name: str, managers: Iterable[str], changes: Mapping[str, str]) -> Repair:
    """Name who it was, and the first few changes; `changes` has their words by field."""
    who = ", ".join(sorted(set(managers) - {""})) or "somebody"
    words = list(changes.values())
    more = f" and {len(words) - MOST_FIELDS} more" if len(words) > MOST_FIELDS else ""
    told = f"{name} was changed by {who}; put back: {', '.join(words[:MOST_FIELDS])}{more}"
    return _repair(" ".join((name, who, *changes)), told)


def _repair(what: str, message: str, about: str = "") -> Repair:
    return Repair(what, Event(EventType.WARNING, "Repaired", message, about))
