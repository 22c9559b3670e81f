"""Reads pods: who is ready, and what is wrong with those that are not. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sluice.core.observation import Pod, Severity, Trouble

# Reasons the kubelet gives for waiting, that no waiting will mend. ErrImagePull is left out: it becomes
# ImagePullBackOff when it happens again.
FATAL_WAITING = {"ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull", "CrashLoopBackOff"}
WAITING = {"ErrImagePull", "CreateContainerConfigError", "CreateContainerError", "RunContainerError"}

# Reasons our own containers give in their termination message, that no restart will mend ...
FATAL_SAID = {
    *("DigestMismatch", "ArtifactMissing", "UnsafeArtifact", "StoreUnsupported", "InvalidSettings"),
    *("ModelLoadFailed", "WarmUpFailed", "UntrustedModel"),
}
# ... and those that a restart may: it reads credentials anew, for example.
PASSING_SAID = {
    *(f"{where}{what}" for where in ("Registry", "Store") for what in ("Unreachable", "Denied", "Invalid")),
    *("VolumeFull", "VolumeError"),
}

CRASHES = 2


def read_pod(raw: dict[str, Any]) -> Pod:
    """Return what decisions need to know of a pod."""
    meta, status = raw["metadata"], raw.get("status", {})
    conditions = {c["type"]: c for c in status.get("conditions", ())}
    created = meta.get("creationTimestamp")
    return Pod(
        uid=meta["uid"],
        name=meta["name"],
        ready=conditions.get("Ready", {}).get("status") == "True",
        created=datetime.fromisoformat(created) if created else None,
        terminating="deletionTimestamp" in meta,
        address=status.get("podIP"),
        restarts=sum(c.get("restartCount", 0) for c in status.get("containerStatuses", ())),
        trouble=next(_troubles(raw, conditions), None),
        ended=status.get("phase") in ("Failed", "Succeeded"),
    )


def _troubles(raw: dict[str, Any], conditions: dict[str, Any]) -> Iterator[Trouble]:
    status = raw.get("status", {})
    for container in (*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())):
        if trouble := _container_trouble(container):
            yield trouble
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") == "False":
        yield Trouble(Severity.WAITING, scheduled.get("reason", "Unschedulable"), scheduled.get("message", ""))
    if _is_lost(conditions):
        yield Trouble(Severity.WAITING, "NodeNotReady", f"node {raw.get('spec', {}).get('nodeName')} does not answer")
    if status.get("phase") == "Failed":
        yield Trouble(Severity.FATAL, status.get("reason", "PodFailed"), status.get("message", "the pod failed"))


def _is_lost(conditions: dict[str, Any]) -> bool:
    """Whether the pod's node fell silent: then Kubernetes takes back the pod's readiness, and nothing else."""
    return (conditions.get("Ready", {}).get("status"), conditions.get("ContainersReady", {}).get("status")) == (
        "False",
        "True",
    )


def _container_trouble(container: dict[str, Any]) -> Trouble | None:
    state = container.get("state", {})
    ended = state.get("terminated") or container.get("lastState", {}).get("terminated") or {}
    crashed = bool(ended) and ended.get("exitCode", 0) != 0
    waiting = state.get("waiting", {})
    restarts = container.get("restartCount", 0)
    if crashed and not container.get("ready", False):
        return _crash(ended, restarts)
    if crashed and restarts >= CRASHES:
        return _crash(ended, restarts)
    reason = waiting.get("reason", "")
    if reason in FATAL_WAITING:
        return Trouble(Severity.FATAL, reason, waiting.get("message", ""))
    if reason in WAITING:
        return Trouble(Severity.WAITING, reason, waiting.get("message", ""))
    return None


def _crash(ended: dict[str, Any], restarts: int) -> Trouble:
    said, _, message = ended.get("message", "").strip().partition(": ")
    if said in FATAL_SAID:
        return Trouble(Severity.FATAL, said, message)
    if said in PASSING_SAID:
        return Trouble(Severity.WAITING, said, message)
    reason = ended.get("reason", "Error")
    text = f"a container ended with exit code {ended.get('exitCode')}, {restarts} restarts"
    last_line = ended.get("message", "").strip().rsplit("\n", 1)[-1][:300]
    severity = Severity.FATAL if restarts >= CRASHES else Severity.WAITING
    return Trouble(severity, "OOMKilled" if reason == "OOMKilled" else "Crashed", f"{text}: {last_line}".rstrip(": "))
