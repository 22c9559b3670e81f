"""Installing, upgrading and taking away the operator: clients notice nothing, and nothing is stranded."""

from __future__ import annotations

import json
import re
import shutil
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hack.load import Load
from hack.stack.commands import ROOT
from hack.stack.install import NAMESPACE, RELEASE, Stack, helm, install_chart, values
from tests.e2e.faults import failed
from tests.e2e.subject import Subject, candidate, condition, is_true, stable, weight

pytestmark = pytest.mark.alone

FIRST, BETTER = 1, 2
HALF_AND_WAIT = {"canary": {"steps": [{"setWeight": 50}, {"pause": {"duration": "1h"}}]}}
Traffic = Callable[[float], Load]


@pytest.fixture(autouse=True)
def installed_afterwards(stack: Stack, subject: Subject) -> Iterator[None]:
    """Whatever a test does to the operator, the next finds it as usual, and so does what is cleaned up."""
    yield
    install_chart(stack)


@pytest.fixture
def other(stack: Stack, subject: Subject) -> Iterator[Subject]:
    """A second ModelDeployment in a namespace of its own."""
    made = Subject(stack, f"t-{uuid.uuid4().hex[:8]}")
    made.create_namespace()
    yield made
    made.remove()


def metadata(subject: Subject) -> dict[str, Any]:
    (found,) = subject.get("md")
    meta: dict[str, Any] = found["metadata"]
    return meta


def is_held(subject: Subject) -> bool:
    return "sluice.dev/finalizer" in metadata(subject).get("finalizers", [])


def of_release(stack: Stack) -> list[str]:
    """Everything in the cluster that has the release's label, but the CRDs."""
    kinds = "deployments,pods,jobs,serviceaccounts,roles,rolebindings,clusterroles,clusterrolebindings,leases"
    label = f"app.kubernetes.io/instance={RELEASE}"
    return stack.shell.kubectl("get", kinds, "--all-namespaces", "-l", label, "-o", "name").split()


def operators(stack: Stack) -> set[str]:
    label = "app.kubernetes.io/component=operator"
    return set(
        stack.shell.kubectl(
            "-n", NAMESPACE, "get", "pods", "-l", label, "-o", "jsonpath={.items[*].metadata.uid}"
        ).split()
    )


def versions_since(load: Load, since: int) -> set[str]:
    return {answer.version for answer in load.answers[since:]}


def test_an_uninstall_in_mid_rollout_leaves_traffic_flowing_and_a_new_install_goes_on(
    stack: Stack, subject: Subject, other: Subject, traffic: Traffic
) -> None:
    other.install(FIRST)
    subject.install(FIRST, strategy=HALF_AND_WAIT)
    with traffic(40) as load:
        subject.alias_to(BETTER)
        subject.until(lambda s: s.get("step") == "2/2 pause", "half of the traffic goes to version 2")
        assert is_held(subject)
        pods = {version: subject.pods_of(version) for version in (FIRST, BETTER)}
        routes = subject.get("httproutes")

        helm(stack, "uninstall", RELEASE)
        subject.until(lambda _: of_release(stack) == [], "nothing is left of it: what serves other pods ends last")
        assert not is_held(subject)
        assert "kopf" not in json.dumps(metadata(subject).get("annotations", {}))
        since = len(load.answers)
        other.kubectl("delete", "md", other.name, "--timeout=30s")
        for kind in ("httproutes", "deployments", "pods"):
            other.kubectl("wait", "--for=delete", kind, "--all", "--timeout=90s")
        time.sleep(3)  # of traffic without an operator
        assert versions_since(load, since) == {str(FIRST), str(BETTER)}
        assert subject.get("httproutes")[0]["spec"] == routes[0]["spec"]
        assert {version: subject.pods_of(version) for version in pods} == pods

        helm(stack, "install", RELEASE, "charts/sluice", *values(stack))
        subject.until(lambda _: is_held(subject), "the new operator takes hold of it")
        assert candidate(subject.status()) == BETTER
        subject.annotate("promote")
        subject.until(lambda s: stable(s) == BETTER and is_true(s, "Ready"), "version 2 is promoted")
    assert failed(load) == []
    assert pods[BETTER] <= subject.pods_of(BETTER)
    assert [reason for reason, _ in subject.events()].count("RolloutStarted") == 1


def test_an_upgrade_of_the_operator_in_mid_rollout_changes_nothing(
    stack: Stack, subject: Subject, traffic: Traffic
) -> None:
    subject.install(FIRST)
    with traffic(40) as load:
        subject.alias_to(BETTER)
        subject.until(lambda s: weight(s) == 20, "the first step is taken")
        pods, before = {version: subject.pods_of(version) for version in (FIRST, BETTER)}, operators(stack)
        install_chart(stack, "--set", "logLevel=debug")
        subject.until(lambda _: not operators(stack) & before, "all of the operator's own pods are new")
        assert pods[FIRST] <= subject.pods_of(FIRST) or stable(subject.status()) == BETTER
        subject.until(lambda s: stable(s) == BETTER and is_true(s, "Ready"), "version 2 is promoted")
    assert failed(load) == []
    assert pods[BETTER] <= subject.pods_of(BETTER)
    assert [reason for reason, _ in subject.events()].count("RolloutStarted") == 1


