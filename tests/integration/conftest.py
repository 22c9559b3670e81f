"""A real API server: the one of SLUICE_TEST_KUBECONFIG, of SLUICE_TEST_CLUSTER, or the embedded `sluice-test`.

Never the user's current context: a test may not touch a cluster that nobody named.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from kubernetes import config

from tests.exclusive import one_at_a_time

ROOT = Path(__file__).resolve().parents[2]
CLUSTER = os.environ.get("SLUICE_TEST_CLUSTER", "sluice-test")
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


@dataclass(frozen=True)
class Answer:
    """What the API server said."""

    status: int
    body: dict[str, Any]

    @property
    def ok(self) -> bool:
        return self.status < 400

    @property
    def message(self) -> str:
        return str(self.body.get("message", ""))


class Server:
    """Plain requests to the API server: the tests look at its own words, not at a library's."""

    def __init__(self, kubeconfig: Path) -> None:
        self.client: Any = config.new_client_from_config(str(kubeconfig))

    def call(
        self, method: str, path: str, body: Any = None, *, kind: str = "json", accept: str = "json", **query: str
    ) -> Answer:
        headers = {"Content-Type": f"application/{kind}", "Accept": f"application/{accept}"}
        request = self.client.param_serialize(
            method,
            path,
            query_params=list(query.items()),
            header_params=headers,
            body=body,
            auth_settings=["BearerToken"],
        )
        response = self.client.call_api(*request, _request_timeout=30)
        return Answer(response.status, json.loads(response.read()))

    def merge(self, path: str, patch: Any, **query: str) -> Answer:
        return self.call("PATCH", path, patch, kind="merge-patch+json", **query)


def cluster(*arguments: str) -> str:
    run = subprocess.run(
        ["python3", "-m", "hack.clusters", *arguments, "--name", CLUSTER],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        pytest.fail(f"the cluster {CLUSTER} is not there (hack.clusters {arguments[0]}):\n{run.stderr}", pytrace=False)
    return run.stdout


@pytest.fixture(scope="session")
def kubeconfig() -> Path:
    if named := os.environ.get("SLUICE_TEST_KUBECONFIG"):
        return Path(named)
    cluster("up")
    lines = dict(line.removeprefix("export ").split("=", 1) for line in cluster("env").splitlines())
    return Path(lines["KUBECONFIG"])


@pytest.fixture(scope="session")
def server(kubeconfig: Path) -> Iterator[Server]:
    server = Server(kubeconfig)
    yield server
    server.client.rest_client.pool_manager.clear()


@pytest.fixture(scope="session")
def installed(server: Server) -> dict[str, Any]:
    """The checked-in CRDs, stored; returns ModelDeployment's. They stay there: other tests may use them by now."""
    texts = (ROOT / "manifests" / "crd.yaml").read_text()
    # A worker that finds them stored by another has to wait, as the other does, until the API server serves them.
    with one_at_a_time(f"{CLUSTER}-crds"):
        stored = {crd["metadata"]["name"]: store(server, crd) for crd in yaml.safe_load_all(texts)}
    return stored["modeldeployments.sluice.dev"]


def store(server: Server, wanted: dict[str, Any]) -> dict[str, Any]:
    path = f"{CRDS}/{wanted['metadata']['name']}"
    # Helm refuses to install over objects that are not marked as its own.
    wanted["metadata"] |= {
        "labels": {"app.kubernetes.io/managed-by": "Helm"},
        "annotations": {"meta.helm.sh/release-name": "sluice", "meta.helm.sh/release-namespace": "sluice-system"},
    }
    before = server.call("GET", path).body.get("metadata", {}).get("generation")
    answer = server.call("PATCH", path, wanted, kind="apply-patch+yaml", fieldManager="sluice-tests", force="true")
    assert answer.ok, answer.message
    for _ in range(100):
        crd = server.call("GET", path).body
        conditions = {c["type"]: c["status"] for c in crd.get("status", {}).get("conditions") or ()}
        if conditions.get("Established") == "True":
            break
        time.sleep(0.1)
    else:
        pytest.fail(f"the CRD is not established: {conditions}")
    if crd["metadata"]["generation"] != before:
        time.sleep(1)  # the API server replaces the handler of a changed CRD a moment after it says so
    return crd


@pytest.fixture(scope="session")
def namespace(server: Server, installed: dict[str, Any]) -> Iterator[str]:
    name = f"sluice-test-{uuid.uuid4().hex[:8]}"
    answer = server.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    assert answer.ok, answer.message
    yield name
    server.call("DELETE", f"/api/v1/namespaces/{name}")


@pytest.fixture(scope="session")
def kubectl(kubeconfig: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The real kubectl, at this cluster only."""

    def run(*arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
        command = ["kubectl", "--kubeconfig", str(kubeconfig), *arguments]
        return subprocess.run(command, input=text, capture_output=True, text=True, check=False)

    return run


@pytest.fixture
def objects(namespace: str) -> str:
    """The path of the ModelDeployments of the test's namespace."""
    return f"/apis/sluice.dev/v1alpha1/namespaces/{namespace}/modeldeployments"
