"""An API server in memory, true where it matters: versions, ownership of fields, preconditions, cascades."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sluice.kube.api import Manifest, Resource
from sluice.kube.errors import ConflictError, NotFoundError, RefusedError
from sluice.resources.naming import FIELD_MANAGER

Key = tuple[str, str, str]  # kind, namespace, name
Path = tuple[str, ...]

WITH_GENERATION = ("ModelDeployment", "Deployment", "HTTPRoute", "PodDisruptionBudget", "BackendTrafficPolicy")
WITHOUT_STATUS_SUBRESOURCE = ("RolloutRecord",)
SOMEBODY = "somebody-else"
ATOMIC = {"Service": ("spec", "selector")}  # a map that is owned, and replaced, as one
SET_BY_SERVER = {"resourceVersion", "uid", "generation", "creationTimestamp", "deletionTimestamp"}


@dataclass
class Store:
    """All objects, and which of their fields the one field manager has applied.

    What is stored is never changed in place, and whoever gets an object must not either.
    """

    objects: dict[Key, Manifest] = field(default_factory=dict)
    owned: dict[Key, set[Path]] = field(default_factory=dict)
    taken: dict[Key, set[Path]] = field(default_factory=dict)  # applied fields that somebody else has changed since
    books: dict[Key, tuple[set[Path], Manifest]] = field(default_factory=dict)  # of the one field manager
    version: int = 0
    uids: int = 0

    def snapshot(self) -> Store:
        """Everything as it is now."""
        return Store(dict(self.objects), dict(self.owned), dict(self.taken), version=self.version)

    def get(self, resource: Resource, namespace: str, name: str) -> Manifest | None:
        key = (resource.kind, namespace, name)
        return self._booked(key, self.objects[key]) if key in self.objects else None

    def select(self, resource: Resource, namespace: str, labels: str = "") -> list[Manifest]:
        wanted = dict(part.split("=", 1) for part in labels.split(",") if part)
        found = [o for o in self.of_kind(resource.kind) if _in(o, namespace) and _labelled(o, wanted)]
        return [self._booked(key_of(o), o) for o in found]

    def of_kind(self, kind: str) -> list[Manifest]:
        return [value for key, value in self.objects.items() if key[0] == kind]

    def create(self, manifest: Manifest) -> Manifest:
        key = key_of(manifest)
        if key in self.objects:
            raise ConflictError(f"{key} already exists")
        self._put(key, manifest)
        return self.objects[key]

    def apply(self, manifest: Manifest) -> Manifest:
        """Server-side apply: named fields are set, fields applied before and no longer named are removed."""
        key, meta = key_of(manifest), manifest["metadata"]
        live = self.objects.get(key)
        if live:  # with a version, too, an object that is not there is created: so does the real one
            self._precondition(live, meta)
        named = {"metadata": {k: v for k, v in meta.items() if k not in SET_BY_SERVER}} | {
            k: v for k, v in manifest.items() if k != "metadata"
        }
        merged = copy(live or {})
        self._own(key, merged, named, status=None if key[0] in WITHOUT_STATUS_SUBRESOURCE else False)
        if live and key[0] == "ControllerRevision" and merged["data"] != live["data"]:
            raise RefusedError("data is immutable")
        self._put(key, merged)
        return self.objects[key]

    def apply_status(self, manifest: Manifest) -> Manifest:
        key = key_of(manifest)
        live = self.objects.get(key)
        if live is None:
            raise NotFoundError(f"{key} is not there")
        self._precondition(live, manifest["metadata"])
        if path := emptied(live.get("status", {}), manifest["status"]):
            raise RefusedError(f"{path}: Invalid value: null")
        merged = copy(live)
        self._own(key, merged, {"status": manifest["status"]}, status=True)
        self._put(key, merged)
        return self.objects[key]

    def replace(self, manifest: Manifest) -> Manifest:
        key = key_of(manifest)
        live = self.objects.get(key)
        if live is None:
            raise NotFoundError(f"{key} is not there")
        self._precondition(live, manifest["metadata"])
        kept = {k: v for k, v in live["metadata"].items() if k in SET_BY_SERVER}
        self._put(key, manifest | {"metadata": manifest["metadata"] | kept})
        return self.objects[key]

    def merge(self, resource: Resource, namespace: str, name: str, patch: Manifest) -> Manifest:
        key = (resource.kind, namespace, name)
        live = self.objects.get(key)
        if live is None:
            raise NotFoundError(f"{key} is not there")
        self._precondition(live, patch.get("metadata", {}))
        merged = _merge(copy(live), copy(patch))
        merged["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"]
        self.write(merged)
        return self.objects[key]

    def write(self, changed: Manifest) -> None:
        """Store an object that somebody else than the one field manager has changed."""
        key = key_of(changed)
        if key in self.owned and key in self.objects:
            live = self.objects[key]
            theirs = {path for path in self.owned[key] if path[0] != "status" and _at(changed, path) != _at(live, path)}
            self.owned[key] = self.owned[key] - theirs
            self.taken[key] = self.taken.get(key, set()) | theirs
        self._put(key, changed)

    def delete(self, kind: str, namespace: str, name: str) -> None:
        """Delete an object and what it owns; with a finalizer it stays, marked."""
        key = (kind, namespace, name)
        live = self.objects.get(key)
        if live is None:
            return
        if live["metadata"].get("finalizers"):
            self._put(key, _merge(copy(live), {"metadata": {"deletionTimestamp": "2030-01-01T00:00:00Z"}}))
            return
        del self.objects[key]
        self.version += 1
        self.owned.pop(key, None)
        self.taken.pop(key, None)
        for child in [o for o in self.objects.values() if live["metadata"]["uid"] in _owners(o)]:
            self.delete(*key_of(child))

    def collect_garbage(self) -> None:
        """Delete what was made for an owner that is gone, as by a controller that came too late."""
        uids = {o["metadata"]["uid"] for o in self.objects.values()}
        for orphan in [o for o in self.objects.values() if _owners(o) and not _owners(o) & uids]:
            self.delete(*key_of(orphan))

    def _put(self, key: Key, manifest: Manifest) -> None:
        """Store an object, with a new version only if it differs, a new generation only if its spec does."""
        manifest = as_stored(manifest)
        if key[0] == "Deployment" and "template" in manifest.get("spec", {}):
            manifest["spec"].setdefault("replicas", 1)  # what the API server makes of a number that nobody owns
        live, meta = self.objects.get(key), manifest["metadata"]
        if live is None:
            self.uids += 1
            meta["uid"], meta["generation"] = f"uid-{self.uids}", 1
        elif manifest == live:
            return
        elif key[0] in WITH_GENERATION and manifest.get("spec") != live.get("spec"):
            meta["generation"] = live["metadata"]["generation"] + 1
        if key[0] not in WITH_GENERATION:
            meta.pop("generation", None)
        self.version += 1
        meta["resourceVersion"] = str(self.version)
        self.objects[key] = manifest

    def _precondition(self, live: Manifest | None, meta: Manifest) -> None:
        wanted = meta.get("resourceVersion")
        if wanted is not None and (live is None or live["metadata"]["resourceVersion"] != wanted):
            raise ConflictError(f"{meta.get('name')} was modified")

    def _own(self, key: Key, merged: Manifest, named: Manifest, *, status: bool | None) -> None:
        """Take over the named fields; `status`: whether these are the status; None: it is a field like others."""
        owned = self.owned.get(key, set())
        before = {path for path in owned if status is None or (path[0] == "status") is status}
        whole = ATOMIC.get(key[0])
        now = set(_leaves(named, whole=whole))
        for path in (before - now) | ({whole} & now if whole else set()):
            _remove(merged, path)
        _merge(merged, copy(named))
        self.owned[key] = (self.owned.get(key, set()) - before) | now
        self.taken[key] = self.taken.get(key, set()) - now

    def _booked(self, key: Key, live: Manifest) -> Manifest:
        """Show who manages which fields."""
        if key not in self.owned:
            return live
        book = self.books.get(key)
        if book is None or book[0] is not self.owned[key]:
            fields = {"fieldsV1": _tree(path for path in self.owned[key] if _is_booked(path))}
            book = self.books[key] = (self.owned[key], {"manager": FIELD_MANAGER, "operation": "Apply"} | fields)
        entries = [book[1]]
        if theirs := self.taken.get(key):
            entries.append({"manager": SOMEBODY, "operation": "Update", "fieldsV1": _tree(theirs)})
        return live | {"metadata": live["metadata"] | {"managedFields": entries}}


def key_of(manifest: Manifest) -> Key:
    return manifest["kind"], manifest["metadata"]["namespace"], manifest["metadata"]["name"]


def copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: copy(v) for k, v in value.items()}
    return [copy(v) for v in value] if isinstance(value, list) else value


def as_stored(value: Manifest) -> Manifest:
    """JSON as it comes back: 1.0 is 1 for Go's encoder, and nothing but JSON survives."""
    stored: Manifest = json.loads(json.dumps(value), parse_float=lambda text: _number(float(text)))
    return stored


