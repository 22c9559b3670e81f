"""A canary whose users stick to a version: who has met the candidate keeps it, and users are what is counted."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from sluice_training.data import request_rows

from hack.users import HEADER, Users
from tests.e2e.faults import rejection
from tests.e2e.subject import Subject, is_true, rejected, stable, weight

# New backends of a route need new clusters, which the gateway may hold up while others' come (design/places).
pytestmark = pytest.mark.alone

FIRST, BETTER, FAILING = 1, 2, 3
STEPS = [
    {"setWeight": 20},
    {"analysis": {"marginAbsolute": 0.1, "minRequests": 30}},
    {"setWeight": 50},
    {"analysis": {"marginAbsolute": 0.1, "minRequests": 30}},
]


@pytest.fixture
def users(subject: Subject) -> Callable[..., Users]:
    """Users who come to the ModelDeployment; some of them again all the time."""
    rows, url = request_rows(), f"{subject.stack.gateway_url}/{subject.namespace}"
    return lambda **how: Users(url, rows, 8, {}, loyal=24, **how)


def install(subject: Subject, **sticky: str) -> None:
    gateway = {"name": "public", "namespace": "gateways"}
    traffic = {"gateway": gateway, "pathPrefix": f"/{subject.namespace}", "sticky": sticky or {"header": HEADER}}
    subject.install(FIRST, traffic=traffic, strategy={"canary": {"steps": STEPS}}, replicas=2)


def journeys(coming: Users, since: float = 0.0) -> dict[str, list[str]]:
    """The versions that have answered each user, in turn."""
    found: dict[str, list[str]] = {}
    for visit in coming.visits:
        met = found.setdefault(visit.user, [])
        if visit.at > since and visit.version and met[-1:] != [visit.version]:
            met.append(visit.version)
    return found


@pytest.mark.parametrize("sticky", [{"header": HEADER}, {"cookie": "shopper"}], ids=["header", "cookie"])
def test_a_good_version_is_promoted_and_nobody_goes_back(
    subject: Subject, users: Callable[..., Users], sticky: dict[str, str]
) -> None:
    install(subject, **sticky)
    with users(cookie=sticky.get("cookie")) as coming:
        subject.alias_to(BETTER)
        subject.until(lambda s: weight(s) == 50, "half of the users have version 2")
        subject.until(lambda s: stable(s) == BETTER and is_true(s, "Ready"), "version 2 is promoted")
        time.sleep(3)
    assert coming.failed == []
    back = {user: met for user, met in journeys(coming).items() if met[:2] == [str(BETTER), str(FIRST)] or len(met) > 2}
    assert back == {}
    messages = [message for reason, message in subject.events() if reason == "StepCompleted"]
    assert any("users" in message for message in messages)
    records = subject.get("rolloutrecords")
    (record,) = (one for one in records if one["spec"]["candidate"]["modelVersion"] == str(BETTER))
    ((kind, name),) = sticky.items()
    assert record["spec"]["unit"] == f"users by {kind} {name}"


def test_a_version_that_fails_users_is_rolled_back(subject: Subject, users: Callable[..., Users]) -> None:
    install(subject)
    with users() as coming:
        subject.alias_to(FAILING)
        status = subject.until(lambda s: rejected(s) == FAILING, "version 3 is rolled back")
        subject.until(lambda _: not subject.pods_of(FAILING), "version 3 is scaled down")
        since = time.monotonic()
        subject.until(lambda _: sum(visit.at > since for visit in coming.visits) > 30, "users come")
    assert rejection(status)["reason"] == "HarmProven"
    assert "users" in rejection(status)["message"]
    assert {visit.version for visit in coming.failed} <= {str(FAILING)}
    assert {met for versions in journeys(coming, since).values() for met in versions} == {str(FIRST)}
