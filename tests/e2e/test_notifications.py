"""What happens is told to a webhook, as the chart's values say; rollouts do not wait for it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from hack.stack.install import NAMESPACE, Stack, install_chart
from tests.e2e.subject import Subject, is_true, rejected, stable

pytestmark = pytest.mark.alone

FIRST, BETTER = 1, 2
LEFT_OUT = ("StepCompleted", "WeightSet")
SECRET = "channels"
PORT = 8080
HOOK = f"""
import http.server, sys
class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        print(self.rfile.read(int(self.headers["Content-Length"])).decode(), flush=True)
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_): pass
http.server.HTTPServer(("", {PORT}), Hook).serve_forever()
"""


@pytest.fixture
def hook(stack: Stack, subject: Subject) -> Iterator[str]:
    """A pod that prints what it is sent, and an operator that sends to it; the URL."""
    labels = {"app": "hook"}
    container = {
        "name": "hook", "image": stack.images["operator"], "imagePullPolicy": "Never",
        "command": ["python", "-c", HOOK], "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }  # fmt: skip
    security = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    pod: dict[str, Any] = {
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "hook", "labels": labels},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 0, "securityContext": security},
    }  # fmt: skip
    service: dict[str, Any] = {
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "hook"},
        "spec": {"selector": labels, "ports": [{"port": PORT}]},
    }  # fmt: skip
    for manifest in (pod, service):
        stack.shell.apply(json.dumps(manifest | {"metadata": manifest["metadata"] | {"namespace": subject.namespace}}))
    subject.kubectl("wait", "pod/hook", "--for=condition=Ready", "--timeout=60s")
    url = f"json://hook.{subject.namespace}.svc:{PORT}/sluice"
    content = {
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": SECRET, "namespace": NAMESPACE},
        "stringData": {"urls": f"# of a test\n{url}\n"},
    }  # fmt: skip
    stack.shell.apply(json.dumps(content))
    install_chart(stack, "--set", f"notifications.secretName={SECRET}")
    yield url
    stack.shell.kubectl("-n", NAMESPACE, "delete", "secret", SECRET)
    install_chart(stack)


def told(subject: Subject) -> list[dict[str, Any]]:
    lines = subject.kubectl("logs", "hook").splitlines()
    return [json.loads(line) for line in lines]


def test_a_webhook_is_told_of_a_promotion_and_of_a_rollback(subject: Subject, stack: Stack, hook: str) -> None:
    subject.install(FIRST, strategy={"canary": {"steps": [{"setWeight": 50}]}})
    subject.alias_to(BETTER)
    subject.until(lambda s: stable(s) == BETTER and is_true(s, "Ready"), "version 2 is promoted")
    subject.patch({"server": {"image": "localhost/nobody:none"}})
    subject.until(lambda s: rejected(s) == BETTER, "what never starts is rolled back")
    worth_it = [reason for reason, _ in subject.events() if reason not in LEFT_OUT]
    titles = [f"{reason}: {subject.namespace}/{subject.name}" for reason in worth_it]
    subject.until(lambda _: [notice["title"] for notice in told(subject)] == titles, "each is told once, in this order")
    assert "Promoted" in worth_it
    (back,) = [notice for notice in told(subject) if notice["type"] == "warning"]
    assert "rolled back" in back["message"]
    assert f"kubectl sluice status {subject.name} --namespace {subject.namespace}" in back["message"]
    logs = stack.shell.kubectl("-n", NAMESPACE, "logs", "-l", "app.kubernetes.io/component=operator", "--tail=-1")
    assert hook not in logs
