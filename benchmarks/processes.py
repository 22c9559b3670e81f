"""A program under measurement: what the kernel says of its memory and its time."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Program:
    """One running process."""

    process: subprocess.Popen[bytes]
    log: Path

    def memory(self) -> float:
        """Return what is resident now, in MiB."""
        return self._field("VmRSS")

    def peak(self) -> float:
        """Return the most that was ever resident, in MiB."""
        return self._field("VmHWM")

    def cpu(self) -> float:
        """Return the seconds of processor time used so far, of all threads."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(stat[11]) + int(stat[12])) / TICKS

    def _field(self, name: str) -> float:
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) / 1024
        raise RuntimeError(f"process {self.process.pid} has ended: see {self.log}")


@contextmanager
def running(command: Sequence[str], env: Mapping[str, str], log: Path) -> Iterator[Program]:
    """Run a program; in the end ask it to stop, and see that it does."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        process = subprocess.Popen(command, env=env, stdout=out, stderr=out, stdin=subprocess.DEVNULL)
        try:
            yield Program(process, log)
        finally:
            process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def at_rest(program: Program, seconds: float) -> float:
    """Return its share of one core over some time, in percent."""
    before, began = program.cpu(), time.monotonic()
    time.sleep(seconds)
    return 100 * (program.cpu() - before) / (time.monotonic() - began)
