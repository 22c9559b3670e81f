"""The chart, through real helm."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
import yaml

from hack import manifests

pytestmark = pytest.mark.integration

URI = ("--set", "mlflow.trackingUri=http://mlflow.mlflow.svc:5000")


@pytest.fixture(scope="module")
def helm() -> str:
    found = manifests.helm()
    if found is None:
        pytest.fail("no helm: `make cluster-up` builds one, or put your own into PATH", pytrace=False)
    return found


def objects(helm: str, *arguments: str) -> list[dict[str, Any]]:
    return [item for item in yaml.safe_load_all(manifests.render(helm, *URI, *arguments)) if item]


def rendered(helm: str, kind: str, *arguments: str) -> dict[str, Any]:
    return next(item for item in objects(helm, *arguments) if item["kind"] == kind)


def is_hook(item: dict[str, Any]) -> bool:
    return "helm.sh/hook" in item["metadata"].get("annotations", {})


def pod(helm: str, *arguments: str) -> dict[str, Any]:
    template: dict[str, Any] = rendered(helm, "Deployment", *arguments)["spec"]["template"]
    return template


def environment(helm: str, *arguments: str) -> dict[str, str]:
    (container,) = pod(helm, *arguments)["spec"]["containers"]
    return {entry["name"]: entry["value"] for entry in container["env"]}


def test_the_install_manifest_is_current(helm: str) -> None:
    path = manifests.ROOT / "manifests" / "install.yaml"
    assert path.read_text() == manifests.install(helm), "run `make manifests` and commit the result"


def test_helm_lint_finds_nothing(helm: str) -> None:
    command = [helm, "lint", "--strict", str(manifests.CHART), *URI, "--kube-version", "1.35.0"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "0 chart(s) failed" in run.stdout, run.stdout
    assert "[WARNING]" not in run.stdout


def test_helm_does_not_change_the_crds(helm: str) -> None:
    found = [item for item in objects(helm) if item["kind"] == "CustomResourceDefinition"]
    plain = list(yaml.safe_load_all((manifests.ROOT / "manifests" / "crd.yaml").read_text()))
    assert [item["spec"] for item in found] == [item["spec"] for item in plain]


def test_crds_may_be_somebody_elses(helm: str) -> None:
    kinds = {item["kind"] for item in objects(helm, "--set", "crds.install=false")}
    assert "CustomResourceDefinition" not in kinds
    assert "Deployment" in kinds


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("mlflow.trackingUri=", "mlflow.trackingUri is empty: say where your MLflow is"),
        ("mlflow.trackingUri=mlflow:5000", 'mlflow.trackingUri is "mlflow:5000", but must begin with http://'),
        ("logLevel=loud", "'/logLevel': value must be one of 'debug', 'info', 'warning', 'error'"),
        ("registry.pollSeconds=0", "'/registry/pollSeconds': minimum: got 0, want 0.5"),
        ("registry.pollSeconds=soon", "'/registry/pollSeconds': got string, want number"),
        ("image.pullPolicy=Sometimes", "'/image/pullPolicy': value must be one of"),
        ("image.repository=", "'/image/repository': minLength"),
        ("image.tag=12345", "'/image/tag': got number, want string"),
        ("replicas=two", "'/replicas': got string, want integer"),
        ("replicas=-1", "'/replicas': minimum: got -1, want 0"),
        ("replica=2", "additional properties 'replica' not allowed"),
        ("mlflow.uri=http://x", "'/mlflow': additional properties 'uri' not allowed"),
        ("tolerations=all", "'/tolerations': got string, want array"),
        ("watchNamespaces=all", "'/watchNamespaces': got string, want array"),
        ("watchNamespaces={Not_A_Name}", "'/watchNamespaces/0': 'Not_A_Name' does not match pattern"),
        ("watchNamespaces={a,a}", "'/watchNamespaces': items at 0 and 1 are equal"),
        ("networkPolicy.apiServerPorts={https}", "'/networkPolicy/apiServerPorts/0': got string, want integer"),
        ("networkPolicy.enabled=maybe", "'/networkPolicy/enabled': got string, want boolean"),
        ("crds.install=no", "'/crds/install': got string, want boolean"),
        ("imagePullSecrets={registry}", "'/imagePullSecrets/0': got string, want object"),
        ("serviceAccount.name=x", "'/serviceAccount': additional properties 'name' not allowed"),
    ],
)
def test_bad_values_are_refused(helm: str, value: str, words: str) -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        manifests.render(helm, *URI, "--set", value)
    assert words in caught.value.stderr


def test_images_follow_the_app_version_unless_named(helm: str) -> None:
    version = yaml.safe_load((manifests.CHART / "Chart.yaml").read_text())["appVersion"]
    assert pod(helm)["spec"]["containers"][0]["image"] == f"sluice/operator:{version}"
    assert environment(helm)["SLUICE_SERVER_IMAGE"] == f"sluice/server:{version}"
    named = ("--set", "image.repository=mine/op", "--set-string", "image.tag=12345", "--set", "server.image=mine/s:1")
    assert pod(helm, *named)["spec"]["containers"][0]["image"] == "mine/op:12345"
    assert environment(helm, *named)["SLUICE_SERVER_IMAGE"] == "mine/s:1"


def test_values_reach_the_operator(helm: str) -> None:
    found = environment(helm, "--set", "registry.pollSeconds=2", "--set", "logLevel=debug")
    assert found["SLUICE_MLFLOW_TRACKING_URI"] == "http://mlflow.mlflow.svc:5000"
    assert found["SLUICE_REGISTRY_POLL_SECONDS"] == "2"
    assert found["SLUICE_LOG_LEVEL"] == "DEBUG"


def test_values_reach_the_pod(helm: str) -> None:
    values = (
        "--set-json",
        'nodeSelector={"disk":"ssd"}',
        "--set-json",
        'tolerations=[{"key":"gpu","operator":"Exists"}]',
        "--set-json",
        'podAnnotations={"a":"b"}',
        "--set-json",
        'resources={"requests":{"cpu":"1"},"limits":null}',
    )
    found = pod(helm, *values)
    assert found["metadata"]["annotations"] == {"a": "b"}
    assert found["spec"]["nodeSelector"] == {"disk": "ssd"}
    assert found["spec"]["tolerations"] == [{"key": "gpu", "operator": "Exists"}]
    assert found["spec"]["containers"][0]["resources"]["requests"]["cpu"] == "1"
    account = rendered(helm, "ServiceAccount", "--set-json", 'serviceAccount.annotations={"role":"x"}')
    assert account["metadata"]["annotations"] == {"role": "x"}


def test_two_operators_stand_by_for_each_other(helm: str) -> None:
    deployment = rendered(helm, "Deployment")["spec"]
    assert deployment["replicas"] == 2
    assert deployment["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert rendered(helm, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    with pytest.raises(StopIteration):
        rendered(helm, "PodDisruptionBudget", "--set", "replicas=1")


def test_leases_are_written_in_its_own_namespace_only(helm: str) -> None:
    role = rendered(helm, "Role")
    name = environment(helm)["SLUICE_LEASE_NAME"]
    assert role["metadata"]["namespace"] == environment(helm)["SLUICE_LEASE_NAMESPACE"] == manifests.NAMESPACE
    assert [(rule.get("resourceNames"), rule["verbs"]) for rule in role["rules"]] == [
        ([name], ["get", "update"]), (None, ["create"]),
    ]  # fmt: skip
    groups = [group for rule in rendered(helm, "ClusterRole")["rules"] for group in rule["apiGroups"]]
    assert "coordination.k8s.io" not in groups


def test_a_new_chart_version_alone_restarts_no_operator(helm: str) -> None:
    assert set(pod(helm)["metadata"]["labels"]) == {f"app.kubernetes.io/{x}" for x in ("name", "instance", "component")}


def test_the_release_names_the_objects(helm: str) -> None:
    command = [helm, "template", "prod", str(manifests.CHART), *URI, "--kube-version", "1.35.0", "--namespace", "x"]
    found = yaml.safe_load_all(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    names = {item["metadata"]["name"] for item in found if item["kind"] != "CustomResourceDefinition"}
    assert all(name == "prod-sluice" or name.startswith("prod-sluice-") for name in names)


def test_nobody_is_notified_by_default_and_channels_come_from_a_secret_that_may_be_missing(helm: str) -> None:
    assert "SLUICE_NOTIFY_URLS" not in environment(helm)
    chosen = ("--set", "notifications.secretName=chat", "--set", "notifications.leaveOut={Repaired}")
    assert environment(helm, *chosen)["SLUICE_NOTIFY_URLS"] == "/etc/sluice/notifications/urls"
    assert environment(helm, *chosen)["SLUICE_NOTIFY_LEFT_OUT"] == "Repaired"
    spec = pod(helm, *chosen)["spec"]
    (volume,) = (volume for volume in spec["volumes"] if volume["name"] == "notifications")
    assert volume["secret"] == {"secretName": "chat", "optional": True, "items": [{"key": "urls", "path": "urls"}]}
    (mount,) = (one for one in spec["containers"][0]["volumeMounts"] if one["name"] == "notifications")
    assert mount == {"name": "notifications", "mountPath": "/etc/sluice/notifications", "readOnly": True}
