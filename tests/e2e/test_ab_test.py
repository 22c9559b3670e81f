"""A/B tests: users stay with their version, and what they do decides which of the versions stays."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from sluice_training.data import request_rows

from hack.users import GOING_ON, HEADER, METRIC, Users
from tests.e2e.faults import rejection
from tests.e2e.subject import Status, Subject, condition, is_true, rejected, stable, weight

pytestmark = pytest.mark.alone  # a request that fails for want of a core counts against a version

FIRST, BETTER = 1, 2
SYSTEM = "sluice-system"
ERRORS = {"metrics": [{"name": "errors", "errorRate": {"marginAbsolute": 0.05}}]}
Coming = Callable[[Mapping[str, float]], Users]


def ab_test(**wants: Any) -> dict[str, Any]:
    primary = {"metric": METRIC, "window": "5s"}
    return {"abTest": {"primary": primary, "minUnits": 60, "minDuration": "20s", "maxDuration": "1h"} | wants}


def install(subject: Subject, *, sticky: bool = True, **more: Any) -> None:
    gateway = {"name": "public", "namespace": "gateways"}
    traffic: dict[str, Any] = {"gateway": gateway, "pathPrefix": f"/{subject.namespace}"}
    traffic |= {"sticky": {"header": HEADER}} if sticky else {}
    subject.install(FIRST, **({"traffic": traffic, "analysis": ERRORS, "replicas": 2} | more))


def under_test(status: Status) -> dict[str, Any]:
    found: dict[str, Any] = status.get("rollout", {}).get("evidence", {}).get("test", {})
    return found


def counted(status: Status, arm: str) -> int:
    """Users that count of the control or the treatment."""
    return int(under_test(status).get("counts", {}).get(arm, {}).get("matured", 0))


def goes_on(status: Status) -> bool:
    """Whether users of both versions count."""
    return weight(status) == 50 and min(counted(status, "control"), counted(status, "treatment")) > 0


@pytest.fixture
def users(subject: Subject) -> Coming:
    """Users who come to the ModelDeployment; what share of them converts is given by version."""
    rows, url = request_rows(), f"{subject.stack.gateway_url}/{subject.namespace}"
    return lambda converts: Users(url, rows, 8, converts)


def restart(subject: Subject, version: int) -> None:
    """Let one of a version's pods end, and wait for the one in its place."""
    before = subject.pods_of(version)
    pod = next(p for p in subject.get("pods") if p["metadata"]["uid"] in before)
    subject.kubectl("delete", "pod", pod["metadata"]["name"], "--wait=true")
    subject.until(
        lambda s: len(subject.pods_of(version)) == len(before) and s["ready"] == "5/5", f"version {version} is complete"
    )


def test_users_stay_through_restarts_and_the_winner_is_promoted(subject: Subject, users: Coming) -> None:
    install(subject, strategy=ab_test(minDuration="5m", onWinner="Hold"), replicas=3)
    with users({str(FIRST): 0.1, str(BETTER): 0.6}) as coming:
        subject.alias_to(BETTER)
        subject.until(goes_on, "users of both versions count")
        since = time.monotonic()
        restart(subject, BETTER)
        restart(subject, FIRST)
        subject.stack.shell.kubectl("rollout", "restart", "-n", SYSTEM, "deployment/sluice")
        subject.stack.shell.kubectl("rollout", "status", "-n", SYSTEM, "deployment/sluice", "--timeout=120s")
        status = subject.until(
            lambda s: min(counted(s, "control"), counted(s, "treatment")) >= 60, "enough of both versions count"
        )
        assert coming.flipped(since, time.monotonic()) == {}
        loyal = {f"user-{number}" for number in range(coming.loyal)}
        met = {visit.version for visit in coming.visits if visit.user in loyal and visit.at > since}
        assert met == {str(FIRST), str(BETTER)}, "who comes again is at both versions"
        assert under_test(status)["unit"] == f"users by header {HEADER}"
        assert set(coming.told) & {GOING_ON}
        subject.annotate("promote")
        subject.until(lambda s: stable(s) == BETTER and is_true(s, "Ready"), "version 2 is promoted")
    assert coming.failed == []


def test_a_winner_that_nobody_promotes_unasked_waits_and_needs_no_other_test(subject: Subject, users: Coming) -> None:
    install(subject, strategy=ab_test(onWinner="Notify"))
    with users({str(FIRST): 0.1, str(BETTER): 0.7}) as coming:
        subject.alias_to(BETTER)
        status = subject.until(lambda s: s.get("verdict") == "Winner" and is_true(s, "Ready"), "version 2 has won")
        assert stable(status) == FIRST
        assert "95 % confidence" in status["message"]
        won = rejection(status)
        assert (won["reason"], won["revision"]["modelVersion"]) == ("Winner", str(BETTER))
        subject.kubectl("annotate", "md", subject.name, f"sluice.dev/promote={won['revision']['name']}")
        subject.until(lambda s: stable(s) == BETTER and is_true(s, "Ready"), "a person has promoted it")
    assert coming.failed == []
    assert {"Winner", "Promoted"} <= {reason for reason, _ in subject.events()}


def test_a_version_whose_users_turn_away_is_rolled_back(subject: Subject, users: Coming) -> None:
    install(subject, strategy=ab_test(minDuration="30m"))
    with users({str(FIRST): 0.7, str(BETTER): 0.1}) as coming:
        subject.alias_to(BETTER)
        status = subject.until(lambda s: rejected(s) == BETTER, "version 2 is rolled back")
        subject.until(lambda _: not subject.pods_of(BETTER), "version 2 is scaled down")
        since = time.monotonic()
        subject.until(lambda _: sum(visit.at > since for visit in coming.visits) > 30, "users come")
    assert rejection(status)["reason"] == "ProvenWorse"
    assert "worse by" in rejection(status)["message"]
    assert {visit.version for visit in coming.visits if visit.at > since} == {str(FIRST)}
    assert coming.failed == []


def test_without_a_winner_the_old_version_stays_and_nothing_is_wrong(subject: Subject, users: Coming) -> None:
    install(subject, strategy=ab_test(minDuration="5s", maxDuration="30s"))
    with users({}) as coming:
        subject.alias_to(BETTER)
        status = subject.until(lambda s: s.get("verdict") == "NoWinner" and is_true(s, "Ready"), "nobody has won")
    assert rejection(status)["reason"] == "NoWinner"
    assert condition(status, "Degraded")["status"] == "False"
    assert stable(status) == FIRST
    assert coming.failed == []


def test_where_nobody_says_who_he_is_requests_are_tested(subject: Subject, users: Coming) -> None:
    install(subject, strategy=ab_test(), sticky=False)
    with users({str(FIRST): 0.1, str(BETTER): 0.9}) as coming:
        subject.alias_to(BETTER)
        status = subject.until(goes_on, "requests of both versions count")
        assert under_test(status)["unit"] == "requests"
        subject.until(lambda s: stable(s) == BETTER and is_true(s, "Ready"), "version 2 has won")
    assert coming.failed == []
    records = subject.get("rolloutrecords")
    (record,) = (one for one in records if one["spec"]["candidate"]["modelVersion"] == str(BETTER))
    assert record["spec"]["unit"] == "requests"
