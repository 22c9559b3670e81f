"""Runs commands so that a failure shows what the command said, and nothing else does."""

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from hack.cluster.errors import ClusterError

TAIL = 25


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
) -> str:
    """Return standard output; on failure raise with the end of what was printed."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={**os.environ, **(env or {})},
        input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        tail = "\n".join((done.stdout + done.stderr).strip().splitlines()[-TAIL:])
        shown = " ".join(str(part) for part in command)
        raise ClusterError(f"`{shown[:200]}` failed with exit code {done.returncode}:\n{tail}")
    return done.stdout


def succeeds(command: Sequence[str | Path]) -> bool:
    """Ask a question whose answer is the exit code."""
    done = subprocess.run([str(part) for part in command], capture_output=True, check=False, stdin=subprocess.DEVNULL)
    return done.returncode == 0
