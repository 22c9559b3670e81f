"""Envoy Gateway, installed with Helm from the chart that its own Go module carries."""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from hack.cluster import versions
from hack.cluster.api import GATEWAY_CLASS, Api, gateway_serves
from hack.cluster.build import GATEWAY as MODULE
from hack.cluster.build import Toolchain, module_directory
from hack.cluster.errors import ClusterError
from hack.cluster.paths import SOURCES, Cache, ClusterPaths
from hack.cluster.progress import Progress
from hack.cluster.shell import run

NAMESPACE = "envoy-gateway-system"
RELEASE = "eg"
MANIFESTS = SOURCES / "manifests"


def chart(cache: Cache, toolchain: Toolchain) -> Path:
    """Finish the chart as its release process would: fill in the image and the version."""
    target = cache.downloads / f"gateway-helm-{versions.ENVOY_GATEWAY}"
    if target.is_dir():
        return target
    source = module_directory(MODULE, "github.com/envoyproxy/gateway", toolchain) / "charts" / "gateway-helm"
    cache.downloads.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=cache.downloads) as scratch:
        copy = Path(scratch) / "chart"
        shutil.copytree(source, copy, copy_function=shutil.copyfile)
        for path in (copy, *copy.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        values = (copy / "values.tmpl.yaml").read_text(encoding="utf-8")
        (copy / "values.yaml").write_text(fill(values), encoding="utf-8")
        description = (copy / "Chart.yaml").read_text(encoding="utf-8")
        description = description.replace("v0.0.0-latest", f"v{versions.ENVOY_GATEWAY}")
        (copy / "Chart.yaml").write_text(
            description.replace('appVersion: "latest"', f"appVersion: v{versions.ENVOY_GATEWAY}"), encoding="utf-8"
        )
        copy.rename(target)
    return target


def fill(values: str) -> str:
    """Put our image into the values' template."""
    filled = values.replace("${GatewayImage}", versions.GATEWAY_IMAGE)
    return filled.replace("${GatewayImagePullPolicy}", "IfNotPresent")


@dataclass(frozen=True)
class GatewayInstaller:
    """Installs once per cluster; a cluster that has the release keeps it."""

    paths: ClusterPaths
    api: Api
    port: int
    """Where the gateway answers on 127.0.0.1."""
    programs: Path
    kubectl: Path
    chart: Path

    def install_types(self) -> None:
        """Create the chart's CRDs: Helm takes them one by one, and only after everything else is there."""
        if not self._released():
            apply(self.kubectl, self.paths, self.chart / "charts" / "crds" / "crds")

    def install(self, progress: Progress) -> None:
        """Install the controller and the public gateway, and wait until Envoy serves it."""
        if not gateway_serves(self.api, self.port):
            if not self._released():
                with progress.step("helm install Envoy Gateway"):
                    self._helm("uninstall", RELEASE, "--ignore-not-found", "--no-hooks")
                    self._helm("install", RELEASE, self.chart, "--create-namespace", "--skip-crds", "--timeout=120s",
                               f"--values={MANIFESTS}/gateway-values.yaml")  # fmt: skip
            with progress.step("gateway serves"):
                apply(self.kubectl, self.paths, MANIFESTS / "gateway.yaml")
                self.api.wait(lambda api: api.condition(GATEWAY_CLASS, "Accepted"), 60, "the GatewayClass")
                self._wait_until_it_serves()

    def _wait_until_it_serves(self) -> None:
        what = f"the Gateway (see `kubectl describe -n {NAMESPACE} pods`)"
        try:
            self.api.wait(lambda api: gateway_serves(api, self.port), 30, what)
        except ClusterError:
            # On a busy machine Envoy Gateway 1.9.1 may have looked for the Gateway's address before it knew the node,
            # and looks again only when something that the address depends on changes.
            selector = "gateway.envoyproxy.io/owning-gateway-name=public"
            run([self.kubectl, f"--kubeconfig={self.paths.kubeconfig}", f"--cache-dir={self.paths.state}/kubectl-cache",
                 "annotate", "services", f"--namespace={NAMESPACE}", f"--selector={selector}",
                 f"sluice.dev/nudged={int(time.time())}", "--overwrite"])  # fmt: skip
            self.api.wait(lambda api: gateway_serves(api, self.port), 120, what)

    def _released(self) -> bool:
        """A release whose installation was interrupted does not count."""
        selector = "labelSelector=owner%3Dhelm,status%3Ddeployed"
        secrets = self.api.object(f"/api/v1/namespaces/{NAMESPACE}/secrets?{selector}")
        return bool(secrets and secrets["items"])

    def _helm(self, *arguments: str | Path) -> None:
        kubeconfig = f"--kubeconfig={self.paths.kubeconfig}"
        run([self.programs / "helm", *arguments, f"--namespace={NAMESPACE}", kubeconfig],
            env={"HELM_CACHE_HOME": f"{self.paths.state}/helm", "HELM_CONFIG_HOME": f"{self.paths.state}/helm",
                 "HELM_DATA_HOME": f"{self.paths.state}/helm"})  # fmt: skip


def apply(kubectl: Path, paths: ClusterPaths, manifest: Path) -> None:
    """Apply a manifest or a directory of them."""
    run([kubectl, f"--kubeconfig={paths.kubeconfig}", "apply", "--server-side", "--force-conflicts",
         f"--cache-dir={paths.state}/kubectl-cache", "--recursive", "-f", manifest])  # fmt: skip
