"""Faults on the real cluster, each with its end: what a test breaks it mends again."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hack.cluster.paths import ClusterPaths
from hack.cluster.processes import PidFile, Process
from hack.load import Answer, Load
from hack.stack.commands import module
from hack.stack.install import NAMESPACE, Stack
from tests.e2e.subject import Status

GATEWAYS = "envoy-gateway-system"
PROXY = "gateway.envoyproxy.io/owning-gateway-name=public"
MLFLOW = {"app.kubernetes.io/name": "mlflow"}

# Answers each request with the next kind of garbage: a log-in page, JSON of somebody else, an error.
GARBAGE = """
import http.server, itertools
ANSWERS = itertools.cycle([(200, b'<html>please log in</html>'), (200, b'{"hello": "world"}'), (500, b'oops')])
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        status, body = next(ANSWERS)
        self.send_response(status)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass
http.server.ThreadingHTTPServer(('', 5000), Handler).serve_forever()
"""


def failed(load: Load) -> list[Answer]:
    """Return the requests that failed."""
    return [answer for answer in load.answers if answer.failed]


def rejection(status: Status) -> dict[str, Any]:
    """Return the last thing that was rolled back, with reason and message."""
    found: Any = status.get("rejected") or {}
    last: dict[str, Any] = found[-1] if isinstance(found, list) and found else found
    return last


def process(cluster: str, component: str) -> Process:
    """Return a process of the embedded cluster."""
    found = PidFile(ClusterPaths.of(cluster).run / f"{component}.pid").read()
    assert found, f"{component} does not run"
    return found


def kill_api_server(cluster: str) -> None:
    """End the API server without any chance to say good-bye."""
    victim = process(cluster, "kube-apiserver")
    os.kill(victim.pid, signal.SIGKILL)
    while victim.alive():
        time.sleep(0.05)


def repair(stack: Stack, cluster: str) -> None:
    """Start what is missing of the cluster."""
    stack.shell.run(*module("hack.cluster", "up", "--name", cluster))


@contextmanager
def stopped_kubelet(cluster: str) -> Iterator[None]:
    """Let the node fall silent: its pods live on, and nobody hears of them."""
    victim = process(cluster, "kubelet")
    parent = int(Path(f"/proc/{victim.pid}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(victim.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(victim.pid, signal.SIGCONT)
        os.kill(parent, signal.SIGCONT)  # who waits for it (nsenter) has stopped with it


@contextmanager
def cordoned(stack: Stack) -> Iterator[None]:
    """Let no new pod on the node."""
    (node,) = stack.shell.kubectl("get", "nodes", "-o", "name").split()
    stack.shell.kubectl("cordon", node)
    try:
        yield
    finally:
        stack.shell.kubectl("uncordon", node)


@contextmanager
def overloaded(stack: Stack) -> Iterator[None]:
    """Answer each request of the operator with 429 and Retry-After, by the API server's own priority and fairness."""
    jail = {
        "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
        "kind": "PriorityLevelConfiguration",
        "metadata": {"name": "e2e-jail"},
        "spec": {
            "type": "Limited",
            "limited": {
                "nominalConcurrencyShares": 0, "lendablePercent": 0, "borrowingLimitPercent": 0,
                "limitResponse": {"type": "Reject"},
            },
        },
    }  # fmt: skip
    everything = {
        "resourceRules": [
            {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"], "namespaces": ["*"], "clusterScope": True}
        ],
        "subjects": [{"kind": "Group", "group": {"name": f"system:serviceaccounts:{NAMESPACE}"}}],
    }
    flow = {
        "apiVersion": "flowcontrol.apiserver.k8s.io/v1",
        "kind": "FlowSchema",
        "metadata": {"name": "e2e-jail"},
        "spec": {
            "priorityLevelConfiguration": {"name": "e2e-jail"}, "matchingPrecedence": 2, "rules": [everything],
        },
    }  # fmt: skip
    stack.shell.apply(json.dumps(jail))
    stack.shell.apply(json.dumps(flow))
    try:
        yield
    finally:
        for kind in ("flowschemas", "prioritylevelconfigurations"):
            stack.shell.kubectl("delete", kind, "e2e-jail", "--ignore-not-found")


@contextmanager
def garbage_for_mlflow(stack: Stack) -> Iterator[None]:
    """Put something else in MLflow's place, which answers and knows nothing."""
    labels = {"app.kubernetes.io/name": "garbage"}
    server = {
        "name": "garbage", "image": stack.images["mlflow"], "command": ["python", "-c", GARBAGE],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        "ports": [{"name": "http", "containerPort": 5000}],
        "readinessProbe": {"tcpSocket": {"port": 5000}, "periodSeconds": 1},
    }  # fmt: skip
    security = {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}}
    pod = {
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "garbage", "namespace": "mlflow", "labels": labels},
        "spec": {"containers": [server], "securityContext": security, "terminationGracePeriodSeconds": 0},
    }  # fmt: skip
    kubectl = stack.shell.kubectl
    stack.shell.apply(json.dumps(pod))
    kubectl("-n", "mlflow", "wait", "--for=condition=Ready", "pod/garbage", "--timeout=60s")
    try:
        select(stack, labels)
        # Connections that are open would live on: end the process. Its container starts again, with its files.
        kubectl("-n", "mlflow", "exec", "deployment/mlflow", "--", "python", "-c", "import os; os.kill(1, 15)")
        yield
    finally:
        kubectl("-n", "mlflow", "wait", "--for=condition=Ready", "pods", "--all", "--timeout=120s")
        select(stack, MLFLOW)
        kubectl("-n", "mlflow", "delete", "pod", "garbage", "--ignore-not-found")


def select(stack: Stack, labels: dict[str, str]) -> None:
    """Let MLflow's Service lead to other pods."""
    patch = json.dumps([{"op": "replace", "path": "/spec/selector", "value": labels}])
    stack.shell.kubectl("-n", "mlflow", "patch", "service", "mlflow", "--type=json", "--patch", patch)


def kill_containers(stack: Stack, cluster: str, namespace: str, labels: str) -> int:
    """End the main containers of pods by SIGKILL, from outside; return how many."""
    pods = json.loads(stack.shell.kubectl("-n", namespace, "get", "pods", "-l", labels, "-o", "json"))["items"]
    states = [c for pod in pods for c in pod["status"].get("containerStatuses", ()) if "running" in c["state"]]
    socket = f"--address={ClusterPaths.of(cluster).containerd_socket}"
    for state in states:
        container = state["containerID"].removeprefix("containerd://")
        stack.shell.attempt("ctr", socket, "-n", "k8s.io", "tasks", "kill", "--signal", "SIGKILL", container)
    return len(states)
