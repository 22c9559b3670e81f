"""The controllers that are compared: what their objects look like, and how they are started with default settings."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hack.cluster import versions
from hack.cluster.build import ARGO, Toolchain, build, module_directory
from hack.cluster.paths import Cache
from hack.cluster.progress import Progress
from hack.stack.commands import ROOT

Manifest = dict[str, Any]
IMAGE = "localhost/sluice-pause:1"


@dataclass(frozen=True)
class Contestant:
    """One controller, and what it looks after."""

    name: str
    version: str
    namespace: str
    collection: str
    object: Callable[[int], Manifest]
    is_done: Callable[[Manifest], bool]
    crds: tuple[Path, ...]
    command: tuple[str, ...]
    env: Mapping[str, str]


def sluice(kubeconfig: Path, tracking_uri: str, models: int) -> Contestant:
    """Sluice of this checkout; its objects follow so many different models."""
    namespace = "scale-sluice"

    def model_deployment(number: int) -> Manifest:
        spec = {
            "model": {"uri": f"models:/model-{number % models}@champion"},
            "replicas": 0,
            "progressDeadlineSeconds": 600,
            "traffic": {"gateway": {"name": "public", "namespace": "gateways"}, "pathPrefix": f"/{number}"},
            "strategy": {"canary": {"steps": [{"setWeight": 10}, {"pause": {"duration": "10m"}}]}},
        }
        return _object("sluice.dev/v1alpha1", "ModelDeployment", namespace, number, spec)

    return Contestant(
        name="Sluice",
        version="this commit",
        namespace=namespace,
        collection=f"/apis/sluice.dev/v1alpha1/namespaces/{namespace}/modeldeployments",
        object=model_deployment,
        is_done=has_ready_condition,
        crds=tuple(sorted((ROOT / "manifests").glob("crd*.yaml"))),
        command=(sys.executable, "-m", "sluice"),
        env={
            **os.environ,
            "KUBECONFIG": str(kubeconfig),
            "SLUICE_MLFLOW_TRACKING_URI": tracking_uri,
            "SLUICE_SERVER_IMAGE": IMAGE,
            "SLUICE_PORT": "18080",
        },
    )


def argo_rollouts(kubeconfig: Path, *options: str) -> Contestant:
    """Argo Rollouts, built from its module."""
    cache, progress = Cache.default(), Progress()
    toolchain = Toolchain.find(cache, progress)
    program = build(ARGO, toolchain, cache, progress) / "rollouts-controller"
    crds = module_directory(ARGO, "github.com/argoproj/argo-rollouts", toolchain) / "manifests" / "crds"
    namespace = "scale-argo"

    def rollout(number: int) -> Manifest:
        labels = {"app": f"model-{number}"}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "server", "image": IMAGE}]}}
        spec = {
            "replicas": 0,
            "progressDeadlineSeconds": 600,
            "selector": {"matchLabels": labels},
            "template": template,
            "strategy": {"canary": {"steps": [{"setWeight": 10}, {"pause": {"duration": "10m"}}]}},
        }
        return _object("argoproj.io/v1alpha1", "Rollout", namespace, number, spec)

    return Contestant(
        name=" ".join(("Argo Rollouts", *options)),
        version=versions.ARGO_ROLLOUTS,
        namespace=namespace,
        collection=f"/apis/argoproj.io/v1alpha1/namespaces/{namespace}/rollouts",
        object=rollout,
        is_done=has_phase,
        crds=tuple(sorted(crds.glob("*-crd.yaml"))),
        # One process each: an election would only add its own delays to a restart.
        command=(str(program), "--kubeconfig", str(kubeconfig), "--leader-elect=false", *options),
        env=dict(os.environ),
    )


def has_ready_condition(item: Manifest) -> bool:
    """Say whether Sluice has answered the spec as it stands."""
    status = item.get("status", {})
    ready = any(condition["type"] == "Ready" for condition in status.get("conditions", ()))
    return ready and status.get("observedGeneration") == item["metadata"]["generation"]


def has_phase(item: Manifest) -> bool:
    """Say whether Argo Rollouts has answered the spec as it stands; it writes the generation as a text."""
    status = item.get("status", {})
    return bool(status.get("phase")) and status.get("observedGeneration") == str(item["metadata"]["generation"])


def _object(api_version: str, kind: str, namespace: str, number: int, spec: Manifest) -> Manifest:
    meta = {"name": f"model-{number}", "namespace": namespace}
    return {"apiVersion": api_version, "kind": kind, "metadata": meta, "spec": spec}
