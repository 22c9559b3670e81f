"""How the stack reaches MLflow, on a cluster of ours and on anybody else's."""

from __future__ import annotations

import os
from typing import Any

import pytest
import yaml

from hack.stack.commands import Shell, StackError
from hack.stack.forward import forward
from hack.stack.install import mlflow_manifest
from tests.unit.hack_clusters.conftest import Programs


def service(*, owned: bool) -> dict[str, Any]:
    objects = list(yaml.safe_load_all(mlflow_manifest("mine/mlflow:1", owned=owned)))
    deployment = next(item for item in objects if item["kind"] == "Deployment")
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == "mine/mlflow:1"
    spec: dict[str, Any] = next(item for item in objects if item["kind"] == "Service")["spec"]
    return spec


def test_mlflow_is_on_a_node_port_of_our_own_clusters_only() -> None:
    assert service(owned=True)["ports"][0]["nodePort"] == 30500
    assert service(owned=False)["type"] == "ClusterIP"
    assert "nodePort" not in service(owned=False)["ports"][0]


def test_elsewhere_kubectl_forwards_a_port_of_this_machine_only(programs: Programs) -> None:
    programs.add("kubectl", ("*", "echo 'Forwarding from 127.0.0.1:4711 -> 5000'"))
    assert forward(Shell(dict(os.environ)), "mlflow", "service/mlflow", 5000) == "http://127.0.0.1:4711"
    (call,) = programs.calls()
    assert call == "kubectl --namespace mlflow port-forward --address 127.0.0.1 service/mlflow :5000"


def test_a_forward_that_fails_says_why(programs: Programs) -> None:
    programs.add("kubectl", ("*", "echo 'no such service' >&2; exit 1"))
    with pytest.raises(StackError, match="no such service"):
        forward(Shell(dict(os.environ)), "mlflow", "service/mlflow", 5000)
