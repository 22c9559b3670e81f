"""Processes known by pid and start time: a number that the kernel gave to someone else is never ours."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from hack.cluster.errors import ClusterError

T = TypeVar("T")


@dataclass(frozen=True)
class Process:
    """A process that was seen alive; `started` is in clock ticks since boot."""

    pid: int
    started: int
    boot: str = ""

    @classmethod
    def of(cls, pid: int) -> "Process | None":
        """Identify a live process; a zombie is not one."""
        stat = _stat(pid)
        if stat is None or stat[0] in "ZX":
            return None
        return cls(pid, int(stat[19]), boot_id())

    def alive(self) -> bool:
        """Whether this very process still runs."""
        return Process.of(self.pid) == self

    def stop(self, grace: float = 5.0) -> None:
        """Ask, wait, then kill; return when it is gone."""
        for sign, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 20.0)):
            if not self.alive():
                return
            os.kill(self.pid, sign)
            deadline = time.monotonic() + patience
            while self.alive() and time.monotonic() < deadline:
                time.sleep(0.05)
        if self.alive():
            raise ClusterError(f"Process {self.pid} does not die: see `cat /proc/{self.pid}/stack`.")


@dataclass(frozen=True)
class PidFile:
    """Remembers a process across runs of this program."""

    path: Path

    def read(self) -> Process | None:
        """Return the process if it still runs."""
        try:
            process = Process(**json.loads(self.path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None
        return process if process.alive() else None

    def write(self, process: Process) -> None:
        """Replace the file in one step, so that a reader never sees half of it."""
        scratch = self.path.with_suffix(".new")
        scratch.write_text(json.dumps(vars(process)), encoding="utf-8")
        scratch.replace(self.path)


def start(command: Sequence[str | Path], log: Path, *, pass_fds: Sequence[int] = ()) -> Process:
    """Start a process of its own session, so that it outlives this one and its terminal."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        child = subprocess.Popen(
            [str(part) for part in command], stdin=subprocess.DEVNULL, stdout=out, stderr=out,
            start_new_session=True, pass_fds=tuple(pass_fds), cwd="/",
        )  # fmt: skip
    process = Process.of(child.pid)
    child.returncode = 0  # not ours to wait for: silences the warning about a child left running
    if process is None:
        raise ClusterError(f"`{command[0]}` ended at once:\n{tail(log)}")
    return process


def only_child(parent: Process, log: Path, patience: float = 10.0) -> Process:
    """Return the process that `parent` (unshare, nsenter) forked into the new namespace."""

    def look() -> Process | None:
        if not parent.alive():
            raise ClusterError(f"A process ended at once:\n{tail(log)}")
        children = [Process.of(pid) for pid in _pids() if (stat := _stat(pid)) and int(stat[1]) == parent.pid]
        return next((child for child in children if child), None)

    return wait_for(look, patience, f"the child of process {parent.pid}")


def wait_for(look: Callable[[], T | None], patience: float, what: str, pause: float = 0.05) -> T:
    """Poll until there is an answer."""
    deadline = time.monotonic() + patience
    while (answer := look()) is None:
        if time.monotonic() > deadline:
            raise ClusterError(f"Waited {patience:.0f} s for {what} in vain.")
        time.sleep(pause)
    return answer


def tail(log: Path, lines: int = 15) -> str:
    """The end of a log, for error messages."""
    try:
        return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])
    except OSError:
        return "(no log)"


def boot_id() -> str:
    """Start times count from boot: only within one boot do they identify."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _stat(pid: int) -> list[str] | None:
    """Fields of /proc/PID/stat from the state on; the name before it may contain anything."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
