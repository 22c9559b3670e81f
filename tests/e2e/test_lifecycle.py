"""A ModelDeployment over many versions: what is kept, what is forgotten, and what is written down."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.request import urlopen

import pytest

from hack.load import Load
from hack.stack.install import MODEL, NAMESPACE
from tests.e2e.subject import Subject, candidate, is_true, stable, weight
from tests.e2e.test_operator import kill_operator

FIRST, BETTER, SLOW = 1, 2, 5
APPROVED = {"canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}}
Traffic = Callable[[float], Load]


def promote_all(subject: Subject, version: int) -> None:
    """Let a person skip all steps of a version."""
    subject.alias_to(version)
    subject.until(lambda s: candidate(s) == version, f"version {version} is the candidate")
    subject.annotate("promote-full")
    subject.until(lambda s: stable(s) == version and is_true(s, "Ready"), f"version {version} is promoted")


def version_named(subject: Subject, alias: str) -> str:
    """Ask MLflow."""
    url = f"{subject.stack.mlflow_url}/api/2.0/mlflow/registered-models/alias?name={MODEL}&alias={alias}"
    with urlopen(url, timeout=30) as answer:
        return str(json.load(answer)["model_version"]["version"])


def records(subject: Subject) -> list[dict[str, Any]]:
    return sorted(subject.get("rolloutrecords"), key=lambda record: str(record["spec"]["startedAt"]))


def test_old_versions_are_forgotten_the_alias_follows_and_the_record_outlives_it(
    subject: Subject, traffic: Traffic
) -> None:
    promoted = f"{subject.alias}-promoted"
    subject.install(
        FIRST, strategy=APPROVED, scaleDownDelaySeconds=0, revisionHistoryLimit=1,
        model={"uri": subject.uri, "promotedAlias": promoted},
    )  # fmt: skip
    subject.until(lambda s: s.get("promotedAlias", "").startswith(promoted), "the alias is written")
    assert version_named(subject, promoted) == str(FIRST)
    with traffic(5) as load:  # the slow version can answer as many
        for version in (BETTER, SLOW, FIRST):
            promote_all(subject, version)
    assert [answer for answer in load.answers if answer.failed] == []
    subject.until(lambda _: version_named(subject, promoted) == str(FIRST), "the alias has followed")
    subject.until(lambda _: len(subject.get("deployments")) == 2, "stable and one old revision are kept")
    assert "AliasMoved" in [reason for reason, _ in subject.events()]

    subject.kubectl("delete", "md", subject.name, "--timeout=60s")
    kept = records(subject)
    assert [record["spec"]["candidate"]["modelVersion"] for record in kept] == ["1", "2", "5", "1"]
    assert {record["status"]["outcome"] for record in kept} == {"Promoted"}
    asked = [decision for decision in kept[1]["status"]["decisions"] if decision["inputs"].get("wish")]
    assert [(decision["inputs"]["wish"], decision["actor"]) for decision in asked] == [
        ("promote-full", "kubectl-annotate")
    ]


@pytest.mark.alone
def test_what_the_candidate_answered_is_counted_once_whoever_restarts(subject: Subject, traffic: Traffic) -> None:
    subject.install(FIRST, strategy=APPROVED)
    with traffic(20) as load:
        subject.alias_to(BETTER)
        subject.until(lambda s: weight(s) == 50, "the step is taken")
        kill_operator(subject)
        subject.until(lambda s: counted(s) > 50, "another operator counts on")
        kill_operator(subject)
        subject.until(lambda s: s.get("step") == "2/2 pause" and counted(s) > 150, "and another one")
    answered = sum(answer.version == str(BETTER) for answer in load.answers)
    subject.until(lambda s: counted(s) >= answered, "all of the candidate's answers are counted")
    assert counted(subject.status()) == answered, "and none of them twice"


def counted(status: dict[str, Any]) -> int:
    """Requests of the candidate in the evidence."""
    return int(status.get("rollout", {}).get("evidence", {}).get("total", {}).get("candidateRequests", 0))


def test_the_operator_tells_prometheus_what_it_does(subject: Subject, traffic: Traffic) -> None:
    subject.install(FIRST, strategy=APPROVED)
    with traffic(20):
        subject.alias_to(BETTER)
        subject.until(lambda s: s.get("step") == "2/2 pause", "half of the traffic goes to version 2")
        this = f'{{name="model",namespace="{subject.namespace}",variant="candidate"}}'
        pods = subject.stack.shell.kubectl("-n", NAMESPACE, "get", "pods", "-o", "jsonpath={.items[*].metadata.name}")
        told = [
            subject.stack.shell.kubectl("get", "--raw", f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}:8080/proxy/metrics")
            for pod in pods.split()
        ]
    assert sorted(line for page in told for line in page.splitlines() if line.startswith("sluice_leader ")) == [
        "sluice_leader 0.0",
        "sluice_leader 1.0",
    ]
    (leaders,) = [page for page in told if "sluice_leader 1.0" in page]
    assert f"sluice_rollout_weight_percent{this} 50.0" in leaders
    assert "sluice_reconcile_duration_seconds_count" in leaders
