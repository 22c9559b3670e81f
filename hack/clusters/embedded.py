"""The embedded cluster, by its own command line: `hack.cluster`."""

import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hack.cluster.errors import ClusterError
from hack.cluster.shell import run
from hack.clusters.base import Push

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Embedded:
    """A cluster of any name but those of the other providers."""

    name: str
    engine: str | None = "buildah"

    def up(self) -> None:
        """Build what is missing and start it."""
        self._visible("up")

    def down(self) -> None:
        """Take it away completely."""
        self._visible("down")

    def status(self) -> int:
        """Print a table."""
        return self._call("status")

    def env(self) -> Mapping[str, str]:
        """Read the lines that it prints for a shell."""
        lines = run([sys.executable, "-m", "hack.cluster", "env", "--name", self.name], cwd=ROOT).splitlines()
        return dict(line.removeprefix("export ").split("=", 1) for line in lines if "=" in line)

    def reference(self, image: str) -> str:
        """Images keep their names."""
        return image

    def load(self, images: Sequence[str], push: Push) -> None:
        """Import from the image store."""
        self._visible("load", *images)

    def _call(self, command: str, *arguments: str) -> int:
        line = [sys.executable, "-m", "hack.cluster", command, "--name", self.name, *arguments]
        return subprocess.run(line, cwd=ROOT, stdout=sys.stderr if command == "load" else None, check=False).returncode

    def _visible(self, command: str, *arguments: str) -> None:
        if self._call(command, *arguments):
            raise ClusterError(f"`hack.cluster {command} --name {self.name}` failed: its output is above.")
