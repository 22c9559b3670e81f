"""Ports on 127.0.0.1 and the process that forwards them into the cluster."""

import json
import socket
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from hack.cluster.errors import ClusterError
from hack.cluster.paths import ClusterPaths
from hack.cluster.processes import Process, start
from hack.cluster.sandbox import NODE_ADDRESS, Sandbox

GATEWAY_NODE_PORT = 30080
MLFLOW_NODE_PORT = 30500
TARGETS = {"api": 6443, "gateway": GATEWAY_NODE_PORT, "mlflow": MLFLOW_NODE_PORT}
PREFERRED = {"sluice": {"api": 16443, "gateway": 18080, "mlflow": 15000}}
"""The demo's ports are easy to remember; every other cluster takes what is free."""

BACKLOG = 4096


@dataclass(frozen=True)
class Ports:
    """Where this cluster answers on 127.0.0.1."""

    api: int
    gateway: int
    mlflow: int

    @classmethod
    def load(cls, paths: ClusterPaths) -> "Ports | None":
        """Return the ports that were chosen when the cluster was made."""
        try:
            return cls(**json.loads(paths.ports.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    @classmethod
    def choose(cls, paths: ClusterPaths) -> "Ports":
        """Keep the recorded ports; otherwise take the preferred ones that are free, and record them."""
        recorded = cls.load(paths)
        if recorded:
            return recorded
        preferred = PREFERRED.get(paths.name, {})
        with ExitStack() as held:
            chosen = {}
            for name in TARGETS:
                listener = held.enter_context(_listen_on_one_of(preferred.get(name, 0), 0))
                chosen[name] = listener.getsockname()[1]
        ports = cls(**chosen)
        paths.ports.write_text(json.dumps(asdict(ports)) + "\n", encoding="utf-8")
        return ports


def start_forwards(paths: ClusterPaths, ports: Ports, sandbox: Sandbox, tools: Path) -> Process:
    """Listen out here, and hand the sockets to a process that has its network in there."""
    with ExitStack() as held:
        arguments, descriptors = [], []
        for name, port in asdict(ports).items():
            listener = held.enter_context(_listen_on_one_of(port))
            listener.set_inheritable(True)
            descriptors.append(listener.fileno())
            arguments.append(f"{listener.fileno()}={NODE_ADDRESS}:{TARGETS[name]}")
        command = sandbox.enter([tools / "tools", "forward", *arguments], namespaces=["--net"])
        return start(command, paths.logs / "forward.log", pass_fds=descriptors)


def _listen_on_one_of(*candidates: int) -> socket.socket:
    for port in candidates:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
            listener.listen(BACKLOG)
        except OSError:
            listener.close()
        else:
            return listener
    raise ClusterError(f"Port {candidates[0]} on 127.0.0.1 is taken: free it, or take the cluster down and up again.")
