"""Where and when something was measured."""

from __future__ import annotations

import os
import platform
import subprocess
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Machine:
    """What a figure depends on."""

    date: str
    commit: str
    cores: int
    memory_gib: int
    cpu: str
    kernel: str


def here() -> Machine:
    """Describe this machine, now."""
    text = Path("/proc/cpuinfo").read_text()
    cpu = next((line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")), "")
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return Machine(
        date=datetime.now(UTC).date().isoformat(),
        commit=commit.stdout.strip(),
        cores=os.cpu_count() or 0,
        memory_gib=round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        cpu=cpu,
        kernel=platform.release(),
    )


def described(machine: Machine) -> dict[str, Any]:
    """Return it as JSON."""
    return asdict(machine)
