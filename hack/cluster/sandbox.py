"""The cluster's own namespaces, held by one process: when that ends, everything inside ends with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hack.cluster.paths import ClusterPaths
from hack.cluster.processes import PidFile, Process, only_child, start
from hack.cluster.shell import run

NODE_ADDRESS = "10.88.0.1"
SERVICE_CIDR = "10.96.0.0/16"
POD_CIDR = "10.244.0.0/16"
CNI_CACHE = Path("/var/lib/cni")
"""Fixed in the CNI library: the sandbox sees an empty file system there."""

NAMESPACES = ("--mount", "--net", "--pid", "--uts", "--ipc")

# No dummy device in every kernel: a veth pair with both ends inside carries the node's address.
# Only service addresses need a route (they are rewritten after routing); all else is refused at once.
LINKS = f"""
link set lo up
link add node0 type veth peer name node0p
link set node0p up
addr add {NODE_ADDRESS}/32 dev node0
link set node0 up
route add {SERVICE_CIDR} dev node0
route add unreachable default
"""

# Many short connections pass through one pair of addresses: ports come back after a second, not a minute.
SYSCTLS = {
    "net/ipv4/ip_forward": "1",
    "net/ipv4/tcp_tw_reuse": "1",
    "net/ipv4/ip_local_port_range": "33000 60999",
}


@dataclass(frozen=True)
class Sandbox:
    """Mount, network, pid, host name and IPC namespaces, entered through the process that holds them."""

    holder: Process

    @classmethod
    def find(cls, paths: ClusterPaths) -> "Sandbox | None":
        """The running sandbox, if its holder lives."""
        holder = PidFile(paths.run / "holder.pid").read()
        return cls(holder) if holder else None

    @classmethod
    def create(cls, paths: ClusterPaths, tools: Path) -> "Sandbox":
        """Make the namespaces; the pid file is written last, so a half-made one is never taken for whole."""
        log = paths.logs / "holder.log"
        parent = start(
            ["unshare", *NAMESPACES, "--fork", "--kill-child", "--mount-proc", "--propagation", "private",
             tools / "tools", "init", paths.cgroup],
            log,
        )  # fmt: skip
        PidFile(paths.run / "unshare.pid").write(parent)
        sandbox = cls(only_child(parent, log))
        sandbox._mounts(paths)
        sandbox.run(["ip", "-batch", "-"], stdin=LINKS)
        settings = "; ".join(f"echo '{value}' > /proc/sys/{name}" for name, value in SYSCTLS.items())
        sandbox.run(["sh", "-ec", settings])
        PidFile(paths.run / "holder.pid").write(sandbox.holder)
        return sandbox

    def enter(self, command: Sequence[str | Path], namespaces: Sequence[str] = NAMESPACES) -> list[str]:
        """The command line that runs a command inside."""
        return ["nsenter", f"--target={self.holder.pid}", *namespaces, "--", *(str(part) for part in command)]

    def run(self, command: Sequence[str | Path], stdin: str | None = None) -> str:
        """Run a command inside and return what it prints."""
        return run(self.enter(command), stdin=stdin)

    def start(self, command: Sequence[str | Path], log: Path) -> Process:
        """Start a process inside and return it (not the nsenter that waits for it outside)."""
        return only_child(start(self.enter(command), log), log)

    def _mounts(self, paths: ClusterPaths) -> None:
        """Hide the host's directories whose paths are fixed in containerd, CNI, iptables and the kubelet."""
        CNI_CACHE.mkdir(parents=True, exist_ok=True)
        fresh = paths.state / "run"
        fresh.mkdir(parents=True, exist_ok=True)
        own = f"{fresh}/{paths.run.relative_to('/run')}"
        self.run(["sh", "-ec", f"""
            mount -n -t tmpfs -o mode=755 tmpfs {CNI_CACHE}
            mount -n -t tmpfs -o mode=755 tmpfs /var/log
            mount -n -t tmpfs -o mode=755 tmpfs {fresh}
            mkdir -p {own}
            mount -n --bind {paths.run} {own}
            mount -n --move {fresh} /run
        """])  # fmt: skip
