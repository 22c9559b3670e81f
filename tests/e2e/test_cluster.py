"""The embedded cluster comes, is repaired, and goes without a trace."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from hack.cluster.paths import ClusterPaths
from hack.cluster.processes import PidFile
from hack.stack.commands import ROOT, module

pytestmark = pytest.mark.embedded

NAME = "sluice-gone"


def run(command: str) -> int:
    return subprocess.run(module("hack.cluster", command, "--name", NAME), cwd=ROOT, check=False).returncode


def processes() -> list[str]:
    """Return the command lines of all that runs in its control groups."""
    group = f"/{ClusterPaths.of(NAME).cgroup}"
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if group in (entry / "cgroup").read_text():
                found.append((entry / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found


def traces() -> dict[str, object]:
    """Return what a cluster can leave on the machine."""
    paths = ClusterPaths.of(NAME)
    return {
        "processes": processes(),
        "mounts": [line for line in Path("/proc/mounts").read_text().splitlines() if NAME in line],
        "namespaces": sorted(entry.name for entry in Path("/run/netns").glob("*") if NAME in entry.name),
        "groups": sorted(str(path) for path in Path("/sys/fs/cgroup").glob(f"*/{paths.cgroup}")),
        "files": [str(path) for path in (paths.state, paths.run) if path.exists()],
        "iptables": [line for line in _iptables().splitlines() if line.startswith("-A")],
    }


def _iptables() -> str:
    return subprocess.run(["iptables-save"], capture_output=True, text=True, check=True).stdout


def test_it_is_made_repaired_and_taken_away_without_a_trace() -> None:
    before = traces()
    try:
        assert run("up") == 0
        assert processes()
        for component in ("kubelet", "containerd", "kube-apiserver", "etcd"):
            victim = PidFile(ClusterPaths.of(NAME).run / f"{component}.pid").read()
            assert victim, f"{component} does not run"
            os.kill(victim.pid, signal.SIGKILL)
        assert run("status") == 2, "half dead"
        assert run("up") == 0
        assert run("status") == 0
    finally:
        assert run("down") == 0
    assert traces() == before
