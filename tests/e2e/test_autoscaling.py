"""Autoscalers of Kubernetes' own, with what metrics-server measures: they scale, and rollouts go on in between."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hack.load import Load
from tests.e2e.subject import STEPS, Status, Subject, candidate, is_true, stable, weight

pytestmark = pytest.mark.alone  # pods are counted by load

FIRST, BETTER = 1, 2
MOST = 2
RATE = 15
# A pod has so little that a few requests a second are a load; and one that ends does so at once.
BUSY: dict[str, Any] = {
    "replicas": None,
    "autoscaling": {
        "minReplicas": 1, "maxReplicas": MOST, "targetCPUUtilizationPercentage": 50, "scaleDownStabilizationSeconds": 0,
    },
    "server": {"resources": {"requests": {"cpu": "20m", "memory": "256Mi"}}},
}  # fmt: skip
APPROVED = {"canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}}


def pods(subject: Subject, version: int) -> int:
    """Pods that a version is to have, as its autoscaler or Sluice has set it."""
    return sum(
        deployment["spec"]["replicas"]
        for deployment in subject.get("deployments")
        if deployment["spec"]["template"]["metadata"]["annotations"]["sluice.dev/model"] == f"penguins/{version}"
    )


def autoscalers(subject: Subject) -> dict[str, int]:
    """The fewest pods by autoscaler."""
    return {found["metadata"]["name"]: found["spec"]["minReplicas"] for found in subject.get("hpa")}


@pytest.fixture
def scaled(subject: Subject, traffic: Callable[[float], Load]) -> Any:
    """Version 1, scaled up to the most by the load that goes on."""
    subject.install(FIRST, **BUSY)
    with traffic(RATE) as load:
        subject.until(lambda _: pods(subject, FIRST) == MOST, "version 1 is scaled up")
        subject.until(lambda s: s["ready"] == f"{MOST}/{MOST}", "its pods are ready")
        yield load
    assert not [answer for answer in load.answers if answer.failed]


def test_a_version_takes_over_with_as_many_pods_as_the_load_had_asked_for(subject: Subject, scaled: Load) -> None:
    seen: list[int] = []

    def promoted(status: Status) -> bool:
        if stable(status) == FIRST:
            seen.append(pods(subject, FIRST))
        return stable(status) == BETTER

    subject.alias_to(BETTER)
    status = subject.until(promoted, "version 2 is promoted")
    assert set(seen) == {MOST}, "stable keeps what all traffic needs while it has half of it"
    assert status["demand"]["pods"] == MOST
    assert pods(subject, BETTER) == MOST
    subject.until(lambda _: not subject.pods_of(FIRST), "version 1 is scaled down")
    assert list(autoscalers(subject)) == [f"{subject.name}-{status['stable']['name']}"]
    subject.until(lambda s: "demand" not in s, "its autoscaler has seen all traffic")
    assert list(autoscalers(subject).values()) == [1]


def test_after_an_abort_stable_has_all_its_pods(subject: Subject, scaled: Load) -> None:
    subject.patch({"strategy": APPROVED})
    subject.alias_to(BETTER)
    subject.until(lambda s: candidate(s) == BETTER and weight(s) == 50, "version 2 has half of the traffic")
    assert sorted(autoscalers(subject).values()) == [1, MOST]
    subject.annotate("abort")
    subject.until(lambda s: not candidate(s) and is_true(s, "Available"), "version 2 is given up")
    assert pods(subject, FIRST) == MOST
    subject.until(lambda _: not subject.pods_of(BETTER), "version 2 is scaled down")
    assert pods(subject, FIRST) == MOST


def test_autoscaling_comes_and_goes_without_a_jump(subject: Subject) -> None:
    subject.install(FIRST, replicas=2, strategy={"canary": {"steps": STEPS}})
    budgets = [found["metadata"]["name"] for found in subject.get("pdb")]
    assert budgets == [f"{subject.name}-{subject.status()['stable']['name']}"]
    before = subject.pods_of(FIRST)
    subject.patch({"replicas": None, "autoscaling": {"minReplicas": 2, "maxReplicas": 4}})
    subject.until(lambda _: set(autoscalers(subject).values()) == {2}, "there is an autoscaler")
    assert pods(subject, FIRST) == 2
    refused = subject.stack.shell.attempt(
        "kubectl", "--namespace", subject.namespace, "scale", "md", subject.name, "--replicas=1"
    )
    assert "with autoscaling nobody else says how many pods there are" in refused.stderr
    subject.patch({"replicas": 2, "autoscaling": None})
    subject.until(lambda _: not autoscalers(subject), "there is none any more")
    assert pods(subject, FIRST) == 2
    assert subject.pods_of(FIRST) == before
    assert "Repaired" not in [reason for reason, _ in subject.events()]
