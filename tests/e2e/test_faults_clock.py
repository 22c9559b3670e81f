"""The clock that the operator follows is set an hour ahead, and an hour back; the machine's own is never touched."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from hack.load import Load
from hack.operators import Operators
from hack.stack.install import NAMESPACE, RELEASE, Stack
from tests.e2e.faults import failed
from tests.e2e.subject import STEPS, Subject, is_true, stable, weight

pytestmark = pytest.mark.alone

FIRST, BETTER = 1, 2
HOUR = 3600
Traffic = Callable[[float], Load]
SetClock = Callable[[int], None]

# What the API server says is the only clock that decisions follow: in these pods it says something else.
SKEWED = """
from datetime import timedelta
from pathlib import Path
from sluice.controller.clock import SteadyClock

hear, offset = SteadyClock.hear, Path("/tmp/offset")

def skewed(self, told):
    hear(self, told + timedelta(seconds=float(offset.read_text()) if offset.exists() else 0))

SteadyClock.hear = skewed
"""


@contextmanager
def clock_of_the_api_server(stack: Stack) -> Iterator[SetClock]:
    """Let the operators hear another time from the API server."""
    kubectl, operators = stack.shell.kubectl, Operators(stack.shell)
    config = {
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "skew", "namespace": NAMESPACE},
        "data": {"sitecustomize.py": SKEWED},
    }  # fmt: skip
    container = {
        "name": "operator", "env": [{"name": "PYTHONPATH", "value": "/skew:/app"}],
        "volumeMounts": [{"name": "skew", "mountPath": "/skew"}],
    }  # fmt: skip
    pod = {"containers": [container], "volumes": [{"name": "skew", "configMap": {"name": "skew"}}]}
    stack.shell.apply(json.dumps(config))
    kubectl(
        "-n", NAMESPACE, "patch", "deployment", RELEASE, "--patch", json.dumps({"spec": {"template": {"spec": pod}}})
    )

    def set_clock(seconds: int) -> None:
        label = "app.kubernetes.io/component=operator"
        found = kubectl(
            "-n", NAMESPACE, "get", "pods", "-l", label, "-o", "name", "--field-selector=status.phase=Running"
        )
        write = f"from pathlib import Path; Path('/tmp/offset').write_text('{seconds}')"
        for name in found.split():
            kubectl("-n", NAMESPACE, "exec", name, "--", "python", "-S", "-c", write)

    try:
        operators.all_ready()
        operators.until(bool, "somebody leads")
        yield set_clock
    finally:
        kubectl("-n", NAMESPACE, "rollout", "undo", f"deployment/{RELEASE}")
        operators.all_ready()
        kubectl("-n", NAMESPACE, "delete", "configmap", "skew")


def test_an_hour_ahead_and_an_hour_back_end_no_pause_and_pass_no_deadline(subject: Subject, traffic: Traffic) -> None:
    held = {"canary": {"steps": [*STEPS[:2], {"pause": {"duration": "30m"}}, *STEPS[2:]]}}
    with clock_of_the_api_server(subject.stack) as set_clock, traffic(20) as load:
        subject.install(FIRST, strategy=held, progressDeadlineSeconds=120)
        since = len(load.answers)
        subject.alias_to(BETTER)
        subject.until(lambda s: weight(s) == 20, "the first step is taken")
        set_clock(HOUR)
        subject.until(lambda s: s.get("step") == "3/5 pause", "the analysis goes on")
        time.sleep(5)
        set_clock(-HOUR)
        time.sleep(5)
        assert subject.status()["step"] == "3/5 pause", "neither has ended the pause"
        subject.annotate("promote")
        subject.until(lambda s: stable(s) == BETTER and is_true(s, "Ready"), "version 2 is promoted")
    assert [answer for answer in failed(load) if answer in load.answers[since:]] == []
    reasons = [reason for reason, _ in subject.events()]
    assert (reasons.count("RolledBack"), reasons.count("Inconclusive")) == (0, 0)
