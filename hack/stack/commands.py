"""Runs other programs, and says clearly what failed."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class StackError(Exception):
    """Something could not be set up; the message says what, with the end of the output."""


@dataclass(frozen=True)
class Shell:
    """Programs with an environment of their own: kubectl and helm that see one cluster only."""

    env: Mapping[str, str]

    def run(self, *command: str, stdin: str | None = None, timeout: float = 600) -> str:
        """Return what a program prints.

        Raises:
            StackError: it failed.
        """
        done = self.attempt(*command, stdin=stdin, timeout=timeout)
        if done.returncode:
            tail = "\n".join((done.stderr or done.stdout).strip().splitlines()[-15:])
            raise StackError(f"{' '.join(command)} failed:\n{tail}")
        return done.stdout

    def attempt(
        self, *command: str, stdin: str | None = None, timeout: float = 600
    ) -> subprocess.CompletedProcess[str]:
        """Run a program that may fail."""
        return subprocess.run(
            command, input=stdin, env=dict(self.env), cwd=ROOT, capture_output=True, text=True, timeout=timeout,
            check=False,
        )  # fmt: skip

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl."""
        return self.run("kubectl", *arguments, stdin=stdin)

    def apply(self, manifest: str) -> None:
        """Apply YAML or JSON."""
        self.kubectl("apply", "-f", "-", stdin=manifest)


def environment(lines: str) -> dict[str, str]:
    """Read `export NAME=VALUE` lines over this process's own environment."""
    env = dict(os.environ)
    for line in lines.splitlines():
        name, found, value = line.removeprefix("export ").partition("=")
        if found:
            env[name] = os.path.expandvars(value.strip("'\""))
    return env


def module(*arguments: str) -> Sequence[str]:
    """Return the command line of one of the repository's own modules, for the machine's plain Python."""
    return ("python3", "-m", *arguments)
