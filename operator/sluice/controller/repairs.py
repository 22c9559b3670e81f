"""What was put back after somebody else had changed it, in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sluice.core.plan import Event, EventType
from sluice.kube.api import Manifest
from sluice.kube.ownership import taken

MOST_FIELDS = 3


@dataclass(frozen=True)
class Repair:
    """The event of a repair; `what` is the same whenever the same is put back again."""

    what: str
    event: Event


def repaired(manifest: Manifest, found: Manifest | None, *, added: Iterable[str], made_again: bool) -> Repair | None:
    """Say what an apply has put back; None when it only did what the plan had changed.

    Args:
        manifest: what was applied.
        found: the object before, None when there was none.
        added: fields of the spec that were taken out again.
        made_again: it was there when we last applied it.
    """
    name = f"{manifest['kind']} {manifest['metadata']['name']}"
    if made_again:
        return _repair(name, f"{name} was deleted, or had lost its labels: made again")
    fields = taken(manifest, found) if found else ()
    managers = ", ".join(sorted({field.manager for field in fields})) or "somebody"
    changes = [str(field) for field in fields] + [f"spec.{key} removed" for key in added]
    if not changes:
        return None
    more = f" and {len(changes) - MOST_FIELDS} more" if len(changes) > MOST_FIELDS else ""
    what = " ".join((name, managers, *(field.field for field in fields), *added))
    return _repair(what, f"{name} was changed by {managers}; put back: {', '.join(changes[:MOST_FIELDS])}{more}")


def _repair(what: str, message: str) -> Repair:
    return Repair(what, Event(EventType.WARNING, "Repaired", message))
