"""The operator's replicas from outside: who leads, and what can befall its process. Embedded cluster only."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hack.cluster.processes import Process
from hack.stack.commands import Shell, StackError
from hack.stack.install import NAMESPACE, RELEASE

PATIENCE_SECONDS = 90.0


@dataclass(frozen=True)
class Operators:
    """All operators of a cluster."""

    shell: Shell

    def leader(self) -> str:
        """Return who leads, as pod_process, or nothing."""
        spec = json.loads(self._kubectl("get", "lease", RELEASE, "-o", "json"))["spec"]
        return str(spec.get("holderIdentity") or "")

    def until(self, true: Callable[[str], bool], what: str) -> str:
        """Wait until who leads is as expected; return who."""
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            if true(leader := self.leader()):
                return leader
            time.sleep(0.1)
        raise StackError(f"never happened: {what}; {self.leader() or 'nobody'} leads")

    def another_than(self, old: str) -> str:
        """Wait until somebody else leads; return who."""
        return self.until(lambda now: now not in ("", old), f"another than {old} leads")

    def all_ready(self) -> None:
        """Wait until every replica can lead or take over."""
        self._kubectl("rollout", "status", f"deployment/{RELEASE}", f"--timeout={PATIENCE_SECONDS:.0f}s")

    def process(self, identity: str) -> Process:
        """Return the process of an operator, as this machine knows it: no signal from inside ends a container's first.

        Raises:
            StackError: there is no such process here.
        """
        pod = json.loads(self._kubectl("get", "pod", identity.rpartition("_")[0], "-o", "json"))
        container = pod["status"]["containerStatuses"][0]["containerID"].rpartition("//")[2]
        for group in Path("/proc").glob("[0-9]*/cgroup"):
            try:
                if container in group.read_text() and (found := Process.of(int(group.parent.name))):
                    return found
            except OSError:
                continue
        raise StackError(f"{identity} has no process on this machine")

    def kill(self, identity: str) -> None:
        """End it without any chance to say good-bye."""
        os.kill(self.process(identity).pid, signal.SIGKILL)

    @contextmanager
    def frozen(self, identity: str) -> Iterator[Process]:
        """Stop its process in the middle of whatever it does, and let it go on afterwards."""
        process = self.process(identity)
        os.kill(process.pid, signal.SIGSTOP)
        try:
            yield process
        finally:
            os.kill(process.pid, signal.SIGCONT)

    @contextmanager
    def cut_off(self, identity: str) -> Iterator[Process]:
        """Drop all that its pod sends and receives, but for what goes to itself."""
        # The pod's network outlives the process.
        process = self.process(identity)
        with Path(f"/proc/{process.pid}/ns/net").open("rb") as network:
            _iptables(network.fileno(), "-I")
            try:
                yield process
            finally:
                _iptables(network.fileno(), "-D")

    def _kubectl(self, *arguments: str) -> str:
        return self.shell.kubectl("--namespace", NAMESPACE, *arguments)


def _iptables(network: int, verb: str) -> None:
    for chain, interface in (("OUTPUT", "-o"), ("INPUT", "-i")):
        subprocess.run(
            ["nsenter", f"--net=/proc/self/fd/{network}", "iptables", verb, chain, "!", interface, "lo", "-j", "DROP"],
            check=True, capture_output=True, pass_fds=(network,),
        )  # fmt: skip
