"""The forms in which a user names a model."""

from __future__ import annotations

import re
from dataclasses import dataclass

# 18 digits fit every database; MLflow answers 500 to a number that does not.
_MODEL = re.compile(r"models:/(?P<name>[^/@]+)(?:@(?P<alias>[^/@]+)|/(?P<version>[1-9][0-9]{0,17}))")
_RUN = re.compile(r"runs:/(?P<run_id>[A-Za-z0-9][A-Za-z0-9_-]*)/(?P<path>.+)")
_STORE = re.compile(r"(?:mlflow-artifacts:|(?:s3|gs|abfss|wasbs|https?)://[^/]+)/(?P<path>.+)", re.DOTALL)
_PINNED = re.compile(r"(?P<uri>.+)#(?P<digest>sha256:[0-9a-f]{64})", re.DOTALL)
_NOT_IN_A_PATH = re.compile(r"[?#%'\"\\\s]")


@dataclass(frozen=True)
class ModelUri:
    """A model of the registry: a name with either an alias, which may move, or a version, which stays."""

    name: str
    alias: str | None = None
    version: str | None = None


@dataclass(frozen=True)
class RunUri:
    """What a run has logged: the name of a model or folder, and folders in it."""

    run_id: str
    path: str


@dataclass(frozen=True)
class StoreUri:
    """A folder in a store that the operator does not read."""

    uri: str
    path: str


def unpin(reference: str) -> tuple[str, str | None]:
    """Split `URI#sha256:…` into URI and digest; the digest is None if there is none."""
    found = _PINNED.fullmatch(reference)
    return (found["uri"], found["digest"]) if found else (reference, None)


def parse(uri: str) -> ModelUri | RunUri | StoreUri:
    """Read a URI; nothing in it is decoded, as in MLflow.

    Raises:
        ValueError: it has no known form; the message says what to write.
    """
    if found := _MODEL.fullmatch(uri):
        return ModelUri(**found.groupdict())
    if (found := _RUN.fullmatch(uri)) and _is_plain(found["path"]):
        return RunUri(**found.groupdict())
    if (found := _STORE.fullmatch(uri)) and _is_plain(found["path"]):
        return StoreUri(uri, found["path"])
    raise ValueError(
        f"{uri!r} names no model: write models:/NAME@ALIAS or models:/NAME/VERSION, "
        "for example models:/penguins@champion or models:/penguins/7, or runs:/RUN_ID/PATH, or the address of a "
        "folder in an object store"
    )


def is_in_reach(uri: str) -> bool:
    """Whether a pod can read from an address that MLflow gave: a store, not a folder of MLflow's machine."""
    return _STORE.fullmatch(uri) is not None


def title(path: str) -> str:
    """Return the part of a path that tells most to people: the last, but MLflow calls all its folders alike."""
    parts = path.split("/")
    return next((part for part in reversed(parts) if part != "artifacts"), parts[-1])


def _is_plain(path: str) -> bool:
    return not _NOT_IN_A_PATH.search(path) and all(part not in ("", ".", "..") for part in path.split("/"))
