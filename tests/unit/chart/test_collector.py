"""The collector in the chart: absent unless wanted, one pod per SQLite file, and reached by those who should."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from hack import manifests
from tests.unit.chart.test_chart import URI, environment, helm, objects

__all__ = ["helm"]
pytestmark = pytest.mark.integration

ON = ("--set", "collector.enabled=true")
POSTGRES = (*ON, "--set", "collector.databaseUrl.secretName=pg")
NAME = "sluice-collector"
Object = dict[str, Any]


def collector(helm: str, *arguments: str) -> dict[str, Object]:
    """What belongs to the collector, by kind."""
    return {item["kind"]: item for item in objects(helm, *arguments) if item["metadata"]["name"] == NAME}


def pod(helm: str, *arguments: str) -> Object:
    spec: Object = collector(helm, *arguments)["Deployment"]["spec"]["template"]["spec"]
    return spec


def volumes(helm: str, *arguments: str) -> dict[str, Object]:
    return {volume["name"]: volume for volume in pod(helm, *arguments)["volumes"]}


def test_it_is_not_there_unless_wanted(helm: str) -> None:
    assert collector(helm) == {}
    assert "SLUICE_COLLECTOR_URL" not in environment(helm)


def test_the_operator_is_told_where_pods_of_any_namespace_reach_it(helm: str) -> None:
    operator = next(
        item for item in objects(helm, *ON) if item["metadata"]["name"] == "sluice" and item["kind"] == "Deployment"
    )
    (container,) = operator["spec"]["template"]["spec"]["containers"]
    env = {entry["name"]: entry["value"] for entry in container["env"]}
    assert env["SLUICE_COLLECTOR_URL"] == f"http://{NAME}.{manifests.NAMESPACE}.svc"
    service = collector(helm, *ON)["Service"]
    assert service["metadata"]["namespace"] == manifests.NAMESPACE
    (port,) = service["spec"]["ports"]
    assert port["port"] == 80
    labels = collector(helm, *ON)["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert service["spec"]["selector"].items() <= labels.items()
    (container,) = pod(helm, *ON)["containers"]
    assert port["targetPort"] in {one["name"] for one in container["ports"]}


def test_one_pod_has_the_file_of_sqlite_on_a_volume(helm: str) -> None:
    found = collector(helm, *ON)
    assert found["Deployment"]["spec"]["replicas"] == 1
    assert found["Deployment"]["spec"]["strategy"] == {"type": "Recreate"}
    assert volumes(helm, *ON)["data"]["persistentVolumeClaim"] == {"claimName": NAME}
    claim = found["PersistentVolumeClaim"]["spec"]
    assert claim == {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    named = collector(helm, *ON, "--set", "collector.persistence.storageClassName=fast")
    assert named["PersistentVolumeClaim"]["spec"]["storageClassName"] == "fast"


def test_without_persistence_the_file_goes_with_the_pod(helm: str) -> None:
    off = (*ON, "--set", "collector.persistence.enabled=false")
    assert volumes(helm, *off)["data"] == {"name": "data", "emptyDir": {"sizeLimit": "1Gi"}}
    assert "PersistentVolumeClaim" not in collector(helm, *off)


def test_with_postgresql_its_url_comes_from_a_secret_and_several_pods_may_run(helm: str) -> None:
    several = (*POSTGRES, "--set", "collector.replicas=2")
    (container,) = pod(helm, *several)["containers"]
    secret = {"secretKeyRef": {"name": "pg", "key": "url"}}
    assert container["env"] == [{"name": "SLUICE_DATABASE_URL", "valueFrom": secret}]
    assert set(volumes(helm, *several)) == {"tmp"}
    found = collector(helm, *several)
    assert "PersistentVolumeClaim" not in found
    assert found["Deployment"]["spec"]["replicas"] == 2
    assert found["Deployment"]["spec"]["strategy"]["type"] == "RollingUpdate"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("collector.replicas=2", "collector.replicas is 2, but SQLite is for one pod: write 1, or name the Secret"),
        ("collector.persistence.size=much", "'/collector/persistence/size': 'much' does not match pattern"),
        ("collector.databaseUrl.secretName=Pg_1", "'/collector/databaseUrl/secretName': 'Pg_1' does not match pattern"),
        ("collector.databaseUrl.url=x", "'/collector/databaseUrl': additional properties 'url' not allowed"),
        ("collector.on=true", "'/collector': additional properties 'on' not allowed"),
    ],
)
def test_bad_values_are_refused(helm: str, value: str, words: str) -> None:
    with pytest.raises(subprocess.CalledProcessError) as caught:
        manifests.render(helm, *URI, *ON, "--set", value)
    assert words in caught.value.stderr


@pytest.mark.parametrize("arguments", [ON, POSTGRES])
def test_its_pod_is_restricted_and_has_no_token(helm: str, arguments: tuple[str, ...]) -> None:
    spec = pod(helm, *arguments)
    assert spec["automountServiceAccountToken"] is False
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = spec["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}
    }  # fmt: skip


def test_only_the_operator_and_model_servers_reach_it(helm: str) -> None:
    policy = collector(helm, *ON)["NetworkPolicy"]["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert "egress" not in policy
    (rule,) = policy["ingress"]
    operator, servers = rule["from"]
    assert set(operator) == {"podSelector"}
    assert operator["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "operator"
    exists = {"key": "sluice.dev/model-deployment", "operator": "Exists"}
    assert servers == {"namespaceSelector": {}, "podSelector": {"matchExpressions": [exists]}}
    assert collector(helm, *POSTGRES)["NetworkPolicy"]["spec"]["policyTypes"] == ["Ingress"]
    assert "NetworkPolicy" not in collector(helm, *ON, "--set", "collector.networkPolicy.enabled=false")


def test_the_operators_policy_lets_it_out_to_the_collector_and_is_not_the_collectors(helm: str) -> None:
    found = objects(helm, *ON, "--set", "networkPolicy.enabled=true")
    policy = next(
        item["spec"] for item in found if item["kind"] == "NetworkPolicy" and item["metadata"]["name"] == "sluice"
    )
    labels = collector(helm, *ON)["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert not policy["podSelector"]["matchLabels"].items() <= labels.items()
    selectors = [to["podSelector"].get("matchLabels", {}) for rule in policy["egress"] for to in rule.get("to", ())]
    assert any(selector and selector.items() <= labels.items() for selector in selectors)
