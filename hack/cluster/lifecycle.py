"""Up, and down."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hack.cluster import cgroups, components, host, pki
from hack.cluster.api import Api, node_ready
from hack.cluster.artifacts import SYSTEM_IMAGES, Artifacts, prepare
from hack.cluster.buildah import Buildah
from hack.cluster.errors import ClusterError
from hack.cluster.gateway import MANIFESTS, GatewayInstaller, apply
from hack.cluster.health import Health, State
from hack.cluster.loading import Loader
from hack.cluster.paths import Cache, ClusterPaths
from hack.cluster.ports import Ports, start_forwards
from hack.cluster.processes import PidFile, wait_for
from hack.cluster.progress import Progress
from hack.cluster.sandbox import CNI_CACHE, Sandbox
from hack.cluster.shell import succeeds


@dataclass(frozen=True)
class Lifecycle:
    """One cluster of this machine."""

    paths: ClusterPaths
    cache: Cache
    progress: Progress

    def up(self) -> None:
        """Make the cluster healthy, whatever state it is in."""
        host.check()
        with self._locked():
            health = Health.of(self.paths)
            if health.state is State.HEALTHY:
                self.progress.say(f"Cluster {self.paths.name} is up.")
                return
            artifacts = prepare(self.cache, self.progress)
            if health.state is State.BROKEN:
                self.progress.say(f"Cluster {self.paths.name} is half dead: repairing it.")
                try:
                    self._start(artifacts)
                except ClusterError as error:
                    self.progress.say(f"That failed ({error}). Replacing the cluster.")
                    self._remove()
                    self._start(artifacts)
            else:
                self._start(artifacts)
            self.progress.say(f"Cluster {self.paths.name} is up after {self.progress.total()}.")

    def down(self) -> None:
        """Leave no process, mount, namespace, control group or file of the cluster."""
        host.check()
        with self._locked():
            if Health.of(self.paths).state is State.ABSENT:
                self.progress.say(f"Cluster {self.paths.name} is not running.")
                return
            with self.progress.step(f"cluster {self.paths.name} down"):
                self._remove()

    def _start(self, artifacts: Artifacts) -> None:
        paths = self.paths
        paths.state.mkdir(parents=True, exist_ok=True)
        with self.progress.step("namespaces, certificates, configuration"):
            sandbox = Sandbox.find(paths) or self._new_sandbox(artifacts)
            cgroups.create(paths.cgroup)
            pki.issue(paths.pki, paths.cgroup)
            components.write_config(paths)
            self._link_programs(artifacts)
            ports = self._forward(sandbox, artifacts)
        api = Api.from_kubeconfig(paths.kubeconfig)
        kubectl = artifacts.kube / "kubectl"
        installer = GatewayInstaller(paths, api, ports.gateway, artifacts.gateway, kubectl, artifacts.chart)
        with ThreadPoolExecutor(max_workers=2) as pool:
            with self.progress.step("etcd, containerd, API server"):
                self._start_stage(sandbox, artifacts, 0)
                images = pool.submit(self._load_images)
                self._start_stage(sandbox, artifacts, 1)
                api.wait(Api.ready, 60, f"the API server (see {paths.logs})")
            with self.progress.step("node ready"):
                types = pool.submit(installer.install_types)
                begin = datetime.now(UTC)
                self._start_stage(sandbox, artifacts, 2)
                apply(kubectl, paths, MANIFESTS / "cluster.yaml")
                self._start_stage(sandbox, artifacts, 3)
                api.wait(lambda it: node_ready(it, paths.cgroup, begin), 60, f"the node (see {paths.logs})")
            with self.progress.step("gateway types"):
                types.result()
            with self.progress.step("system images"):
                images.result()
        installer.install(self.progress)

    def _new_sandbox(self, artifacts: Artifacts) -> Sandbox:
        """Nothing that belonged to a dead sandbox may be taken for part of the new one."""
        self._stop()
        shutil.rmtree(self.paths.run, ignore_errors=True)
        self.paths.run.mkdir(parents=True)
        return Sandbox.create(self.paths, artifacts.tools)

    def _forward(self, sandbox: Sandbox, artifacts: Artifacts) -> Ports:
        ports = Ports.choose(self.paths)
        pid_file = PidFile(self.paths.run / "forward.pid")
        if pid_file.read() is None:
            pid_file.write(start_forwards(self.paths, ports, sandbox, artifacts.tools))
        text = pki.kubeconfig(self.paths.pki, "admin", f"https://127.0.0.1:{ports.api}", self.paths.name)
        self.paths.kubeconfig.touch(mode=0o600)
        self.paths.kubeconfig.write_text(text, encoding="utf-8")
        return ports

    def _start_stage(self, sandbox: Sandbox, artifacts: Artifacts, stage: int) -> None:
        for component in components.components(self.paths, artifacts.kube, artifacts.metrics):
            pid_file = PidFile(self.paths.run / f"{component.name}.pid")
            if component.stage == stage and pid_file.read() is None:
                log = self.paths.logs / f"{component.name}.log"
                pid_file.write(sandbox.start(component.command, log))

    def _load_images(self) -> None:
        loader = Loader(self.cache, Buildah(self.cache), self.paths)
        version = ["ctr", f"--address={self.paths.containerd_socket}", "version"]
        wait_for(lambda: True if succeeds(version) else None, 30, f"containerd (see {self.paths.logs})")
        for image in SYSTEM_IMAGES:
            loader.load(image)

    def _link_programs(self, artifacts: Artifacts) -> None:
        """What `env` puts on the PATH."""
        links = self.paths.state / "bin"
        links.mkdir(exist_ok=True)
        for program in (artifacts.kube / "kubectl", artifacts.gateway / "helm"):
            (links / program.name).unlink(missing_ok=True)
            (links / program.name).symlink_to(program)

    def _stop(self) -> None:
        """End every process: killing the holder takes all that is inside its namespaces."""
        for name in ("forward", "holder", "unshare"):
            process = PidFile(self.paths.run / f"{name}.pid").read()
            if process:
                process.stop(grace=0.5)
        cgroups.remove(self.paths.cgroup)

    def _remove(self) -> None:
        self._stop()
        for mount in mounts_below(self.paths.state, self.paths.run):
            succeeds(["umount", "--lazy", mount])
        for directory in (self.paths.run, self.paths.state):
            if directory.exists():
                shutil.rmtree(directory)
        with suppress(OSError):
            self.paths.state.parent.rmdir()
        if not any(self.paths.run.parent.glob("*/holder.pid")):  # removing another cluster's mount point unmounts it
            with suppress(OSError):
                CNI_CACHE.rmdir()

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One `up` or `down` at a time; the second waits and then finds the work done."""
        self.paths.lock.parent.mkdir(parents=True, exist_ok=True)
        with self.paths.lock.open("w", encoding="utf-8") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self.progress.say(f"Waiting for another `up` or `down` of cluster {self.paths.name}.")
                fcntl.flock(handle, fcntl.LOCK_EX)
            yield


def mounts_below(*directories: Path) -> list[str]:
    """Mount points under these directories, deepest first: none if the sandbox did its job."""
    listed = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    points = [line.split()[4] for line in listed]
    below = [point for point in points if any(point.startswith(f"{directory}{os.sep}") for directory in directories)]
    return sorted(below, key=len, reverse=True)
