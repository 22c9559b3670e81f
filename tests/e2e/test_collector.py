"""The collector on a real cluster, reached as model servers reach it."""

from __future__ import annotations

import json
from typing import Any

from hack.stack.install import NAMESPACE, Stack
from tests.e2e.subject import Subject

FIRST = 1
CALL = """
import sys, urllib.request
method, url, body = sys.argv[1:]
request = urllib.request.Request(url, method=method, data=body.encode() or None)
print(urllib.request.urlopen(request, timeout=10).read().decode())
"""


def url(stack: Stack) -> str:
    """As the operator is told."""
    text = stack.shell.kubectl("-n", NAMESPACE, "get", "deployment", "sluice", "-o", "json")
    (container,) = json.loads(text)["spec"]["template"]["spec"]["containers"]
    return str(next(entry["value"] for entry in container["env"] if entry["name"] == "SLUICE_COLLECTOR_URL"))


def call(subject: Subject, method: str, path: str, body: object = None) -> Any:
    """From a model server's pod, in a namespace of its own."""
    selected = ("-l", "sluice.dev/model-deployment", "-o", "jsonpath={.items[0].metadata.name}")
    pod = subject.kubectl("get", "pods", *selected)
    sent = "" if body is None else json.dumps(body)
    command = ("python", "-c", CALL, method, url(subject.stack) + path, sent)
    printed = subject.kubectl("exec", pod, "--container", "server", "--", *command)
    return json.loads(printed)


def test_a_model_servers_pod_reaches_it_and_what_it_sends_twice_counts_once(stack: Stack, subject: Subject) -> None:
    subject.install(FIRST)
    name = f"{subject.namespace}/model-1"
    answers = [
        {"comparison": name, "request": "r1", "side": side, "status": 200, "seconds": 0.01, "predictions": [label]}
        for side, label in (("stable", "Adelie"), ("candidate", "Gentoo"))
    ]
    assert call(subject, "GET", f"/v1/comparisons/{name}")["pairs"] == 0
    assert call(subject, "POST", "/v1/answers", {"answers": answers}) == {"accepted": 2, "duplicates": 0}
    assert call(subject, "POST", "/v1/answers", {"answers": answers}) == {"accepted": 0, "duplicates": 2}
    found = call(subject, "GET", f"/v1/comparisons/{name}")
    assert (found["pairs"], found["disagreements"]) == (1, 1)
    assert found["classes"] == [{"stable": "Adelie", "candidate": "Gentoo", "count": 1}]
