"""One fingerprint for all files of a model.

MLflow has no digest of a model version. Training, the operator and the init container of every pod must agree on one,
so it is defined here once, with nothing but the standard library.
"""

import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

# MLflow's client adds this note (name and version) to what it downloads; it is not part of the artifact.
NOT_OF_THE_ARTIFACT = frozenset({"registered_model_meta"})

_CHUNK_BYTES = 1 << 20


class UnsafeFileError(ValueError):
    """A model directory holds something other than plain files inside itself."""


def digest(files: Iterable[tuple[str, int, str]]) -> str:
    """Digest of an artifact from its files as (path relative to the artifact with `/`, size in bytes, SHA-256 in hex).

    The order of `files` does not matter: lines are sorted by the path's UTF-8 bytes, which is the same everywhere.
    """
    listed = sorted((path.encode(), size, sha256) for path, size, sha256 in files if path not in NOT_OF_THE_ARTIFACT)
    total = hashlib.sha256()
    for path, size, sha256 in listed:
        total.update(f"{sha256}  {size}  ".encode() + path + b"\n")
    return f"sha256:{total.hexdigest()}"


def digest_directory(path: Path) -> str:
    """Digest of the files below `path`.

    Raises:
        UnsafeFileError: a symbolic link leads out of `path`, or there is a device, socket or pipe.
        OSError: a file cannot be read.
    """
    return digest(_files(path))


def _files(root: Path) -> Iterator[tuple[str, int, str]]:
    home = root.resolve(strict=True)
    for folder, folders, names in os.walk(root):
        for name in folders:
            _check_inside(Path(folder, name), home)
            if Path(folder, name).is_symlink():
                raise UnsafeFileError(f"{Path(folder, name).relative_to(root)} is a symbolic link to a directory")
        for name in names:
            file = Path(folder, name)
            _check_inside(file, home)
            if not stat.S_ISREG(file.stat().st_mode):
                raise UnsafeFileError(f"{file.relative_to(root)} is not a regular file")
            size, sha256 = _size_and_sha256(file)
            yield _readable(file.relative_to(root).as_posix()), size, sha256


def _readable(path: str) -> str:
    """A path that is one line of UTF-8: with a line break in it, two trees could have the same lines."""
    if "\n" in path or any(0xD800 <= ord(letter) <= 0xDFFF for letter in path):
        raise UnsafeFileError(f"{path!r} is not a file name that all systems read alike")
    return path


def _check_inside(path: Path, home: Path) -> None:
    try:
        target = path.resolve(strict=True)
    except (FileNotFoundError, RuntimeError) as error:
        raise UnsafeFileError(f"{path.name} is a symbolic link to nowhere") from error
    if not target.is_relative_to(home):
        raise UnsafeFileError(f"{path.name} is a symbolic link that leaves the model's directory")


def _size_and_sha256(file: Path) -> tuple[int, str]:
    """Both from one reading, so that they cannot disagree."""
    sha256 = hashlib.sha256()
    size = 0
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            sha256.update(chunk)
            size += len(chunk)
    return size, sha256.hexdigest()