def _number(value: float) -> float | int:
    return int(value) if value.is_integer() else value


def _in(manifest: Manifest, namespace: str) -> bool:
    return bool(manifest["metadata"]["namespace"] == namespace)


def _labelled(manifest: Manifest, wanted: dict[str, str]) -> bool:
    labels: dict[str, str] = manifest["metadata"].get("labels", {})
    return wanted.items() <= labels.items()


def _owners(manifest: Manifest) -> set[str]:
    return {owner["uid"] for owner in manifest["metadata"].get("ownerReferences", ())}


def _at(value: Any, path: Path) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _is_booked(path: Path) -> bool:
    """Whether it is a field that the one manager applies to the object itself, and not what names the object."""
    return path[0] not in ("apiVersion", "kind", "status") and path[:2] not in (
        ("metadata", "name"), ("metadata", "namespace"),
    )  # fmt: skip


def _tree(paths: Iterable[Path]) -> Manifest:
    tree: Manifest = {}
    for path in paths:
        node = tree
        for key in path:
            node = node.setdefault(f"f:{key}", {})
    return tree


def _leaves(value: Manifest, at: Path = (), *, whole: Path | None = None) -> Iterator[Path]:
    for key, inner in value.items():
        if isinstance(inner, dict) and inner and (*at, key) != whole:
            yield from _leaves(inner, (*at, key), whole=whole)
        else:
            yield (*at, key)


def _remove(value: Manifest, path: Path) -> None:
    """Remove a field, and the maps that are empty without it."""
    first, *rest = path
    inner = value.get(first)
    if rest and isinstance(inner, dict):
        _remove(inner, tuple(rest))
    if not rest or inner == {}:
        value.pop(first, None)


def _merge(value: Manifest, patch: Manifest) -> Manifest:
    for key, inner in patch.items():
        if inner is None:
            value.pop(key, None)
        elif isinstance(inner, dict) and isinstance(value.get(key), dict):
            _merge(value[key], inner)
        else:
            value[key] = inner
    return value


def emptied(before: Any, after: Any, path: str = "status") -> str | None:
    """Name a map that was filled and is applied empty: the real API server makes null of it, and refuses that."""
    if not isinstance(before, dict) or not isinstance(after, dict):
        return None
    if before and not after:
        return path
    found = (emptied(before[key], after[key], f"{path}.{key}") for key in before.keys() & after.keys())
    return next((place for place in found if place), None)
