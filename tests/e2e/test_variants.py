"""A/B tests of several versions: each user has one of them, the best wins, and who is worse or fails leaves."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from sluice_training.data import request_rows

from hack.stack.install import MODEL
from hack.users import HEADER, METRIC, Users
from tests.e2e.faults import rejection
from tests.e2e.subject import Status, Subject, is_true, rejected, stable
from tests.e2e.test_ab_test import ERRORS, under_test

pytestmark = pytest.mark.alone  # a request that fails for want of a core counts against a version

FIRST, BETTER, FAILING, SLOW = 1, 2, 3, 5
Coming = Callable[[Mapping[str, float]], Users]


def install(subject: Subject, **wants: Any) -> None:
    """Version 1 serves, and both names mean it, so that nothing is tested yet."""
    gateway = {"name": "public", "namespace": "gateways"}
    traffic = {"gateway": gateway, "pathPrefix": f"/{subject.namespace}", "sticky": {"header": HEADER}}
    subject.stack.move_alias(large(subject), FIRST)
    variant = {"name": "large", "model": {"uri": f"models:/{MODEL}@{large(subject)}"}, "weight": 30}
    test = {
        "weight": 30, "variants": [variant], "primary": {"metric": METRIC, "window": "5s"}, "minUnits": 60,
        "minDuration": "20s", "maxDuration": "1h",
    }  # fmt: skip
    subject.install(FIRST, traffic=traffic, analysis=ERRORS, replicas=2, strategy={"abTest": test | wants})


def large(subject: Subject) -> str:
    """The alias that the variant follows."""
    return f"{subject.alias}large"


def begin(subject: Subject, variant: int = SLOW) -> Status:
    """Let both names mean other versions, and wait until both have users that count.

    What is seen between the two moves may be a test of the first one alone; the second makes it another one.
    """
    subject.stack.move_alias(large(subject), variant)
    subject.alias_to(BETTER)
    return subject.until(lambda s: min(counted(s, "candidate"), counted(s, "large")) > 0, "users of all versions count")


def arms(status: Status) -> dict[str, dict[str, Any]]:
    """The challengers by their names."""
    return {one["name"]: one for one in status.get("rollout", {}).get("variants", [])}


def counted(status: Status, name: str) -> int:
    """Users of a challenger that count."""
    test = arms(status).get(name, {}).get("evidence", {}).get("test", {})
    return int(test.get("counts", {}).get("treatment", {}).get("matured", 0))


def dropped(status: Status, name: str) -> str:
    return str(arms(status).get(name, {}).get("dropped", ""))


@pytest.fixture
def users(subject: Subject) -> Coming:
    """Users who come to the ModelDeployment; what share of them converts is given by version."""
    rows, url = request_rows(), f"{subject.stack.gateway_url}/{subject.namespace}"
    return lambda converts: Users(url, rows, 10, converts)


def test_each_user_has_one_of_three_versions_and_the_best_one_wins(subject: Subject, users: Coming) -> None:
    install(subject, minDuration="90s")
    with users({str(FIRST): 0.1, str(BETTER): 0.2, str(SLOW): 0.8}) as coming:
        status = begin(subject)
        assert under_test(status)["unit"] == f"users by header {HEADER}"
        since = time.monotonic()
        subject.until(lambda s: min(counted(s, "candidate"), counted(s, "large")) >= 20, "more users count")
        versions = {str(FIRST), str(BETTER), str(SLOW)}
        subject.until(lambda _: {one.version for one in coming.visits if one.at > since} >= versions, "they meet all")
        assert coming.flipped(since, time.monotonic()) == {}
        subject.until(lambda s: stable(s) == SLOW and is_true(s, "Ready"), "the variant has won")
    assert coming.failed == []
    messages = [message for reason, message in subject.events() if reason == "StepCompleted"]
    assert any(
        "large" in message and "it has won" in message and "97.5 % confidence" in message for message in messages
    )


def test_who_is_worse_leaves_and_only_his_users_move(subject: Subject, users: Coming) -> None:
    install(subject, minDuration="30m")
    with users({str(FIRST): 0.7, str(BETTER): 0.7, str(SLOW): 0.02}) as coming:
        begin(subject)
        since = time.monotonic()
        subject.until(lambda s: dropped(s, "large") == "ProvenWorse", "the variant is dropped")
        subject.until(lambda _: not subject.pods_of(SLOW), "it is scaled down")
        moved = coming.flipped(since, time.monotonic())
        assert all(versions == {str(SLOW), str(FIRST)} for versions in moved.values()), "they go to stable"
        status = subject.status()
        assert status["rollout"]["revision"]["modelVersion"] == str(BETTER)
        assert status["rollout"]["weight"] == 30
    assert coming.failed == []


def test_who_fails_leaves_and_a_winner_is_told_of(subject: Subject, users: Coming) -> None:
    install(subject, minDuration="30s", onWinner="Notify")
    with users({str(FIRST): 0.1, str(BETTER): 0.7, str(FAILING): 0.7}) as coming:
        begin(subject, FAILING)
        subject.until(lambda s: dropped(s, "large") == "HarmProven", "the variant is dropped")
        status = subject.until(lambda s: rejected(s) == BETTER and "rollout" not in s, "the test is over")
        told = {one["revision"]["modelVersion"]: one["reason"] for one in status["rejected"]}
        assert told == {str(FAILING): "HarmProven", str(BETTER): "Winner"}
        subject.until(lambda s: stable(s) == FIRST and is_true(s, "Ready"), "nothing changes by itself")
    assert {visit.version for visit in coming.failed} <= {str(FAILING)}


def test_an_abort_leaves_nobody_but_the_old_version(subject: Subject, users: Coming) -> None:
    install(subject, minDuration="30m")
    with users({}) as coming:
        begin(subject)
        subject.annotate("abort")
        status = subject.until(lambda s: rejected(s) == BETTER and "rollout" not in s, "both are given up")
        subject.until(lambda _: not subject.pods_of(SLOW) and not subject.pods_of(BETTER), "their pods are gone")
        since = time.monotonic()
        subject.until(lambda _: sum(visit.at > since for visit in coming.visits) > 30, "users come")
    assert rejection(status)["reason"] == "Aborted"
    assert {visit.version for visit in coming.visits if visit.at > since} == {str(FIRST)}
    assert coming.failed == []
