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
        subject.annotate("promote")
        subject.until(lambda s: stable(s) == BETTER and is_true(s, "Ready"), "version 2 is promoted")
    assert failed(load) == []
    assert copies(subject) == []
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
