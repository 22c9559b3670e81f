"""What a cluster's state is: read from pid files and the API, without changing anything."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from pathlib import Path

from hack.cluster import cgroups
from hack.cluster.api import Api, gateway_serves, node_ready
from hack.cluster.components import components
from hack.cluster.paths import ClusterPaths
from hack.cluster.ports import Ports
from hack.cluster.processes import PidFile, Process
from hack.cluster.sandbox import Sandbox


class State(Enum):
    """The three answers of `status`; the value is its exit code."""

    HEALTHY = 0
    ABSENT = 1
    BROKEN = 2


HEARTBEAT = timedelta(seconds=60)
"""The kubelet renews its lease every ten seconds; a busy machine may be late."""

WORDS = {
    State.HEALTHY: "is up",
    State.ABSENT: "is not running",
    State.BROKEN: "is half dead: `up` repairs it, `down` removes it",
}


@dataclass(frozen=True)
class Health:
    """A snapshot of one cluster."""

    processes: dict[str, Process | None]
    api: bool
    node: bool
    gateway: bool
    traces: bool
    """Whether any file or control group of the cluster exists."""

    @classmethod
    def of(cls, paths: ClusterPaths) -> "Health":
        """Look at everything; cheap enough to be the first step of every `up`."""
        sandbox = Sandbox.find(paths)
        processes: dict[str, Process | None] = {"holder": sandbox.holder if sandbox else None}
        for component in components(paths, Path(), Path()):
            processes[component.name] = PidFile(paths.run / f"{component.name}.pid").read()
        processes["forward"] = PidFile(paths.run / "forward.pid").read()
        traces = paths.state.exists() or paths.run.exists() or cgroups.exists(paths.cgroup)
        ports = Ports.load(paths)
        if not sandbox or not ports or not paths.kubeconfig.exists():
            return cls(processes, api=False, node=False, gateway=False, traces=traces)
        api = Api.from_kubeconfig(paths.kubeconfig)
        ready = api.ready()
        return cls(
            processes,
            api=ready,
            node=ready and node_ready(api, paths.cgroup, datetime.now(UTC) - HEARTBEAT),
            gateway=ready and gateway_serves(api, ports.gateway),
            traces=traces,
        )

    @property
    def state(self) -> State:
        """Healthy only if every part is."""
        alive = [process is not None for process in self.processes.values()]
        if all(alive) and self.api and self.node and self.gateway:
            return State.HEALTHY
        return State.BROKEN if self.traces or any(alive) else State.ABSENT

    def table(self, paths: ClusterPaths) -> str:
        """The answer for people."""
        rows = [(name, f"pid {process.pid}" if process else "not running") for name, process in self.processes.items()]
        rows += [
            ("API server", "ready" if self.api else "not ready"),
            ("node", "ready" if self.node else "not ready"),
            ("gateway", "serves" if self.gateway else "does not serve"),
        ]
        ports = Ports.load(paths)
        if ports:
            rows += [
                ("Kubernetes API", f"https://127.0.0.1:{ports.api}"),
                ("gateway URL", f"http://127.0.0.1:{ports.gateway}"),
                ("MLflow URL", f"http://127.0.0.1:{ports.mlflow}"),
                ("kubeconfig", str(paths.kubeconfig)),
                ("logs", str(paths.logs)),
            ]
        lines = [f"cluster {paths.name} {WORDS[self.state]}"]
        if self.state is not State.ABSENT:
            lines += [f"  {name:<24} {value}" for name, value in rows]
        return "\n".join(lines)
