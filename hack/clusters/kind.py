"""A cluster of kind's, where Docker runs: https://kind.sigs.k8s.io."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from hack.cluster import versions
from hack.cluster.errors import ClusterError
from hack.cluster.progress import Progress
from hack.cluster.shell import run
from hack.clusters.base import MANIFESTS, Push, attempt, need, state

NAME = "sluice"
CHART = "oci://docker.io/envoyproxy/gateway-helm"
METRICS_CHARTS = "https://kubernetes-sigs.github.io/metrics-server/"
GATEWAY_NAMESPACE = "envoy-gateway-system"
# Node port → port on 127.0.0.1. Others than the embedded cluster's, which may run at the same time.
PORTS = {30080: 28080, 30500: 25000}
PROGRAMS = {
    "kind": "install kind 0.30 or newer",
    "kubectl": "install it",
    "helm": "install Helm 3.17 or newer",
    "docker": "install it",
}


@dataclass(frozen=True)
class Kind:
    """The one kind cluster of this project; its kubeconfig is a file of its own, the user's is not touched."""

    engine: str | None = "docker"
    progress: Progress = field(default_factory=Progress)

    def up(self) -> None:
        """Create it with the two ports, and install Envoy Gateway and metrics-server by their charts."""
        self.check()
        if NAME not in run(["kind", "get", "clusters"]).split():
            with self.progress.step("kind create cluster"):
                run(["kind", "create", "cluster", "--name", NAME, "--config", "-", "--wait", "180s",
                     "--kubeconfig", self.kubeconfig], stdin=json.dumps(configuration()))  # fmt: skip
        elif not self.kubeconfig.exists():
            run(["kind", "export", "kubeconfig", "--name", NAME, "--kubeconfig", self.kubeconfig])
        with self.progress.step("metrics-server"):
            # kind's kubelet serves with a certificate that nobody has signed.
            run(["helm", "upgrade", "--install", "metrics-server", "metrics-server", "--repo", METRICS_CHARTS,
                 "--version", versions.METRICS_SERVER_CHART, "--kubeconfig", self.kubeconfig,
                 "--namespace", "kube-system", "--set", "args={--kubelet-insecure-tls}",
                 "--wait", "--timeout", "5m"])  # fmt: skip
        with self.progress.step("Envoy Gateway"):
            run(["helm", "upgrade", "--install", "eg", CHART, "--version", f"v{versions.ENVOY_GATEWAY}", "--kubeconfig",
                 self.kubeconfig, "--namespace", GATEWAY_NAMESPACE, "--create-namespace", "--values",
                 MANIFESTS / "gateway-values.yaml", "--wait", "--timeout", "5m"])  # fmt: skip
            self._kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "Namespace",
                                                                 "metadata": {"name": "gateways"}}))  # fmt: skip
            self._kubectl("apply", "--server-side", "-f", MANIFESTS / "gateway.yaml")
            self._kubectl("--namespace", "gateways", "wait", "gateway/public", "--for=condition=Programmed",
                          "--timeout=300s")  # fmt: skip

    def check(self) -> None:
        """Say at once what is missing."""
        for program, hint in PROGRAMS.items():
            need(program, f"{hint}, or leave CLUSTER out for the embedded cluster")
        running, said = attempt(["docker", "info", "--format", "{{.ServerVersion}}"])
        if not running:
            last = said.splitlines()[-1] if said else "nothing"
            raise ClusterError(f"Docker is not running: start it, and run this again. `docker info` says: {last}")

    def down(self) -> None:
        """Delete it."""
        self.check()
        run(["kind", "delete", "cluster", "--name", NAME, "--kubeconfig", self.kubeconfig])
        self.kubeconfig.unlink(missing_ok=True)

    def status(self) -> int:
        """Print its nodes and its gateway."""
        fine, said = attempt(["kubectl", "--kubeconfig", str(self.kubeconfig), "get", "nodes,gateways", "-A"])
        print(said if fine else f"the kind cluster {NAME} does not answer: {said}", flush=True)
        return 0 if fine else 1

    def env(self) -> Mapping[str, str]:
        """The ports lead straight to the node's."""
        if not self.kubeconfig.exists():
            raise ClusterError("There is no kind cluster yet: run `make cluster-up CLUSTER=kind`.")
        gateway, mlflow = (f"http://127.0.0.1:{port}" for port in PORTS.values())
        return {"KUBECONFIG": str(self.kubeconfig), "GATEWAY_URL": gateway, "MLFLOW_TRACKING_URI": mlflow}

    def reference(self, image: str) -> str:
        """Images keep their names."""
        return image

    def load(self, images: Sequence[str], push: Push) -> None:
        """Copy from Docker's store to the node; kind leaves out what is there."""
        for image in images:
            with self.progress.step(f"kind load {image}"):
                run(["kind", "load", "docker-image", image, "--name", NAME])

    @property
    def kubeconfig(self) -> Path:
        """Where its kubeconfig is kept."""
        return state("kind", NAME, "kubeconfig")

    def _kubectl(self, *arguments: str | Path, stdin: str | None = None) -> None:
        run(["kubectl", "--kubeconfig", self.kubeconfig, *arguments], stdin=stdin)


def configuration() -> dict[str, object]:
    """One node, and the gateway and MLflow on ports of this machine that nobody else can reach."""
    mappings = [{"containerPort": node, "hostPort": host, "listenAddress": "127.0.0.1"} for node, host in PORTS.items()]
    return {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "nodes": [{"role": "control-plane", "extraPortMappings": mappings}],
    }
