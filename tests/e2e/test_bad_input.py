"""Bad input is met with a sentence that says what to do, and nothing is lost."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from hack.load import Load
from hack.stack.install import MODEL
from tests.e2e.subject import Subject, candidate, condition, is_true, rejected, stable

FIRST, BETTER = 1, 2
GATEWAY = {"name": "public", "namespace": "gateways"}


def bring_back(subject: Subject, **spec: Any) -> None:
    """What was wrong is put right: it must install."""
    subject.alias_to(FIRST)
    subject.apply(**spec)
    subject.until(lambda s: stable(s) == FIRST and is_true(s, "Ready"), "it serves once the input is right")


@pytest.mark.parametrize(
    ("uri", "reason", "says"),
    [
        pytest.param("models:/nobody@champion", "ModelNotFound", "nobody", id="no such model"),
        pytest.param(f"models:/{MODEL}@nothing", "AliasNotFound", "nothing", id="no such alias"),
        pytest.param(f"models:/{MODEL}/999", "VersionNotFound", "999", id="no such version"),
    ],
)
def test_a_model_that_is_not_there_is_named(subject: Subject, uri: str, reason: str, says: str) -> None:
    subject.apply(model={"uri": uri})
    status = subject.until(lambda s: condition(s, "Progressing").get("reason") == reason, f"it says {reason}")
    assert says in status["message"]
    assert reason in [told for told, _ in subject.events()], "and `kubectl describe` tells it too"
    bring_back(subject)


def test_no_such_gateway_is_named_and_mended_by_an_edit(subject: Subject) -> None:
    subject.alias_to(FIRST)
    subject.apply(traffic={"gateway": {"name": "nowhere"}, "pathPrefix": f"/{subject.namespace}"})
    status = subject.until(lambda s: condition(s, "Degraded").get("reason") == "GatewayNotFound", "it says so")
    assert f"{subject.namespace}/nowhere" in status["message"]
    assert not is_true(status, "Ready")
    bring_back(subject)


def test_a_route_that_the_gateway_refuses_is_told_with_the_gateways_words(subject: Subject) -> None:
    gateway = {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "Gateway",
        "metadata": {"name": "picky", "namespace": subject.namespace},
        "spec": {
            "gatewayClassName": "eg",
            "listeners": [
                {"name": "http", "protocol": "HTTP", "port": 80, "hostname": "only.example",
                 "allowedRoutes": {"namespaces": {"from": "Same"}}}
            ],
        },
    }  # fmt: skip
    subject.stack.shell.apply(json.dumps(gateway))
    subject.alias_to(FIRST)
    subject.apply(traffic={"gateway": {"name": "picky"}, "hostnames": ["other.example"]})
    status = subject.until(lambda s: is_true(s, "Degraded"), "it says so")
    assert "gateway refuses the route" in status["message"]
    assert not is_true(status, "Available")


def test_an_image_that_does_not_exist_is_rolled_back(subject: Subject) -> None:
    subject.install(FIRST)
    subject.patch({"server": {"image": "localhost/nobody:none"}})
    status = subject.until(lambda s: bool(s.get("rejected")), "it is rolled back")
    assert "nobody" in status["rejected"][-1]["message"]
    assert stable(status) == FIRST
    subject.until(lambda s: is_true(s, "Available"), "stable still serves")


def test_pods_that_crash_are_rolled_back_with_their_last_words(subject: Subject) -> None:
    subject.install(FIRST)
    subject.patch({"server": {"image": subject.stack.images["operator"]}})  # it can fetch models, but not serve any
    status = subject.until(lambda s: bool(s.get("rejected")), "it is rolled back")
    assert status["rejected"][-1]["reason"] == "Crashed"
    assert "No module named" in status["rejected"][-1]["message"]
    assert stable(status) == FIRST


def test_pods_that_run_and_never_get_ready_are_rolled_back_at_the_deadline(subject: Subject) -> None:
    subject.install(FIRST)
    hardly_any = {"resources": {"requests": {"cpu": "2m"}, "limits": {"cpu": "2m", "memory": "1Gi"}}}
    subject.patch({"server": hardly_any, "progressDeadlineSeconds": 15})
    status = subject.until(lambda s: bool(s.get("rejected")), "it is rolled back")
    assert status["rejected"][-1]["reason"] == "ProgressDeadlineExceeded"
    assert "0 of 1 pods ready" in status["rejected"][-1]["message"]
    assert stable(status) == FIRST


def test_pods_that_find_no_node_are_rolled_back_at_the_deadline(subject: Subject) -> None:
    subject.install(FIRST)
    unschedulable = {"resources": {"requests": {"cpu": "900"}, "limits": {"memory": "1Gi"}}}
    subject.patch({"server": unschedulable, "progressDeadlineSeconds": 10})
    status = subject.until(lambda s: bool(s.get("rejected")), "it is rolled back")
    assert status["rejected"][-1]["reason"] == "ProgressDeadlineExceeded"
    assert "Insufficient cpu" in status["rejected"][-1]["message"]


def test_an_artifact_with_another_digest_is_never_served(subject: Subject) -> None:
    stack = subject.stack
    subject.install(FIRST)
    (made,) = stack.train("demo-version", "better", "--name", MODEL)
    version = int(str(made["version"]))
    wrong = {"name": MODEL, "version": str(version), "key": "sluice.dev/digest", "value": "sha256:" + "0" * 64}
    stack.shell.run(
        "curl", "--silent", "--fail", "--json", json.dumps(wrong),
        f"{stack.mlflow_url}/api/2.0/mlflow/model-versions/set-tag",
    )  # fmt: skip
    subject.alias_to(version)
    status = subject.until(lambda s: rejected(s) == version, "it is rolled back")
    assert status["rejected"][-1]["reason"] == "DigestMismatch"
    assert stable(status) == FIRST


@pytest.mark.alone
def test_mlflow_may_be_down_at_create_and_in_mid_rollout(subject: Subject, traffic: Callable[[float], Load]) -> None:
    subject.alias_to(FIRST)
    try:
        mlflow_down(subject)
        subject.apply()
        status = subject.until(
            lambda s: condition(s, "Progressing").get("reason") == "RegistryUnreachable", "it says so"
        )
        assert "MLflow" in status["message"]
        mlflow_up(subject)
        subject.until(lambda s: stable(s) == FIRST and is_true(s, "Ready"), "it installs when MLflow is back")
        with traffic(40) as load:
            subject.alias_to(BETTER)
            subject.until(lambda s: s.get("rollout", {}).get("weight", 0) > 0, "traffic is shifted")
            mlflow_down(subject)
            subject.until(lambda s: stable(s) == BETTER, "what has begun is brought to its end")
            assert candidate(subject.status()) == 0
        assert [answer for answer in load.answers if answer.failed] == []
    finally:
        mlflow_up(subject)


def mlflow_down(subject: Subject) -> None:
    """Cut MLflow off from everybody, without losing what it stores."""
    patch = {"spec": {"selector": {"app.kubernetes.io/cut-off": "yes"}}}
    kubectl = subject.stack.shell.kubectl
    kubectl("-n", "mlflow", "patch", "service", "mlflow", "--patch", json.dumps(patch))
    # Connections that are open would live on: end the process. Its container starts again, with its files.
    kubectl("-n", "mlflow", "exec", "deployment/mlflow", "--", "python", "-c", "import os; os.kill(1, 15)")


def mlflow_up(subject: Subject) -> None:
    """Connect it again."""
    patch = {"spec": {"selector": {"app.kubernetes.io/cut-off": None}}}
    kubectl = subject.stack.shell.kubectl
    kubectl("-n", "mlflow", "wait", "--for=condition=Ready", "pods", "--all", "--timeout=120s")
    kubectl("-n", "mlflow", "patch", "service", "mlflow", "--patch", json.dumps(patch))
