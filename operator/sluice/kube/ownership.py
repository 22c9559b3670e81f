"""Who has taken which of our fields: reads `managedFields`, the API server's own book about it. Pure.

A field that we have applied is ours until somebody else writes another value; then it is his. So what is his now, and
what we want differently, is a hand edit, also when another process of ours applied it; a change of our own mind never
looks like one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sluice.resources.differences import differences
from sluice.resources.naming import FIELD_MANAGER

_MISSING = object()
_ZERO: tuple[Any, ...] = (0, False, "")
_META = ("labels", "annotations", "ownerReferences", "finalizers")
_LONGEST = 40


@dataclass(frozen=True)
class Taken:
    """One field that somebody else has changed."""

    manager: str
    field: str
    value: str
    wanted: str

    def __str__(self) -> str:
        """Say it in a few words."""
        return f"{self.field} {self.value} -> {self.wanted}"


def taken(desired: Mapping[str, Any], live: Mapping[str, Any]) -> tuple[Taken, ...]:
    """Return the fields of `desired` that others have taken and changed, by their names.

    Args:
        desired: what we are about to apply.
        live: the object as the API server has it, with its managedFields.
    """
    entries = [entry for entry in live.get("metadata", {}).get("managedFields") or () if not entry.get("subresource")]
    scaled = [e for e in live.get("metadata", {}).get("managedFields") or () if e.get("subresource") == "scale"]
    ours: dict[str, Any] = {}
    for entry in entries:
        if entry.get("manager") == FIELD_MANAGER:
            ours = entry.get("fieldsV1") or {}
    found = [
        Taken(str(entry.get("manager")), path, _short(value), _short(wanted))
        for entry in (*entries, *scaled)
        if entry.get("manager") != FIELD_MANAGER
        for path, value, wanted in _taken("", entry.get("fieldsV1") or {}, ours, desired, live)
    ]
    return tuple(found)


def holds(live: Mapping[str, Any], desired: Mapping[str, Any]) -> bool:
    """Say whether to apply `desired` would change nothing: we own just its fields, and all have their values.

    Where it is in doubt the answer is no: about a quantity that is written in another way, or a list that is owned as
    one and in which the API server has filled in something, or somebody wanted more once.

    Args:
        live: the object as the API server has it, with its managedFields.
        desired: what we might apply.
    """
    mine = [
        entry.get("fieldsV1") or {}
        for entry in live.get("metadata", {}).get("managedFields") or ()
        if (entry.get("manager"), entry.get("operation")) == (FIELD_MANAGER, "Apply") and not entry.get("subresource")
    ]
    if len(mine) != 1:
        return False
    meta = {key: value for key, value in desired["metadata"].items() if key in _META}
    rest = {key: value for key, value in desired.items() if key not in ("apiVersion", "kind", "metadata")}
    return _holds(mine[0], rest | ({"metadata": meta} if meta else {}), live)


def _holds(ours: Mapping[str, Any], wanted: Any, live: Any) -> bool:
    inner = ours.keys() - {"."}
    if not inner:
        return bool(wanted == live)
    if isinstance(wanted, Mapping):
        named = inner == {f"f:{key}" for key in wanted}
    else:
        named = isinstance(wanted, list) and len(wanted) == len(inner)
    return named and all(_held(key, ours[key], wanted, live) for key in inner)


def _held(key: str, ours: Mapping[str, Any], wanted: Any, live: Any) -> bool:
    value, found = _step(key, wanted), _step(key, live)
    if found is _MISSING:
        return value in _ZERO  # the API server leaves out a zero; had somebody taken it out, it would not be ours
    return value is not _MISSING and _holds(ours, value, found)


def owns(live: Mapping[str, Any], *path: str) -> bool:
    """Say whether we have applied a field and nobody has changed it since."""
    for entry in live["metadata"].get("managedFields") or ():
        if (entry.get("manager"), entry.get("operation")) == (FIELD_MANAGER, "Apply") and not entry.get("subresource"):
            fields = entry.get("fieldsV1") or {}
            for key in path:
                fields = fields.get(f"f:{key}") if fields is not None else None
            return fields is not None
    return False


def writer(metadata: Mapping[str, Any], *path: str) -> str | None:
    """Return the program that wrote a field last, None when nobody is known to have."""
    for entry in metadata.get("managedFields") or ():
        fields = entry.get("fieldsV1", {})
        for key in path:
            fields = fields.get(f"f:{key}") if fields else None
        if fields is not None:
            return str(entry.get("manager", ""))
    return None


def _taken(
    path: str, theirs: Mapping[str, Any], ours: Mapping[str, Any], desired: Any, live: Any
) -> Iterator[tuple[str, Any, Any]]:
    for key, inner in theirs.items():
        wanted, value, name = _step(key, desired), _step(key, live), _name(key)
        if wanted is _MISSING:
            continue
        where = f"{path}{name}" if name.startswith("[") else f"{path}.{name}".lstrip(".")
        if inner.keys() - {"."}:
            yield from _taken(where, inner, ours.get(key, {}), wanted, value)
        elif key not in ours and wanted != value:
            value = None if value is _MISSING else value
            yield from differences(where, wanted, value)


def _step(key: str, value: Any) -> Any:
    """Follow one key of a fields tree: `f:NAME` into a map, `k:{…}` to the element of a list with these keys."""
    kind, _, name = key.partition(":")
    if kind == "f" and isinstance(value, Mapping):
        return value.get(name, _MISSING)
    if kind == "k" and isinstance(value, list):
        keys = json.loads(name).items()
        return next((item for item in value if isinstance(item, dict) and keys <= item.items()), _MISSING)
    return _MISSING


def _name(key: str) -> str:
    kind, _, name = key.partition(":")
    return name if kind == "f" else f"[{','.join(map(str, json.loads(name).values()))}]" if kind == "k" else key


def _short(value: Any) -> str:
    if value is None:
        return "none"
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
