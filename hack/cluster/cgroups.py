"""The pods' control groups: the kubelet wants their root to exist, and nobody else removes them."""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")


def hierarchies(root: Path = ROOT) -> list[Path]:
    """Every mounted hierarchy: one for version 2, one per controller (and `unified`) for version 1."""
    if (root / "cgroup.controllers").exists():
        return [root]
    return [path for path in sorted(root.iterdir()) if (path / "cgroup.procs").exists() and not path.is_symlink()]


def create(name: str, root: Path = ROOT) -> None:
    """Make the group in every hierarchy."""
    for hierarchy in hierarchies(root):
        group = hierarchy / name
        group.mkdir(exist_ok=True)
        for setting in ("cpuset.cpus", "cpuset.mems"):  # version 1: empty means that nothing may run
            if (group / setting).exists() and not (group / setting).read_text().strip():
                (group / setting).write_text((hierarchy / setting).read_text())
        if (hierarchy / "cgroup.subtree_control").exists():
            for controller in (hierarchy / "cgroup.controllers").read_text().split():
                with suppress(OSError):
                    (hierarchy / "cgroup.subtree_control").write_text(f"+{controller}")


def exists(name: str, root: Path = ROOT) -> bool:
    """Whether anything is left."""
    return any((hierarchy / name).exists() for hierarchy in hierarchies(root))


def remove(name: str, root: Path = ROOT, patience: float = 10.0) -> None:
    """Kill what still runs in the group and remove it; the kernel needs a moment after the last process."""
    deadline = time.monotonic() + patience
    while exists(name, root):
        for hierarchy in hierarchies(root):
            for directory, _, _ in os.walk(hierarchy / name, topdown=False):
                _clear(Path(directory))
        if time.monotonic() > deadline:
            return
        time.sleep(0.05)


def _clear(group: Path) -> None:
    with suppress(OSError):
        for pid in (group / "cgroup.procs").read_text().split():
            os.kill(int(pid), signal.SIGKILL)
    with suppress(OSError):
        group.rmdir()
