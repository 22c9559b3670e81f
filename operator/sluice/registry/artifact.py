"""Trust on first use: the digest of a version that carries none, from the bytes that the registry has now.

Reads through MLflow's proxied artifact API only (`mlflow-artifacts:/…`); for other stores the operator would need
their credentials.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from sluice_server.digest import digest
from yarl import URL

from sluice.registry.rest import MissingError, RefusalError, Rest

ARTIFACTS = "api/2.0/mlflow-artifacts/artifacts"
DIGEST_TAG = "sluice.dev/digest"
TAG_IT = f"set the tag {DIGEST_TAG} where the model is registered (sluice-train does), or set spec.model.digest"

MAX_BYTES = 2 * 1024**3
MAX_FILES = 10_000
MAX_DEPTH = 20
SILENCE_SECONDS = 30.0


class _UnreadableError(Exception):
    """The files are there, but not for the operator; the text is half a sentence."""


async def artifact_digest(rest: Rest, artifact_uri: str, model: str, *, remedy: str = TAG_IT) -> str:
    """Compute the digest of all files below an artifact URI; `model` names it in messages, `remedy` says what helps.

    Raises:
        RefusalError: another kind of store, too large, empty, or the registry did not answer.
    """
    try:
        return await _digest(rest, artifact_uri, model)
    except _UnreadableError as why:
        raise RefusalError(
            "DigestMissing", f"the operator cannot compute the digest of {model} itself because {why}: {remedy}"
        ) from None


async def _digest(rest: Rest, artifact_uri: str, model: str) -> str:
    root = _proxied_path(artifact_uri)
    files: list[tuple[str, int, str]] = []
    total = 0
    try:
        async for path in _files(rest, root, model):
            size, sha256 = await _fingerprint(rest, f"{root}/{path}", MAX_BYTES - total)
            total += size
            files.append((path, size, sha256))
    except MissingError:
        files = []
    if not files:
        raise RefusalError(
            "ArtifactMissing",
            f"{model} has no files in the registry's artifact store: log it again, or correct spec.model.uri",
        )
    return digest(files)


def _proxied_path(artifact_uri: str) -> str:
    url = URL(artifact_uri)
    path = url.path.strip("/")
    if url.scheme != "mlflow-artifacts" or url.host or not _is_plain(path):
        scheme = url.scheme or "a local path"
        raise _UnreadableError(f"its files are not served by the registry itself ({scheme})")
    return path


async def _files(rest: Rest, root: str, model: str) -> AsyncIterator[str]:
    """Yield the paths of all files, relative to the root."""
    folders, seen = [""], 0
    while folders:
        folder = folders.pop()
        for name, is_dir in _entries(await rest.json(ARTIFACTS, path=f"{root}/{folder}".rstrip("/")), model):
            path = f"{folder}/{name}".lstrip("/")
            seen += 1
            if seen > MAX_FILES or path.count("/") >= MAX_DEPTH:
                raise _UnreadableError(f"it has more than {MAX_FILES} files or {MAX_DEPTH} levels of folders")
            if is_dir:
                folders.append(path)
            else:
                yield path


def _entries(listing: dict[str, Any], model: str) -> list[tuple[str, bool]]:
    entries = listing.get("files", [])
    try:
        # MLflow's proxy lists base names; take the last part in case another version lists whole paths.
        found = [(str(entry["path"]).rstrip("/").rpartition("/")[2], bool(entry.get("is_dir"))) for entry in entries]
    except (TypeError, KeyError, AttributeError):
        found = [("", False)]
    if not all(_is_plain(name) for name, _ in found):
        raise RefusalError("RegistryInvalid", f"the registry lists the files of {model} in a form that is not MLflow's")
    return found


def _is_plain(path: str) -> bool:
    return all(part not in ("", ".", "..") for part in path.split("/"))


async def _fingerprint(rest: Rest, path: str, room: int) -> tuple[int, str]:
    """Return size and SHA-256 of one file, without ever holding more than a piece of it."""
    sha256, size = hashlib.sha256(), 0
    async with aclosing(rest.stream(f"{ARTIFACTS}/{path}", silence=SILENCE_SECONDS)) as chunks:
        async for chunk in chunks:
            sha256.update(chunk)
            size += len(chunk)
            if size > room:
                raise _UnreadableError(f"it is larger than {MAX_BYTES} bytes")
    return size, sha256.hexdigest()
