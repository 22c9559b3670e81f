"""What can happen to a rollout on the real cluster, and which requests may fail because of it."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from hack.stack.install import NAMESPACE as OPERATOR
from hack.stack.install import Stack
from tests.e2e.faults import GATEWAYS, garbage_for_mlflow, kill_api_server, kill_containers, repair
from tests.e2e.subject import STEPS, Subject, candidate

GOOD, BAD = (1, 2), (3, 4)
OPERATOR_LABEL = "app.kubernetes.io/name=sluice"


@dataclass
class Stage:
    """The cluster, and what has happened to it; one thing at a time happens to all of it."""

    stack: Stack
    cluster: str
    happened: list[tuple[float, float, str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass
class Life:
    """One ModelDeployment that goes through schedule after schedule."""

    stage: Stage
    subject: Subject
    wanted: int = GOOD[0]
    rollouts: int = 0  # when the schedule began
    aborted: bool = False

    def candidates(self) -> str:
        """Return the labels of the candidate's objects."""
        revision = self.subject.status().get("rollout", {}).get("revision", {}).get("name", "none")
        return f"sluice.dev/model-deployment={self.subject.name},sluice.dev/revision={revision}"


@dataclass(frozen=True)
class Fault:
    """Something that happens.

    Attributes:
        owed: seconds after it in which requests may fail: the candidate's only pod is gone, and others, who may be
            down too, have to notice; or what somebody else has written into the route is live until it is put back.
        shared: it hits the whole cluster.
    """

    act: Callable[[Life, random.Random], None]
    owed: float = 0.0
    shared: bool = False

    @property
    def name(self) -> str:
        """Its name in the results."""
        return self.act.__name__


def operator_killed(life: Life, _: random.Random) -> None:
    """SIGKILL to all replicas."""
    kill_containers(life.stage.stack, life.stage.cluster, OPERATOR, OPERATOR_LABEL)


def operator_pods_deleted(life: Life, _: random.Random) -> None:
    """All replicas, as by a drain."""
    life.stage.stack.shell.kubectl("-n", OPERATOR, "delete", "pods", "-l", OPERATOR_LABEL, "--wait=false")


def candidate_deleted(life: Life, _: random.Random) -> None:
    """Its pods are deleted."""
    life.subject.kubectl("delete", "pods", "-l", life.candidates(), "--wait=false")


def candidate_killed(life: Life, _: random.Random) -> None:
    """SIGKILL to its servers."""
    kill_containers(life.stage.stack, life.stage.cluster, life.subject.namespace, life.candidates())


def candidate_scaled(life: Life, rng: random.Random) -> None:
    """Somebody else scales its Deployment."""
    life.subject.kubectl("scale", "deployments", "-l", life.candidates(), f"--replicas={rng.randint(0, 3)}")


def mlflow_answers_garbage(life: Life, rng: random.Random) -> None:
    """HTML, JSON of somebody else and errors, for some seconds."""
    with garbage_for_mlflow(life.stage.stack):
        time.sleep(rng.uniform(1, 5))


def api_server_killed(life: Life, rng: random.Random) -> None:
    """SIGKILL, and a new one after some seconds."""
    kill_api_server(life.stage.cluster)
    time.sleep(rng.uniform(0, 3))
    repair(life.stage.stack, life.stage.cluster)


def gateway_controller_killed(life: Life, _: random.Random) -> None:
    """SIGKILL to Envoy Gateway; Envoy itself runs on."""
    kill_containers(life.stage.stack, life.stage.cluster, GATEWAYS, "control-plane=envoy-gateway")


def route_edited(life: Life, rng: random.Random) -> None:
    """Somebody else writes a weight."""
    patch = [{"op": "replace", "path": "/spec/rules/0/backendRefs/0/weight", "value": rng.randint(1, 99)}]
    life.subject.kubectl("patch", "httproute", life.subject.name, "--type=json", "--patch", json.dumps(patch))


def alias_flipped(life: Life, rng: random.Random) -> None:
    """To another version and back."""
    life.subject.alias_to(rng.choice(GOOD))
    time.sleep(rng.uniform(0, 3))
    life.subject.alias_to(life.wanted)


def steps_edited(life: Life, rng: random.Random) -> None:
    """The first weight is another one."""
    steps = [{"setWeight": rng.randint(10, 30)}, *STEPS[1:]]
    life.subject.patch({"strategy": {"canary": {"steps": steps}}})


def aborted(life: Life, _: random.Random) -> None:
    """A person has seen enough."""
    if candidate(life.subject.status()):
        life.subject.annotate("abort")
        life.aborted = True


FAULTS = (
    Fault(operator_killed, shared=True), Fault(operator_pods_deleted, shared=True), Fault(candidate_deleted, owed=20),
    Fault(candidate_killed, owed=20), Fault(candidate_scaled, owed=20), Fault(mlflow_answers_garbage, shared=True),
    Fault(api_server_killed, shared=True), Fault(gateway_controller_killed, shared=True), Fault(route_edited, owed=5),
    Fault(alias_flipped), Fault(steps_edited), Fault(aborted),
)  # fmt: skip
