"""Before its first request a version is judged: by rows with labels, by its signature, by Jobs and by HTTP hooks."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

with warnings.catch_warnings():  # while it is imported, too
    warnings.simplefilter("ignore")
    from mlflow.types import ColSpec
    from sluice_training import register as registering

from sluice_training.demo import demo_version
from sluice_training.trained import train_demo_version

from hack.load import Load
from hack.stack.install import Stack
from tests.e2e.faults import failed
from tests.e2e.subject import Status, Subject, condition, is_true, rejected, stable

FIRST, BETTER, BROKEN = 1, 2, 4
PORT = 8080
CANARY = {"canary": {"steps": [{"setWeight": 50}]}}
GOLDEN = {"minAccuracy": 0.9}
Traffic = Callable[[float], Load]
# Prints each question; answers with the status in its path, or not at all.
SERVER = f"""
import http.server, json, time
class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        print(json.dumps({{"key": self.headers["Idempotency-Key"], "body": body}}), flush=True)
        if self.path == "/hang": time.sleep(3600)
        self.send_response(int(self.path[1:]))
        self.end_headers()
        self.wfile.write(b"so says the hook")
    def log_message(self, *_): pass
http.server.ThreadingHTTPServer(("", {PORT}), Hook).serve_forever()
"""
# Asks the candidate itself, by what the Job is told; nodes learn of its Service a moment after its pods are ready.
FAIR = """
import os, time, urllib.request
for attempt in range(60):
    try:
        with urllib.request.urlopen(os.environ["SLUICE_CANDIDATE_URL"] + "/readyz", timeout=10) as answer:
            assert answer.headers["x-sluice-revision"] == os.environ["SLUICE_REVISION"]
        break
    except OSError as error:
        print(error, flush=True)
        time.sleep(0.5)
else:
    raise SystemExit("nobody answers")
