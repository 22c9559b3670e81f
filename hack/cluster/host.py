"""What the machine must offer: checks with one sentence each, and Debian packages."""

import os
import platform
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hack.cluster.errors import ClusterError
from hack.cluster.progress import Progress
from hack.cluster.shell import run

PACKAGES: dict[str, str] = {
    "etcd": "etcd-server",
    "containerd": "containerd",
    "runc": "runc",
    "/usr/lib/cni/bridge": "containernetworking-plugins",
    "buildah": "buildah",
    "skopeo": "skopeo",
    "debootstrap": "debootstrap",
    "iptables": "iptables",
    "socat": "socat",
    "conntrack": "conntrack",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "mount": "mount",
    "openssl": "openssl",
}
"""Debian package by the program it brings; asking for the program accepts any other origin."""

POLICY = Path("/usr/sbin/policy-rc.d")


def missing_packages(found: Callable[[str], bool] | None = None) -> list[str]:
    """Name the packages whose programs are absent."""
    found = found or _found
    return sorted({package for program, package in PACKAGES.items() if not found(program)})


def check(*, system: str | None = None, machine: str | None = None, uid: int | None = None) -> None:
    """Refuse a machine that cannot run the cluster, with what to do instead."""
    if (system or platform.system()) != "Linux":
        raise ClusterError("The embedded cluster needs Linux: use CLUSTER=kind, or CLUSTER=current for yours.")
    if (machine or platform.machine()) != "x86_64":
        raise ClusterError("The embedded cluster needs an x86_64: use CLUSTER=kind, or CLUSTER=current for yours.")
    if (os.geteuid() if uid is None else uid) != 0:
        raise ClusterError("The embedded cluster makes namespaces and mounts: run the same command as root (sudo -E).")


def install_packages(progress: Progress) -> None:
    """Install what is absent, without starting the services that Debian would start."""
    packages = missing_packages()
    if not packages:
        return
    if shutil.which("apt-get") is None:
        raise ClusterError(f"There is no apt-get here: install {', '.join(packages)} and run again.")
    with progress.step(f"Debian packages: {' '.join(packages)}"), _no_services():
        quiet = {"DEBIAN_FRONTEND": "noninteractive"}
        run(["apt-get", "update", "-qq"], env=quiet)
        run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages], env=quiet)


def _found(program: str) -> bool:
    return Path(program).exists() if program.startswith("/") else shutil.which(program) is not None


@contextmanager
def _no_services() -> Iterator[None]:
    """Keep Debian from starting etcd and containerd on the host: the cluster has its own."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n", encoding="utf-8")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink(missing_ok=True)
