"""Latency as evidence: a slow version is rolled back for being slow, a good one is promoted with the metric on."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median

import pytest

from hack.load import Load
from tests.e2e.subject import Subject, rejected, stable, weight

pytestmark = pytest.mark.alone  # others' load makes everything slow

FIRST, BETTER, SLOW = 1, 2, 5
Traffic = Callable[[float], Load]

# Pods of a busy test machine differ more than those of two versions would; what is tested is that latency decides.
ANALYSIS = {
    "minRequests": 30,
    "metrics": [
        {"name": "errors", "errorRate": {}},
        {"name": "latency", "latency": {"marginRatio": 4, "marginAbsolute": 0.05}},
    ],
}


def test_a_slow_version_is_rolled_back_for_being_slow(subject: Subject, traffic: Traffic) -> None:
    subject.install(BETTER, analysis=ANALYSIS)
    with traffic(20) as load:
        subject.alias_to(SLOW)
        status = subject.until(lambda s: rejected(s) == SLOW, "version 5 is rolled back")
        subject.until(lambda s: s["verdict"] == "Failed", "it says so")
        subject.until(lambda _: not subject.pods_of(SLOW), "version 5 is scaled down, so nobody waits for it any more")
    assert status["rejected"][-1]["reason"] == "HarmProven"
    assert status["rejected"][-1]["message"].startswith("slower: ")
    assert stable(status) == BETTER
    assert [answer for answer in load.answers if answer.failed] == []
    assert median(answer.done - answer.sent for answer in load.answers if answer.version == str(SLOW)) > 0.25
    assert load.answers[-1].version == str(BETTER)


def test_a_good_version_is_promoted_when_its_latency_is_proven_safe_too(subject: Subject, traffic: Traffic) -> None:
    subject.install(FIRST, analysis=ANALYSIS)
    with traffic(20) as load:
        subject.alias_to(BETTER)
        status = subject.until(lambda s: "latency" in s.get("message", ""), "it tells how the metrics stand")
        assert "errors" in status["message"]
        subject.until(lambda s: weight(s) == 50, "half of the traffic goes to version 2")
        subject.until(lambda s: stable(s) == BETTER, "version 2 is promoted")
    assert [answer for answer in load.answers if answer.failed] == []