def test_an_upgrade_of_the_chart_brings_the_fields_of_the_new_version(
    stack: Stack, subject: Subject, tmp_path: Path
) -> None:
    """As if an older chart did not know `revisionHistoryLimit`: Helm upgrades the CRD, and what is served stays."""
    older = tmp_path / "sluice"
    shutil.copytree(ROOT / "charts/sluice", older)
    crd = older / "templates/crd.yaml"
    crd.write_text(crd.read_text().replace("revisionHistoryLimit:", "limitOfOld:", 1))
    subject.install(FIRST)
    pods = subject.pods_of(FIRST)
    asked = json.dumps(subject.manifest(revisionHistoryLimit=3))
    helm(stack, "upgrade", RELEASE, str(older), *values(stack))
    refused = stack.shell.attempt("kubectl", "apply", "--dry-run=server", "-f", "-", stdin=asked)
    assert 'unknown field "spec.revisionHistoryLimit"' in refused.stderr
    install_chart(stack)
    stack.shell.run("kubectl", "apply", "--dry-run=server", "-f", "-", stdin=asked)
    assert subject.pods_of(FIRST) == pods


def test_an_operator_of_one_namespace_has_rights_and_eyes_for_no_other(
    stack: Stack, subject: Subject, other: Subject
) -> None:
    only_here = ("--set", f"watchNamespaces={{{subject.namespace}}}")
    install_chart(stack, *only_here)
    subject.alias_to(FIRST)
    subject.apply()
    status = subject.until(lambda s: is_true(s, "Degraded"), "it may not read the Gateway")
    assert "add gateways to gatewayNamespaces" in condition(status, "Degraded")["message"]
    install_chart(stack, *only_here, "--set", "gatewayNamespaces={gateways}")
    other.alias_to(FIRST)
    other.apply()
    subject.until(lambda s: stable(s) == FIRST and is_true(s, "Ready"), "the one that is watched serves")
    assert other.status() == {}
    assert not is_held(other)
    for namespace, verb, what, allowed in (
        (subject.namespace, "create", "deployments.apps", True),
        (subject.namespace, "list", "pods", True),
        ("gateways", "get", "gateways.gateway.networking.k8s.io", True),
        ("gateways", "list", "gateways.gateway.networking.k8s.io", False),
        (subject.namespace, "get", "secrets", False),
        (other.namespace, "get", "modeldeployments.sluice.dev", False),
        (other.namespace, "list", "pods", False),
        (other.namespace, "create", "deployments.apps", False),
        ("default", "list", "namespaces", False),
        ("default", "list", "customresourcedefinitions.apiextensions.k8s.io", False),
    ):
        assert may(stack, namespace, verb, what) is allowed, (namespace, verb, what)
    helm(stack, "uninstall", RELEASE)
    assert not is_held(subject)
    install_chart(stack)
    other.until(lambda s: stable(s) == FIRST and is_true(s, "Ready"), "an operator of all namespaces serves it")


def may(stack: Stack, namespace: str, verb: str, what: str) -> bool:
    """Ask the API server itself about the operator's service account."""
    user = f"system:serviceaccount:{NAMESPACE}:{RELEASE}"
    asked = stack.shell.attempt("kubectl", "auth", "can-i", verb, what, "--namespace", namespace, "--as", user)
    return asked.stdout.strip() == "yes"


def test_without_helm_the_documented_steps_let_go_and_leave_traffic_flowing(
    stack: Stack, subject: Subject, traffic: Traffic
) -> None:
    subject.install(FIRST)
    pods = subject.pods_of(FIRST)
    (steps,) = re.findall(r"```bash\n(.*?)```", (ROOT / "docs" / "operations.md").read_text(), re.DOTALL)
    with traffic(20) as load:
        stack.shell.run("bash", "-euo", "pipefail", "-c", steps)
        assert not operators(stack)
        assert not is_held(subject)
        time.sleep(2)  # of traffic without an operator
        install_chart(stack)
        subject.until(lambda _: is_held(subject), "the operator takes hold of it again")
        subject.until(lambda s: is_true(s, "Ready"), "and finds it as it was")
    assert failed(load) == []
    assert subject.pods_of(FIRST) == pods
    stack.shell.run("bash", "-euo", "pipefail", "-c", steps)
    subject.kubectl("delete", "md", subject.name, "--timeout=30s")