"""


@dataclass(frozen=True)
class HookServer:
    """A pod that is asked."""

    subject: Subject

    def hook(self, path: str) -> dict[str, Any]:
        url = f"http://hook.{self.subject.namespace}.svc:{PORT}/{path}"
        return {"name": "smoke", "http": {"url": url, "timeout": "5s"}}

    @property
    def questions(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.subject.kubectl("logs", "hook").splitlines()]


@pytest.fixture
def server(stack: Stack, subject: Subject) -> HookServer:
    labels = {"app": "hook"}
    container = {
        "name": "hook", "image": stack.images["operator"], "imagePullPolicy": "Never",
        "command": ["python", "-c", SERVER], "readinessProbe": {"tcpSocket": {"port": PORT}, "periodSeconds": 1},
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
    return HookServer(subject)


def job(stack: Stack, code: str) -> dict[str, Any]:
    container = {
        "name": "test", "image": stack.images["operator"], "imagePullPolicy": "Never", "command": ["python", "-c", code]
    }  # fmt: skip
    return {"name": "fairness", "job": {"template": {"spec": {"containers": [container]}}}}


def turned_down(subject: Subject, version: int) -> str:
    """Wait until a version is rolled back for a gate, and nobody is asked any more; return why."""
    status = subject.until(lambda s: rejected(s) == version and "gating" not in s, f"version {version} is rolled back")
    last = status["rejected"][-1]
    assert last["reason"] == "GateFailed"
    assert stable(status) != version
    assert [one for one in subject.get("jobs") if not one["status"].get("conditions")] == []
    return str(last["message"])


def test_a_version_that_passes_all_gates_is_promoted(subject: Subject, stack: Stack, server: HookServer) -> None:
    hooks = [server.hook("200"), job(stack, FAIR)]
    gates = {"signature": {}, "goldenSet": GOLDEN | {"notWorseThanStable": {}}, "hooks": hooks}
    subject.install(FIRST, strategy=CANARY, gates=gates)
    subject.alias_to(BETTER)
    status = subject.until(lambda s: stable(s) == BETTER and is_true(s, "Ready"), "version 2 is promoted")
    passed = [message for reason, message in subject.events() if reason == "GatePassed"]
    assert len(passed) == 4
    assert any(message.startswith("gate goldenSet passed: accuracy 0.9") for message in passed)
    assert "gate smoke passed: HTTP 200: so says the hook" in passed
    (question,) = server.questions
    assert question["key"].startswith(status["record"])
    assert question["body"]["candidate"]["version"] == str(BETTER)
    assert question["body"]["stable"]["version"] == str(FIRST)
    assert "gate goldenSet passed" in subject.kubectl("get", "rr", status["record"], "-o", "json")


def never_met(subject: Subject, traffic: Traffic, golden: dict[str, Any], version: int) -> str:
    """Roll a version out over the better one, which a gate turns down; return why."""
    subject.install(BETTER, strategy=CANARY, gates={"goldenSet": golden})
    with traffic(5) as load:
        subject.alias_to(version)
        why = turned_down(subject, version)
    assert failed(load) == []
    assert {answer.version for answer in load.answers} == {str(BETTER)}
    return why


def test_a_version_that_is_often_wrong_is_rolled_back_before_anybody_meets_it(
    subject: Subject, traffic: Traffic
) -> None:
    assert "accuracy 0.8" in never_met(subject, traffic, GOLDEN, FIRST)


def test_a_version_is_judged_by_the_rows_of_stable_where_its_author_was_careless(
    subject: Subject, traffic: Traffic
) -> None:
    why = never_met(subject, traffic, GOLDEN | {"rowsOf": "Stable"}, BROKEN)
    assert "rows without an answer (HTTP 500" in why


def register_with_one_more_input(name: str, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    trained, signature = train_demo_version(demo_version("better")), registering.signature()
    signature.inputs.inputs.append(ColSpec("string", "colour"))
    monkeypatch.setattr(registering, "signature", lambda: signature)
    more = replace(trained, example=trained.example.assign(colour="grey"))
    registering.register(more, name=name, tracking_uri=stack.mlflow_url)


def test_a_version_that_needs_more_than_stable_is_rolled_back(
    subject: Subject, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    subject.install(BETTER, strategy=CANARY, gates={"signature": {}})
    name = f"{subject.namespace}-model"
    with warnings.catch_warnings():  # MLflow warns about its own code
        warnings.simplefilter("ignore")
        register_with_one_more_input(name, stack, monkeypatch)
    subject.patch({"model": {"uri": f"models:/{name}/1"}})
    assert "input colour is new and required" in turned_down(subject, 1)


@pytest.mark.parametrize(
    ("code", "reason"), [("raise SystemExit('unfair')", "GateFailed"), ("raise SystemExit(75)", "Inconclusive")]
)
def test_a_job_turns_a_version_down_or_leaves_it_to_a_person(
    subject: Subject, stack: Stack, code: str, reason: str
) -> None:
    subject.install(FIRST, strategy=CANARY, gates={"hooks": [job(stack, code)]})
    subject.alias_to(BETTER)
    if reason == "GateFailed":
        assert turned_down(subject, BETTER) == "gate fairness failed: unfair"
        return
    subject.until(lambda s: condition(s, "Paused")["reason"] == reason, "it waits for a person")
    subject.annotate("promote")
    subject.until(lambda s: stable(s) == BETTER and is_true(s, "Ready"), "a person knows better")


def test_a_hook_turns_a_version_down(subject: Subject, server: HookServer) -> None:
    subject.install(FIRST, strategy={"blueGreen": {}}, gates={"hooks": [server.hook("422")]})
    subject.alias_to(BETTER)
    assert turned_down(subject, BETTER) == "gate smoke failed: HTTP 422: so says the hook"


def test_a_hook_that_hangs_holds_nobody_else_up(subject: Subject, server: HookServer) -> None:
    subject.install(FIRST, strategy=CANARY, gates={"hooks": [server.hook("hang")]})
    subject.alias_to(BETTER)
    subject.until(lambda s: "asked 1 times, last: no answer within 5 s" in s.get("message", ""), "it is asked again")
    subject.annotate("abort")
    status: Status = subject.until(lambda s: rejected(s) == BETTER and "gating" not in s, "it is given up")
    assert status["rejected"][-1]["reason"] == "Aborted"
    assert len({question["key"] for question in server.questions}) == 1
