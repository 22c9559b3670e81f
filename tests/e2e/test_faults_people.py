"""People and other controllers change what is not theirs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from hack.load import Load
from tests.e2e.faults import failed
from tests.e2e.subject import Subject, is_true, stable

FIRST = 1
APPLIES = 100
MOST_EVENTS = 400
Traffic = Callable[[float], Load]


def test_what_others_change_is_put_back_and_told(subject: Subject, traffic: Traffic) -> None:
    subject.install(FIRST)
    name = subject.get("deployments")[0]["metadata"]["name"]
    pods = {pod["metadata"]["uid"] for pod in subject.get("pods")}
    route = json.dumps([{"op": "add", "path": "/spec/hostnames", "value": ["only.example"]}])
    weights = json.dumps([{"op": "replace", "path": "/spec/rules/0/backendRefs/0/weight", "value": 7}])
    edits: list[tuple[tuple[str, ...], str]] = [
        (("patch", "httproute", subject.name, "--type=json", "--patch", weights), "backendRefs[0].weight 7 -> 999994"),
        (("patch", "httproute", subject.name, "--type=json", "--patch", route), "spec.hostnames removed"),
        (("scale", "deployment", name, "--replicas=3"), "spec.replicas 3 -> 1"),
        (("set", "image", f"deployment/{name}", "server=localhost/nobody:none"), "image localhost/nobody:none ->"),
        (("label", "service", name, "app.kubernetes.io/managed-by=me", "--overwrite"), "managed-by me -> sluice"),
        (("delete", "httproute", subject.name), "was deleted"),
    ]
    with traffic(20) as load:
        for arguments, says in edits:
            subject.kubectl(*arguments)
            subject.until(lambda _, says=says: told(subject, says), f"an event says: {says}")  # type: ignore[misc]
    subject.until(lambda s: is_true(s, "Ready"), "all is as before")
    assert pods <= {pod["metadata"]["uid"] for pod in subject.get("pods") if pod["status"]["phase"] == "Running"}
    (found,) = subject.get("httproutes")
    assert "hostnames" not in found["spec"]
    assert {answer.version for answer in load.answers if not answer.failed} <= {str(FIRST), ""}


def told(subject: Subject, words: str) -> bool:
    return any(reason == "Repaired" and words in message for reason, message in subject.events())


def test_the_same_applied_a_hundred_times_is_one_and_alternating_ends_on_the_last(
    subject: Subject, traffic: Traffic
) -> None:
    subject.install(FIRST)
    before = subject.kubectl("get", "md", subject.name, "-o", "jsonpath={.metadata.generation}")
    events = len(subject.events())
    subject.apply_all({} for _ in range(APPLIES))
    assert subject.kubectl("get", "md", subject.name, "-o", "jsonpath={.metadata.generation}") == before
    assert len(subject.events()) == events
    with traffic(20) as load:
        subject.apply_all({"server": {"threads": 2 + number % 3}} for number in range(APPLIES))
        last = 2 + (APPLIES - 1) % 3
        newest = int(subject.kubectl("get", "md", subject.name, "-o", "jsonpath={.metadata.generation}"))
        subject.until(lambda s: s["observedGeneration"] == newest and is_true(s, "Ready"), "the last one is promoted")
        (service,) = [d for d in subject.get("deployments") if threads(d) == last and d["spec"]["replicas"]]
        assert stable(subject.status()) == FIRST
    assert failed(load) == []
    assert service["status"]["readyReplicas"] == 1
    assert len(subject.get("deployments")) <= 4
    assert len(subject.events()) < MOST_EVENTS


def threads(deployment: dict[str, Any]) -> int:
    (server,) = deployment["spec"]["template"]["spec"]["containers"]
    return int(next(entry["value"] for entry in server["env"] if entry["name"] == "SLUICE_THREADS"))
