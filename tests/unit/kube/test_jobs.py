"""What the Jobs of gates say: an exit code is an answer, everything else is not."""

from __future__ import annotations

from typing import Any

import pytest
from sluice.api.outcomes import GateOutcome
from sluice.core.observation import GateState
from sluice.kube.jobs import is_finished, read_gates

ROUND = "penguins-abc-1-0"


def job(kind: str | None = None, reason: str = "", *, status: str = "True") -> dict[str, Any]:
    conditions = [{"type": kind, "status": status, "reason": reason, "message": "so it is"}] if kind else None
    meta = {"name": "penguins-gate-1", "labels": {"sluice.dev/gate": "smoke"}}
    return {
        "metadata": meta | {"annotations": {"sluice.dev/gate-round": ROUND}},
        "status": {"conditions": conditions} if conditions else {},
    }


def pod(message: str = "", *, made: int = 0, init: str = "", of: str = "penguins-gate-1") -> dict[str, Any]:
    def container(said: str) -> dict[str, Any]:
        return {"name": "c", "state": {"terminated": {"exitCode": 1, "message": said}}} if said else {"name": "c"}

    return {
        "metadata": {
            "name": f"pod-{made}", "uid": f"uid-{made}", "creationTimestamp": f"2030-01-01T00:00:0{made}Z",
            "labels": {"batch.kubernetes.io/job-name": of},
        },
        "status": {"containerStatuses": [container(message)], "initContainerStatuses": [container(init)]},
    }  # fmt: skip


CASES = [
    ("it is not there yet", job(), [], None, "its Job starts"),
    ("it runs", job(), [pod()], None, "running"),
    ("it is about to fail", job("FailureTarget", "PodFailurePolicy"), [pod()], None, "running"),
    ("it is not complete any more", job("Complete", status="False"), [pod()], None, "running"),
    ("it passes", job("Complete"), [pod("accuracy 0.99")], GateOutcome.PASSED, "accuracy 0.99"),
    ("it passes without a word", job("Complete"), [pod()], GateOutcome.PASSED, ""),
    ("it fails", job("Failed", "PodFailurePolicy"), [pod("a log\n\nunfair\n")], GateOutcome.FAILED, "unfair"),
    ("it fails and its pod is gone", job("Failed", "PodFailurePolicy"), [], GateOutcome.FAILED,
     "its Job has failed (PodFailurePolicy: so it is)"),
    ("it can't tell", job("Failed", "BackoffLimitExceeded"), [pod("no", made=1), pod("still no", made=2)],
     GateOutcome.UNDECIDED, "still no"),
    ("its files can't be fetched", job("Failed", "BackoffLimitExceeded"), [pod(init="RegistryUnreachable: no")],
     GateOutcome.UNDECIDED, "RegistryUnreachable: no"),
    ("it takes too long", job("Failed", "DeadlineExceeded"), [], GateOutcome.UNDECIDED,
     "its Job has failed (DeadlineExceeded: so it is)"),
    ("somebody else's pod", job("Complete"), [pod("mine", of="another")], GateOutcome.PASSED, ""),
]  # fmt: skip


@pytest.mark.parametrize(("what", "found", "pods", "outcome", "message"), CASES, ids=[case[0] for case in CASES])
def test_each_job_has_an_answer_or_is_waited_for(
    what: str, found: dict[str, Any], pods: list[dict[str, Any]], outcome: GateOutcome | None, message: str
) -> None:
    assert read_gates([found], pods) == (GateState(ROUND, "smoke", outcome, message),)
    assert is_finished(found) is (outcome is not None)


def test_a_pod_that_can_not_start_is_named() -> None:
    waiting = pod()
    waiting["status"]["containerStatuses"][0]["state"] = {"waiting": {"reason": "ImagePullBackOff", "message": "no"}}
    assert read_gates([job()], [waiting])[0].message == "ImagePullBackOff: no"


def test_other_jobs_are_none_of_ours() -> None:
    other = job("Complete")
    other["metadata"]["labels"] = {"sluice.dev/model-deployment": "penguins"}
    assert read_gates([other], []) == ()


def test_words_are_bounded() -> None:
    assert len(read_gates([job("Complete")], [pod("x" * 5000)])[0].message) == 500
