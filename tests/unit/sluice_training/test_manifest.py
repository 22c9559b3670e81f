"""The manifest keeps what the installer, restricted pod security and the clients rely on."""

from urllib.parse import urlsplit

import pytest

from tests.unit.sluice_training import tracking


def test_it_is_the_objects_that_the_installer_expects() -> None:
    objects = tracking.manifest()
    assert set(objects) == {"Namespace", "Deployment", "Service"}
    assert tracking.MANIFEST.read_text().count("image: localhost/sluice-mlflow:TAG") == 1
    assert {objects[kind]["metadata"]["namespace"] for kind in ("Deployment", "Service")} == {"mlflow"}
    assert objects["Namespace"]["metadata"]["labels"] == {"pod-security.kubernetes.io/enforce": "restricted"}


def test_the_service_leads_to_the_pod() -> None:
    service, deployment = tracking.manifest()["Service"]["spec"], tracking.manifest()["Deployment"]["spec"]
    assert service["type"] == "NodePort"
    assert service["ports"] == [{"name": "http", "port": 5000, "targetPort": "http", "nodePort": 30500}]
    assert service["selector"] == deployment["selector"]["matchLabels"] == deployment["template"]["metadata"]["labels"]


def test_the_pod_meets_the_restricted_standard_on_a_read_only_root() -> None:
    pod, container = tracking.pod(), tracking.container()
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 65532
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False  # or MLFLOW_PORT=tcp://… would be set
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/data", "/tmp"}
    assert all("emptyDir" in volume for volume in pod["volumes"])


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("mlflow.mlflow:5000", 200),
        ("mlflow.mlflow.svc:5000", 200),
        ("mlflow.mlflow.svc.cluster.local:5000", 200),
        ("127.0.0.1:15000", 200),
        ("localhost:30500", 200),
        ("evil.example:5000", 403),
    ],
)
def test_who_may_ask(host: str, status: int, tracking_uri: str) -> None:
    path = "/api/2.0/mlflow/registered-models/search?max_results=1"
    assert tracking.get(urlsplit(tracking_uri).port or 0, path, host=host)[0] == status


@pytest.mark.parametrize("probe", ["readinessProbe", "livenessProbe"])
def test_the_kubelet_which_names_an_address_may_ask_for_health(probe: str, tracking_uri: str) -> None:
    path = tracking.container()[probe]["httpGet"]["path"]
    assert tracking.get(urlsplit(tracking_uri).port or 0, path, host="10.1.2.3:5000")[0] == 200
