"""Reads the Jobs of gates: whether they have answered, and with which words. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from sluice.api.outcomes import GateOutcome
from sluice.core.observation import GateState
from sluice.kube.api import Manifest
from sluice.kube.pods import read_pod
from sluice.resources.naming import ANNOTATION_ROUND, LABEL_GATE

JOB_NAME = "batch.kubernetes.io/job-name"
SAID_NO = "PodFailurePolicy"  # the reason of a Job that failed by the exit code of its container
LONGEST = 500


def read_gates(jobs: Iterable[Manifest], pods: Iterable[Manifest]) -> tuple[GateState, ...]:
    """Return what is known of each gate that has a Job."""
    everyone = list(pods)
    return tuple(
        _read(job, [pod for pod in everyone if _labels(pod).get(JOB_NAME) == job["metadata"]["name"]])
        for job in jobs
        if LABEL_GATE in _labels(job)
    )


def is_finished(job: Manifest) -> bool:
    """Whether a Job has come to its end, either way."""
    return any(kind in ("Complete", "Failed") for kind, _ in _ends(job))


def _read(job: Manifest, pods: list[Manifest]) -> GateState:
    round_ = (job["metadata"].get("annotations") or {}).get(ANNOTATION_ROUND, "")
    gate = _labels(job)[LABEL_GATE]
    said = words(pods)
    for kind, condition in _ends(job):
        if kind == "Complete":
            return GateState(round_, gate, GateOutcome.PASSED, said)
        reason = condition.get("reason", "")
        outcome = GateOutcome.FAILED if reason == SAID_NO else GateOutcome.UNDECIDED
        why = f"its Job has failed ({reason}: {condition.get('message', '')})"
        return GateState(round_, gate, outcome, said or why)
    return GateState(round_, gate, None, _waits_for(pods))


def words(pods: Iterable[Manifest]) -> str:
    """Return the last line that the newest pod with something to say has left, of its own containers before others."""
    for pod in sorted(pods, key=lambda one: str(one["metadata"].get("creationTimestamp")), reverse=True):
        status = pod.get("status", {})
        for container in (*status.get("containerStatuses", ()), *status.get("initContainerStatuses", ())):
            lines = _ended(container).get("message", "").strip().splitlines()
            if lines:
                return str(lines[-1].strip()[:LONGEST])
    return ""


def _waits_for(pods: list[Manifest]) -> str:
    """Say what is wrong with a pod that has not ended yet, if anything is."""
    for pod in pods:
        if trouble := read_pod(pod).trouble:
            return f"{trouble.reason}: {trouble.message}"[:LONGEST]
    return "running" if pods else "its Job starts"


def _ended(container: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = container.get("state", {}).get("terminated") or {}
    return found


def _ends(job: Manifest) -> Iterator[tuple[str, dict[str, Any]]]:
    for condition in job.get("status", {}).get("conditions") or ():
        if condition["type"] in ("Complete", "Failed") and condition["status"] == "True":
            yield condition["type"], condition


def _labels(manifest: Manifest) -> dict[str, str]:
    return manifest["metadata"].get("labels") or {}
