"""What the kubelet writes about pods, and what it means for a rollout."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import sluice_server
from sluice.core.observation import Severity
from sluice.kube.pods import FATAL_SAID, PASSING_SAID, read_pod

State = dict[str, Any]


def terminated(message: str = "", *, code: int = 1, reason: str = "Error") -> State:
    return {"terminated": {"exitCode": code, "reason": reason, "message": message}}


def waiting(reason: str, message: str = "") -> State:
    return {"waiting": {"reason": reason, "message": message}}


def container(state: State, *, restarts: int = 0, last: State | None = None, ready: bool = False) -> State:
    found = {"name": "server", "state": state, "restartCount": restarts, "ready": ready}
    return found | ({"lastState": last} if last else {})


def pod(
    server: State | None = None, fetch: State | None = None, conditions: tuple[State, ...] = (), **status: Any
) -> State:
    found: State = {"phase": "Pending", "conditions": list(conditions)} | status
    found |= {"containerStatuses": [server]} if server else {}
    found |= {"initContainerStatuses": [fetch]} if fetch else {}
    return {"metadata": {"uid": "u", "name": "p"}, "status": found}


FETCHED = container(terminated(code=0, reason="Completed"), ready=True)
BACK_OFF = waiting("CrashLoopBackOff", "back-off 20s")
RUNNING: State = {"running": {}}
SILENT = ({"type": "Ready", "status": "False"}, {"type": "ContainersReady", "status": "True"})
NO_NODE = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/3 nodes: no memory"}

# what happened, the pod, and of its trouble: severity, reason, words of the message
TROUBLES = [
    ("no image", pod(container(waiting("ImagePullBackOff", "no tag"))), Severity.FATAL, "ImagePullBackOff", "no tag"),
    ("first failed pull", pod(container(waiting("ErrImagePull", "slow"))), Severity.WAITING, "ErrImagePull", "slow"),
    ("bad image name", pod(container(waiting("InvalidImageName", "x y"))), Severity.FATAL, "InvalidImageName", "x y"),
    ("image never pulled", pod(container(waiting("ErrImageNeverPull"))), Severity.FATAL, "ErrImageNeverPull", ""),
    ("config missing", pod(container(waiting("CreateContainerConfigError", "no secret"))), Severity.WAITING,
     "CreateContainerConfigError", "no secret"),
    ("no image for the fetcher", pod(fetch=container(waiting("ImagePullBackOff", "gone"))), Severity.FATAL,
     "ImagePullBackOff", "gone"),
    ("crash loop", pod(container(BACK_OFF, restarts=3, last=terminated("Traceback\nValueError: boom")), FETCHED),
     Severity.FATAL, "Crashed", "exit code 1, 3 restarts: ValueError: boom"),
    ("silent node", pod(container(RUNNING, ready=True), conditions=SILENT) | {"spec": {"nodeName": "n1"}},
     Severity.WAITING, "NodeNotReady", "node n1 does not answer"),
    ("first crash", pod(container(terminated("boom"), restarts=0), FETCHED), Severity.WAITING, "Crashed", "boom"),
    ("restarted once", pod(container(RUNNING, restarts=1, last=terminated("boom"))), Severity.WAITING, "Crashed",
     "boom"),
    ("ready between crashes", pod(container(RUNNING, restarts=2, last=terminated("boom"), ready=True)), Severity.FATAL,
     "Crashed", "2 restarts"),
    ("out of memory", pod(container(BACK_OFF, restarts=2, last=terminated(code=137, reason="OOMKilled"))),
     Severity.FATAL, "OOMKilled", "exit code 137"),
    ("out of memory once", pod(container(RUNNING, restarts=1, last=terminated(code=137, reason="OOMKilled"))),
     Severity.WAITING, "OOMKilled", "137"),
    ("wrong digest", pod(fetch=container(terminated("DigestMismatch: sha256:1, not sha256:2"))), Severity.FATAL,
     "DigestMismatch", "sha256:1, not sha256:2"),
    ("wrong digest, backing off", pod(fetch=container(BACK_OFF, restarts=1, last=terminated("DigestMismatch: no"))),
     Severity.FATAL, "DigestMismatch", "no"),
    ("artifact missing", pod(fetch=container(terminated("ArtifactMissing: s3://x"))), Severity.FATAL,
     "ArtifactMissing", "s3"),
    ("model does not load", pod(container(terminated("ModelLoadFailed: no sklearn"), restarts=0), FETCHED),
     Severity.FATAL, "ModelLoadFailed", "no sklearn"),
    ("registry away, for long", pod(fetch=container(BACK_OFF, restarts=9, last=terminated("RegistryUnreachable: no"))),
     Severity.WAITING, "RegistryUnreachable", "no"),
    ("store refuses", pod(fetch=container(BACK_OFF, restarts=9, last=terminated("StoreDenied: no key"))),
     Severity.WAITING, "StoreDenied", "no key"),
    ("registry talks nonsense", pod(fetch=container(BACK_OFF, restarts=9, last=terminated("RegistryInvalid: html"))),
     Severity.WAITING, "RegistryInvalid", "html"),
    ("no client for the store", pod(fetch=container(terminated("StoreUnsupported: add boto3"))), Severity.FATAL,
     "StoreUnsupported", "add boto3"),
    ("no node", pod(conditions=(NO_NODE,)), Severity.WAITING, "Unschedulable", "no memory"),
    ("evicted", pod(phase="Failed", reason="Evicted", message="low on disk"), Severity.FATAL, "Evicted", "low on disk"),
]  # fmt: skip

FINE = [
    ("just made", {"metadata": {"uid": "u", "name": "p"}}),
    ("fetching", pod(container(waiting("PodInitializing")), container(RUNNING))),
    ("starting", pod(container(waiting("ContainerCreating")), FETCHED)),
    ("serving", pod(container(RUNNING, ready=True), FETCHED, ({"type": "Ready", "status": "True"},))),
    ("serving since its one restart", pod(container(RUNNING, restarts=1, last=terminated("x"), ready=True), FETCHED)),
    ("ended well", pod(container(terminated(code=0, reason="Completed")), FETCHED)),
]


@pytest.mark.parametrize(("what", "raw", "severity", "reason", "says"), TROUBLES, ids=[case[0] for case in TROUBLES])
def test_trouble_is_recognised(what: str, raw: State, severity: Severity, reason: str, says: str) -> None:
    trouble = read_pod(raw).trouble
    assert trouble is not None
    assert (trouble.severity, trouble.reason) == (severity, reason)
    assert says in trouble.message


@pytest.mark.parametrize(("what", "raw"), FINE, ids=[case[0] for case in FINE])
def test_a_pod_that_only_takes_its_time_is_in_no_trouble(what: str, raw: State) -> None:
    assert read_pod(raw).trouble is None


def test_a_pod_is_ready_when_its_condition_says_so() -> None:
    ready = pod(
        container(RUNNING, ready=True, restarts=1), conditions=({"type": "Ready", "status": "True"},), podIP="10.0.0.7"
    )
    found = read_pod(ready)
    assert (found.ready, found.terminating, found.address, found.restarts) == (True, False, "10.0.0.7", 1)
    assert not read_pod(pod(container(RUNNING, ready=True))).ready


def test_a_pod_that_ends_is_terminating() -> None:
    raw = pod(conditions=({"type": "Ready", "status": "True"},))
    raw["metadata"] |= {"deletionTimestamp": "2030-01-01T00:00:00Z", "creationTimestamp": "2029-12-31T23:00:00Z"}
    found = read_pod(raw)
    assert found.terminating
    assert found.created == datetime(2029, 12, 31, 23, tzinfo=UTC)


def test_a_long_log_is_cut_to_its_last_line() -> None:
    trouble = read_pod(pod(container(terminated("first\n" + "x" * 5000)))).trouble
    assert trouble is not None
    assert "first" not in trouble.message
    assert len(trouble.message) < 400


def test_every_reason_that_a_container_gives_is_known() -> None:
    sources = Path(sluice_server.__file__).parent.glob("*.py")
    said = {reason for source in sources for reason in re.findall(r'GivingUpError\(\s*"(\w+)"', source.read_text())}
    assert said >= {"DigestMismatch", "WarmUpFailed", "UntrustedModel"}
    assert said - FATAL_SAID - PASSING_SAID == set()
