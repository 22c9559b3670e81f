"""Programs that only note how they are called, in a PATH of their own."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

import pytest

SCRIPT = """#!/bin/sh
# Notes the call; answers with the first rule whose pattern its command line matches.
{{ printf '%s' "{name}"; for part in "$@"; do printf ' %s' "$part"; done; printf '\\n'; }} >> {log}
case "{name} $*" in
{rules}
esac
"""


@dataclass
class Programs:
    """Fake programs; without a rule they succeed and say nothing."""

    folder: Path

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def add(self, name: str, *rules: tuple[str, str]) -> None:
        """Rules are shell patterns of the whole command line, and what is then run."""
        body = "\n".join(f"  {pattern}) {action} ;;" for pattern, action in rules)
        path = self.folder / name
        path.write_text(SCRIPT.format(name=name, log=self.log, rules=body or "  *) ;;"))
        path.chmod(path.stat().st_mode | stat.S_IEXEC)

    def calls(self, beginning: str = "") -> list[str]:
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        return [line for line in lines if line.startswith(beginning)]


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    """An empty PATH, but for what scripts need."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in ("sh", "cat", "env"):
        (folder / tool).symlink_to(next(Path(p) / tool for p in ("/bin", "/usr/bin") if (Path(p) / tool).exists()))
    for variable in ("SLUICE_REGISTRY", "GATEWAY_CLASS", "GATEWAY_URL", "MLFLOW_TRACKING_URI", "KUBECONFIG"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert os.environ["PATH"] == str(folder)
    return Programs(folder)
