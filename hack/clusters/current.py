"""The cluster of the user's current kubeconfig context. Only when it is asked for by name: CLUSTER=current."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hack.cluster.errors import ClusterError
from hack.clusters.base import Push, attempt, need, state

PRESENT = "present"
GATEWAY = {
    "apiVersion": "gateway.networking.k8s.io/v1",
    "kind": "Gateway",
    "metadata": {"name": "public", "namespace": "gateways"},
    "spec": {
        "listeners": [
            {"name": "http", "protocol": "HTTP", "port": 80, "allowedRoutes": {"namespaces": {"from": "All"}}}
        ],
    },
}
HELP = """\
CLUSTER=current needs to be told, in the environment:
  SLUICE_REGISTRY=HOST/PATH   where images are pushed to and your cluster pulls from; or
  SLUICE_REGISTRY=present     if the nodes have the images already (they share this machine's image store)
  GATEWAY_CLASS=NAME          unless there is a Gateway `public` in namespace `gateways`: the class to make it with
  GATEWAY_URL=http://…        unless the Gateway has an address that this machine reaches
  MLFLOW_TRACKING_URI=http…   only if you forward a port to MLflow yourself"""


@dataclass(frozen=True)
class Current:
    """A cluster that somebody else runs: it is never created, deleted or configured, only used."""

    engine: str | None = None

    def up(self) -> None:
        """Say which cluster it is and what will be made there; make sure of the Gateway."""
        need("kubectl", "install it")
        need("helm", "install Helm 3.17 or newer")
        self._registry()
        context = self._freeze()
        print(announcement(context, self._server()), file=sys.stderr, flush=True)
        fine, said = self._kubectl("get", "--raw", "/readyz")
        if not fine:
            raise ClusterError(f"The cluster of context {context} does not answer: {said}")
        self._gateway()

    def down(self) -> None:
        """Refuse: it is not ours."""
        raise ClusterError(
            "CLUSTER=current is your own cluster and is left as it is. To take away what was put there:\n"
            "  helm uninstall sluice --namespace sluice-system\n"
            "  kubectl delete namespace demo mlflow sluice-system\n"
            "and, if they were made for this: kubectl delete namespace gateways; "
            "kubectl delete crd -l app.kubernetes.io/name=sluice"
        )

    def status(self) -> int:
        """Print its context, its nodes and its gateways."""
        need("kubectl", "install it")
        print(f"context {self._freeze()} at {self._server()}", flush=True)
        fine, said = self._kubectl("get", "nodes,gateways", "-A")
        print(said, flush=True)
        return 0 if fine else 1

    def env(self) -> Mapping[str, str]:
        """The context as it was when the run began, and what the user says."""
        if not self.kubeconfig.exists():
            raise ClusterError("The context is not known yet: run `make cluster-up CLUSTER=current`.")
        found = {"KUBECONFIG": str(self.kubeconfig), "GATEWAY_URL": os.environ.get("GATEWAY_URL") or self._address()}
        if uri := os.environ.get("MLFLOW_TRACKING_URI"):
            found["MLFLOW_TRACKING_URI"] = uri
        return found

    def reference(self, image: str) -> str:
        """Images are named after the registry."""
        registry = self._registry()
        return image if registry == PRESENT else f"{registry.rstrip('/')}/{image.rpartition('/')[2]}"

    def load(self, images: Sequence[str], push: Push) -> None:
        """Push them, unless the nodes have them."""
        if self._registry() != PRESENT:
            for image in images:
                push(image)

    @property
    def kubeconfig(self) -> Path:
        """A copy of the context, so that switching to another one in mid-run redirects nothing."""
        return state("current", "kubeconfig")

    def _freeze(self) -> str:
        fine, context = attempt(["kubectl", "config", "current-context"])
        if not fine:
            raise ClusterError(f"There is no current context: choose one with kubectl config use-context. ({context})")
        view = ["kubectl", "config", "view", "--context", context, "--minify", "--flatten", "--raw"]
        fine, content = attempt(view)
        if not fine:
            raise ClusterError(f"The context {context} can't be read: {content}")
        descriptor = os.open(self.kubeconfig, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content + "\n")
        return context

    def _server(self) -> str:
        view = ("config", "view", "--output", "jsonpath={.clusters[0].cluster.server}")
        return self._kubectl(*view)[1]

    def _gateway(self) -> None:
        gateway = ("--namespace", "gateways", "get", "gateway", "public")
        if self._kubectl(*gateway)[0]:
            return
        name = os.environ.get("GATEWAY_CLASS")
        if not name:
            raise ClusterError(f"There is no Gateway gateways/public.\n{HELP}")
        namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "gateways"}}
        spec = GATEWAY | {"spec": {"gatewayClassName": name, **GATEWAY["spec"]}}  # type: ignore[dict-item]
        for manifest in (namespace, spec):
            fine, said = self._kubectl("apply", "-f", "-", stdin=json.dumps(manifest))
            if not fine:
                raise ClusterError(f"The Gateway can't be made: {said}")
        fine, said = self._kubectl("--namespace", "gateways", "wait", "gateway/public", "--for=condition=Programmed",
                                   "--timeout=180s")  # fmt: skip
        if not fine:
            raise ClusterError(f"The Gateway gateways/public of class {name} does not get ready: {said}")

    def _address(self) -> str:
        path = "jsonpath={.status.addresses[0].value}"
        fine, address = self._kubectl("--namespace", "gateways", "get", "gateway", "public", "--output", path)
        if not fine or not address:
            raise ClusterError(f"The Gateway gateways/public has no address.\n{HELP}")
        return f"http://[{address}]" if ":" in address else f"http://{address}"

    def _registry(self) -> str:
        registry = os.environ.get("SLUICE_REGISTRY", "")
        if not registry:
            raise ClusterError(f"Your cluster needs images.\n{HELP}")
        return registry

    def _kubectl(self, *arguments: str, stdin: str | None = None) -> tuple[bool, str]:
        return attempt(["kubectl", "--kubeconfig", str(self.kubeconfig), *arguments], stdin)


def announcement(context: str, server: str) -> str:
    """What is about to happen to whom."""
    return f"""\
CLUSTER=current: this uses YOUR cluster
  context    {context}
  server     {server}
and creates or changes there:
  CustomResourceDefinitions of sluice.dev, ClusterRoles sluice*
  namespace sluice-system   the operator, by Helm
  namespace mlflow          an MLflow without a log-in, reachable within the cluster only
  namespace gateways        a Gateway `public`, if there is none
  namespace demo, bench or t-*   the models of the demo, the benchmarks or the tests"""
