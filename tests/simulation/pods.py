"""The pods of the simulated cluster: how each lives and dies, and what the kubelet writes about it."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import accumulate
from typing import Any

from sluice.analysis.cells import EDGES
from sluice.kube.api import Manifest
from sluice.resources.naming import LABEL_REVISION

WARM_UP = 10.0  # seconds in which a server does not count durations
EPOCH = datetime(2030, 1, 1, tzinfo=UTC)


class Behaviour(StrEnum):
    """What happens to the pods of a model version."""

    FINE = "fine"
    NEVER_READY = "never ready"
    CRASH = "crash"
    OUT_OF_MEMORY = "out of memory"
    NO_IMAGE = "no image"
    WRONG_DIGEST = "wrong digest"
    REGISTRY_DOWN = "registry down"
    UNSCHEDULABLE = "unschedulable"


class Judgement(StrEnum):
    """What a gate answers about a model version."""

    PASS = "pass"
    FAIL = "fail"
    CANT_TELL = "can't tell"
    NEVER = "never"


@dataclass
class Version:
    """A model version in the registry, and how it behaves once it runs."""

    number: str
    errors: float = 0.0
    behaviour: Behaviour = Behaviour.FINE
    startup: float = 2.0
    seconds: float = 0.02  # that each answer takes
    differs: float = 0.0  # the share of requests that it answers differently from others
    gates: dict[str, Judgement] = field(default_factory=dict)  # by name; others pass
    converts: float = 0.3  # the share of its users who do what the site wants

    @property
    def digest(self) -> str:
        return f"sha256:{self.number}"


@dataclass
class Life:
    """One pod, as the kubelet and the server in it know it; times in simulated seconds."""

    name: str
    uid: str
    revision: str
    version: Version
    created: float
    ready: bool = False
    gone_at: float | None = None
    restarts: int = 0
    loads: int = 0
    run: int = 0
    requests: int = 0
    errors: int = 0
    cells: dict[int, int] = field(default_factory=dict)  # answers by cell of duration
    warm_at: float = 0.0
    answered: int = 0
    failed: int = 0
    mirrored: int = 0
    targeted: int = 0  # answered in this run to those who asked for this version, in no count above
    targeted_errors: int = 0
    targeted_in_all: int = 0
    reachable: bool = True
    lost: bool = False  # its node does not answer
    evicted: bool = False  # it has ended, and is still shown; its ReplicaSet makes another one
    skew: float = 0.0  # by how much the API server's clock was ahead when it was created
    behaviour: Behaviour = field(init=False)

    def __post_init__(self) -> None:
        self.behaviour = self.version.behaviour

    @property
    def serving(self) -> bool:
        return self.ready and self.gone_at is None and not self.lost and not self.evicted

    @property
    def durations(self) -> tuple[int, ...]:
        """Answers up to each edge, as the server tells them."""
        return tuple(accumulate(self.cells.get(cell, 0) for cell in range(len(EDGES) + 1)))

    def answer(self, now: float, *, error: bool) -> None:
        """Serve one request."""
        if not error and now >= self.warm_at:
            cell = bisect_left(EDGES, self.version.seconds)
            self.cells[cell] = self.cells.get(cell, 0) + 1
        self.requests += 1
        self.answered += 1
        self.errors += error
        self.failed += error

    def answer_targeted(self, *, error: bool) -> None:
        """Serve one request that was meant for this version."""
        self.targeted += 1
        self.targeted_errors += error
        self.targeted_in_all += 1

    def restart(self) -> None:
        """Begin a new container run: its counters begin at zero."""
        self.restarts += 1
        self.run += 1
        self.requests = self.errors = self.targeted = self.targeted_errors = 0
        self.cells = {}
        self.ready = False

    def grow(self, now: float) -> None:
        """Do what time brings."""
        if self.gone_at is not None or self.evicted:
            return
        if self.behaviour is Behaviour.FINE and now - self.created >= self.version.startup and not self.ready:
            self.ready, self.loads, self.warm_at = True, self.loads + 1, now + WARM_UP
        if self.behaviour in (
            Behaviour.CRASH,
            Behaviour.OUT_OF_MEMORY,
            Behaviour.WRONG_DIGEST,
            Behaviour.REGISTRY_DOWN,
        ):
            due = int((now - self.created) // 2)
            while self.restarts < min(due, 5):
                self.restart()
            self.ready = False


def manifest(life: Life, template: Manifest, namespace: str, owner: Manifest) -> Manifest:
    """Render the pod as the API server shows it."""
    meta = {
        "name": life.name,
        "namespace": namespace,
        "labels": dict(template["metadata"]["labels"]),
        "ownerReferences": [owner],
        "creationTimestamp": (EPOCH + timedelta(seconds=int(life.created + life.skew))).isoformat(),
    }
    return {"kind": "Pod", "metadata": meta, "spec": {}, "status": status(life)}


def status(life: Life) -> Manifest:
    """Render what the kubelet says about the pod."""
    ready = "True" if life.serving else "False"
    scheduled = {"type": "PodScheduled", "status": "True"}
    found: Manifest = {"phase": "Running" if life.ready else "Pending", "podIP": f"10.0.0.{life.uid}"}
    server: dict[str, Any] = {"name": "server", "ready": life.serving, "restartCount": life.restarts}
    fetch: dict[str, Any] = {"name": "fetch-model", "ready": True, "restartCount": 0}
    fetch["state"] = {"terminated": {"exitCode": 0, "reason": "Completed"}}
    server["state"] = {"running": {}} if life.ready else {"waiting": {"reason": "PodInitializing"}}
    match life.behaviour:
        case Behaviour.CRASH | Behaviour.OUT_OF_MEMORY if life.restarts:
            oom = life.behaviour is Behaviour.OUT_OF_MEMORY
            ended = {"exitCode": 137, "reason": "OOMKilled"} if oom else {"exitCode": 1, "reason": "Error"}
            server["lastState"] = {"terminated": ended | {"message": "" if oom else "boom"}}
            server["state"] = {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off"}}
        case Behaviour.NO_IMAGE:
            server["state"] = {"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}}
        case Behaviour.WRONG_DIGEST | Behaviour.REGISTRY_DOWN if life.restarts:
            said = (
                "DigestMismatch: got another" if life.behaviour is Behaviour.WRONG_DIGEST else "RegistryUnreachable: no"
            )
            fetch |= {"ready": False, "restartCount": life.restarts}
            fetch["state"] = {"terminated": {"exitCode": 1, "reason": "Error", "message": said}}
        case Behaviour.UNSCHEDULABLE:
            scheduled |= {"status": "False", "reason": "Unschedulable", "message": "0/1 nodes are available"}
        case _:
            pass
    if life.evicted:
        found |= {"phase": "Failed", "reason": "Evicted", "message": "the node was low on memory"}
    found["conditions"] = [{"type": "Ready", "status": ready}, scheduled]
    found["initContainerStatuses"], found["containerStatuses"] = [fetch], [server]
    return found


def revision_of(template: Manifest) -> str:
    name: str = template["metadata"]["labels"][LABEL_REVISION]
    return name
