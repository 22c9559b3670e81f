"""The install manifest at a real API server: accepted, restricted, and allowed what it needs and no more."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
OBJECTS: list[dict[str, Any]] = list(yaml.safe_load_all((ROOT / "manifests" / "install.yaml").read_text()))
ROLES = "/apis/rbac.authorization.k8s.io/v1"
READ = ("get", "list", "watch")
WRITE = (*READ, "create", "patch", "delete")
SLUICE, APPS, GATEWAY = "sluice.dev", "apps", "gateway.networking.k8s.io"


def the(kind: str, name: str = "sluice") -> dict[str, Any]:
    return next(item for item in OBJECTS if (item["kind"], item["metadata"]["name"]) == (kind, name))


NEEDED = [
    *((SLUICE, "modeldeployments", "", verb) for verb in (*READ, "patch", "update")),
    *((SLUICE, "modeldeployments", "status", verb) for verb in ("get", "patch", "update")),
    *((SLUICE, "rolloutrecords", "", verb) for verb in ("get", "list", "create", "patch", "delete")),
    (SLUICE, "modeldeployments", "finalizers", "update"),
    *((APPS, "deployments", "", verb) for verb in WRITE),
    *((APPS, "controllerrevisions", "", verb) for verb in WRITE),
    *(("", "services", "", verb) for verb in WRITE),
    *(("autoscaling", "horizontalpodautoscalers", "", verb) for verb in WRITE),
    *(("policy", "poddisruptionbudgets", "", verb) for verb in WRITE),
    *(("batch", "jobs", "", verb) for verb in ("get", "list", "create", "delete")),
    *((GATEWAY, "httproutes", "", verb) for verb in WRITE),
    *(("gateway.envoyproxy.io", "backendtrafficpolicies", "", verb) for verb in WRITE),
    *(("", "pods", "", verb) for verb in READ),
    *(("discovery.k8s.io", "endpointslices", "", verb) for verb in READ),
    *((GATEWAY, "gateways", "", verb) for verb in READ),
    *(("apiextensions.k8s.io", "customresourcedefinitions", "", verb) for verb in READ),
    *((group, "events", "", verb) for group in ("", "events.k8s.io") for verb in ("create", "patch")),
]
FORBIDDEN = [
    *(("", "secrets", "", verb) for verb in WRITE),
    *(("", "pods", "", verb) for verb in ("create", "patch", "delete")),
    ("", "pods", "exec", "create"),
    ("", "configmaps", "", "get"),
    ("", "namespaces", "", "list"),
    ("", "serviceaccounts", "token", "create"),
    (SLUICE, "modeldeployments", "", "create"),
    (SLUICE, "modeldeployments", "", "delete"),
    (GATEWAY, "gateways", "", "patch"),
    (APPS, "daemonsets", "", "create"),
    ("apiextensions.k8s.io", "customresourcedefinitions", "", "patch"),
    ("rbac.authorization.k8s.io", "clusterroles", "", "patch"),
    ("rbac.authorization.k8s.io", "clusterrolebindings", "", "create"),
]


@pytest.fixture(scope="module")
def account(server: Any, namespace: str) -> Iterator[str]:
    """A user that has the operator's role, under a name that nobody else has."""
    name = f"sluice-test-{uuid.uuid4().hex[:8]}"
    user = f"system:serviceaccount:{namespace}:{name}"
    role = the("ClusterRole") | {"metadata": {"name": name}}
    binding = the("ClusterRoleBinding") | {
        "metadata": {"name": name},
        "roleRef": the("ClusterRoleBinding")["roleRef"] | {"name": name},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
    }
    assert server.call("POST", f"{ROLES}/clusterroles", role).ok
    assert server.call("POST", f"{ROLES}/clusterrolebindings", binding).ok
    yield user
    server.call("DELETE", f"{ROLES}/clusterrolebindings/{name}")
    server.call("DELETE", f"{ROLES}/clusterroles/{name}")


def may(server: Any, user: str, namespace: str, wish: tuple[str, str, str, str]) -> bool:
    group, resource, subresource, verb = wish
    attributes = {
        "namespace": namespace,
        "group": group,
        "resource": resource,
        "subresource": subresource,
        "verb": verb,
    }
    review = {"spec": {"user": user, "resourceAttributes": attributes}}
    answer = server.call("POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", review)
    assert answer.ok, answer.message
    return bool(answer.body["status"]["allowed"])


def test_the_operator_may_do_what_it_must(server: Any, account: str, namespace: str) -> None:
    assert [wish for wish in NEEDED if not may(server, account, namespace, wish)] == []


def test_the_operator_may_do_nothing_else(server: Any, account: str, namespace: str) -> None:
    assert [wish for wish in FORBIDDEN if may(server, account, namespace, wish)] == []


def test_the_role_names_nothing_that_is_not_needed() -> None:
    rules = [
        (group, resource.partition("/")[0], resource.partition("/")[2], verb)
        for rule in the("ClusterRole")["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    ]
    assert sorted(rules) == sorted(NEEDED)


def test_kubectl_applies_the_install_manifest(kubectl: Any, namespace: str) -> None:
    here = [item for item in OBJECTS if item["kind"] != "Namespace"]
    for item in here:
        if "namespace" in item["metadata"]:
            item["metadata"]["namespace"] = namespace
    text = "---\n".join(yaml.safe_dump(item) for item in here)
    run = kubectl("apply", "--server-side", "--dry-run=server", "--force-conflicts", "--filename", "-", text=text)
    assert run.returncode == 0, run.stderr
    assert run.stdout.count("serverside-applied (server dry run)") == len(here)
    assert "Warning" not in run.stderr


def test_pod_security_restricted_lets_the_operator_in(server: Any, namespace: str) -> None:
    enforce = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
    assert server.merge(f"/api/v1/namespaces/{namespace}", enforce).ok
    template = the("Deployment")["spec"]["template"]
    pod = template | {"metadata": {"name": "operator"}}
    pod["spec"] = {k: v for k, v in pod["spec"].items() if k != "serviceAccountName"}
    path = f"/api/v1/namespaces/{namespace}/pods"
    answer = server.call("POST", path, pod, dryRun="All", fieldValidation="Strict")
    assert answer.ok, answer.message
    loose = pod | {"spec": pod["spec"] | {"hostNetwork": True}}
    assert "violates PodSecurity" in server.call("POST", path, loose, dryRun="All").message
