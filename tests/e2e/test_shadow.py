"""Shadow: the new version answers copies of real requests; its answers are compared and reach nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hack.load import Load
from tests.e2e.faults import failed
from tests.e2e.subject import Subject, condition, is_true, rejected, stable

pytestmark = pytest.mark.alone  # a request that fails for want of a core counts against a version

FIRST, BETTER, BROKEN = 1, 2, 4
SYSTEM, COLLECTOR = "sluice-system", "deployment/sluice-collector"
Traffic = Callable[[float], Load]


def shadow(**wants: Any) -> dict[str, Any]:
    return {"shadow": {"maxErrorRate": 0.05, "minPairs": 60} | wants}


def pairs(status: dict[str, Any]) -> dict[str, int]:
    found: dict[str, int] = status["rollout"]["evidence"].get("pairs", {})
    return found


def is_told(evidence: dict[str, Any], record: dict[str, Any]) -> None:
    """How often answers differ, how sure that is, and in what: in the status, and when all is over in the record."""
    for said, seen in (
        (evidence["disagreement"], evidence["pairs"]),
        (record["disagreement"], record["evidence"]["pairs"]),
    ):
        assert said["atLeast"] <= said["share"] == seen.get("different", 0) / seen["joined"] <= said["atMost"] < 1
        assert f"of {seen['joined']:,} pairs (at most" in said["statement"]
        classes, durations = seen["classes"], seen["durations"]
        assert sum(flip["count"] for flip in classes.get("flips", [])) <= classes["changed"] <= classes["rows"]
        assert all(flip["stable"] != flip["candidate"] for flip in classes.get("flips", []))
        assert all(0 < durations[side]["p50"] <= durations[side]["p99"] for side in ("stable", "candidate"))


def copies(subject: Subject) -> list[str]:
    """The Services that copies of requests go to."""
    (route,) = subject.get("httproutes")
    filters = [one.get("requestMirror") for one in route["spec"]["rules"][0]["filters"]]
    return [mirror["backendRef"]["name"] for mirror in filters if mirror]


def answered(load: Load) -> set[str]:
    return {answer.version for answer in load.answers}


@pytest.fixture
def collector(subject: Subject) -> Iterator[Callable[[int], None]]:
    """Scales the collector; it is back at the end."""

    def scale(replicas: int) -> None:
        subject.stack.shell.kubectl("scale", "-n", SYSTEM, COLLECTOR, f"--replicas={replicas}")

    yield scale
    scale(1)
    subject.stack.shell.kubectl("rollout", "status", "-n", SYSTEM, COLLECTOR, "--timeout=120s")


def test_a_version_is_compared_in_the_shadow_held_and_promoted(subject: Subject, traffic: Traffic) -> None:
    subject.install(FIRST, strategy=shadow(maxDisagreement=0.4, then="Hold"), replicas=2)
    with traffic(30) as load:
        subject.alias_to(BETTER)
        status = subject.until(lambda s: condition(s, "Paused")["reason"] == "AwaitingPromotion", "it is held")
        assert copies(subject) == [f"{subject.name}-{status['rollout']['revision']['name']}"]
        assert answered(load) == {str(FIRST)}, "users see nothing of it"
        counted = pairs(status)
        assert counted["joined"] >= 60
        assert counted.get("different", 0) <= 0.4 * counted["joined"]
        assert "candidateFailed" not in counted or counted["candidateFailed"] == 0
        assert "answers differ in" in status["message"]
        subject.annotate("promote")
        subject.until(lambda s: stable(s) == BETTER and is_true(s, "Ready"), "version 2 is promoted")
    assert failed(load) == []
    assert copies(subject) == []
    (record,) = (
        one for one in subject.get("rolloutrecords") if one["spec"]["candidate"]["modelVersion"] == str(BETTER)
    )
    is_told(status["rollout"]["evidence"], record["status"])
    assert "in the shadow answers differ in" in record["status"]["message"]
    assert load.answers[-1].version == str(BETTER)


def test_a_version_that_fails_is_found_out_before_anybody_meets_it(subject: Subject, traffic: Traffic) -> None:
    subject.install(FIRST, strategy=shadow())
    with traffic(20) as load:
        subject.alias_to(BROKEN)
        status = subject.until(lambda s: rejected(s) == BROKEN, "version 4 is rolled back")
        subject.until(lambda _: not subject.pods_of(BROKEN), "version 4 is scaled down")
    (entry,) = status["rejected"]
    assert entry["reason"] == "HarmProven"
    assert "the candidate alone failed" in entry["message"]
    assert "with 95 % confidence at any time" in entry["message"]
    assert failed(load) == []
    assert answered(load) == {str(FIRST)}


def test_users_notice_nothing_of_a_collector_that_is_away(
    subject: Subject, traffic: Traffic, collector: Callable[[int], None]
) -> None:
    subject.install(FIRST, strategy={"canary": {"steps": [{"mirror": {"minPairs": 30}}, {"setWeight": 50}]}})
    with traffic(20) as load:
        collector(0)
        subject.alias_to(BETTER)
        subject.until(lambda s: "the collector can't be reached" in s["message"], "it says what it waits for")
        assert answered(load) == {str(FIRST)}
        collector(1)
        subject.until(lambda s: stable(s) == BETTER and is_true(s, "Ready"), "version 2 is promoted")
    assert failed(load) == []
