"""Where things live: the shared cache of what was built, and each cluster's own state."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

from hack.cluster.errors import ClusterError

SOURCES = Path(__file__).resolve().parent
"""This package: Go modules, configuration templates and manifests lie beside the code."""


def _xdg(variable: str, default: str) -> Path:
    return Path(os.environ.get(variable) or Path.home() / default) / "sluice"


@dataclass(frozen=True)
class Cache:
    """What is built once and shared by all clusters; safe to delete while none is starting."""

    root: Path

    @classmethod
    def default(cls) -> "Cache":
        """Honour XDG, so that CI can keep the directory between runs."""
        return cls(_xdg("XDG_CACHE_HOME", ".cache") / "cluster")

    @property
    def builds(self) -> Path:
        """Go binaries, one directory per hash of their sources."""
        return self.root / "builds"

    @property
    def downloads(self) -> Path:
        """Unpacked wheels and the base image's tarball, keyed by version."""
        return self.root / "downloads"

    @property
    def storage(self) -> Path:
        """Buildah's own image store: the user's containers and images stay out of it."""
        return self.root / "storage"

    @property
    def layout(self) -> Path:
        """OCI layout through which images go into clusters; every layer is exported once."""
        return self.root / "layout"


@dataclass(frozen=True)
class ClusterPaths:
    """One cluster's files. Names are short because socket paths end at 108 bytes."""

    name: str
    state: Path
    run: Path

    @classmethod
    def of(cls, name: str) -> "ClusterPaths":
        """Refuse names that would not be a host name, a cgroup and a directory at once."""
        if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,29}[a-z0-9])?", name):
            raise ClusterError(f"{name!r} cannot name a cluster: use at most 31 of a-z, 0-9 and '-'.")
        state = _xdg("XDG_STATE_HOME", ".local/state") / "clusters" / name
        return cls(name=name, state=state, run=Path("/run/sluice") / name)

    @property
    def lock(self) -> Path:
        """Held by `up` and `down`: beside the run directory, because `down` removes that."""
        return self.run.parent / f"{self.name}.lock"

    @property
    def ports(self) -> Path:
        """Host ports, chosen once."""
        return self.state / "ports.json"

    @property
    def loaded(self) -> Path:
        """Which image ids were imported under which name."""
        return self.state / "loaded.json"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's way in, from the host."""
        return self.state / "kubeconfig"

    @property
    def pki(self) -> Path:
        """Certificates and keys."""
        return self.state / "pki"

    @property
    def config(self) -> Path:
        """Rendered configuration files."""
        return self.state / "config"

    @property
    def logs(self) -> Path:
        """One log per process; pod logs in `pods`."""
        return self.state / "log"

    @property
    def containerd_socket(self) -> Path:
        """Reachable from the host too: a socket's path knows no network namespace."""
        return self.run / "containerd.sock"

    @property
    def cgroup(self) -> str:
        """Root of all pods' control groups, relative to the hierarchy."""
        return f"sluice-{self.name}"
