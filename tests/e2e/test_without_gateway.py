"""Traffic without a gateway: a Service, pods whose numbers are the split, and requests from within the cluster."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from tests.e2e.inside import InsideLoad
from tests.e2e.subject import STEPS, Subject, condition, is_true, rejected, stable, weight

FIRST, BETTER, FAILING, BROKEN = 1, 2, 3, 4
Inside = Callable[[float], InsideLoad]
HELD = {"canary": {"steps": [{"setWeight": 10}, {"pause": {}}]}}


def install(subject: Subject, version: int = FIRST, **spec: Any) -> None:
    """Apply it without `traffic` and wait until a version serves."""
    subject.alias_to(version)
    subject.apply(traffic=None, **spec)
    subject.until(lambda s: stable(s) == version and is_true(s, "Ready"), f"version {version} serves")


def selector(subject: Subject) -> dict[str, str]:
    (service,) = (one for one in subject.get("services") if one["metadata"]["name"] == subject.name)
    found: dict[str, str] = service["spec"]["selector"]
    return found


def failed(load: InsideLoad) -> list[Any]:
    return [answer for answer in load.answers if answer.failed]


def test_a_good_version_is_promoted_without_a_failed_request(subject: Subject, inside: Inside) -> None:
    install(subject, replicas=2)
    assert subject.get("httproutes") == []
    with inside(40) as load:
        subject.alias_to(BETTER)
        subject.until(lambda s: weight(s) == 20, "one of three pods is version 2's")
        subject.until(lambda s: weight(s) == 50, "half of the pods are version 2's")
        subject.until(lambda s: stable(s) == BETTER and is_true(s, "Ready"), "version 2 is promoted")
        subject.until(lambda _: not subject.pods_of(FIRST), "version 1 is scaled down")
    assert failed(load) == []
    assert load.answers[-1].version == str(BETTER)
    assert "sluice.dev/revision" in selector(subject)


def test_each_pod_has_as_many_requests_as_any_other(subject: Subject, inside: Inside) -> None:
    install(subject, replicas=3, strategy=HELD)
    with inside(40) as load:
        subject.alias_to(BETTER)
        status = subject.until(
            lambda s: condition(s, "Paused")["reason"] == "AwaitingPromotion", "one of four pods is version 2's"
        )
        assert status["weight"] == 25
        assert "1 of the 4 pods behind the Service" in status["message"]
        began, before = weight(status), len(load.answers)
        subject.until(lambda _: len(load.answers) > before + 600, "requests go on")
    versions = [answer.version for answer in load.answers[before + 100 :]]
    share = versions.count(str(BETTER)) / len(versions)
    deviation = math.sqrt(0.25 * 0.75 / len(versions))
    assert began == 10
    assert abs(share - 0.25) < 5 * deviation, "drawn for each request, not for each client"
    assert failed(load) == []


def test_a_version_that_fails_on_some_rows_is_rolled_back(subject: Subject, inside: Inside) -> None:
    install(subject, BETTER, replicas=2)
    with inside(40) as load:
        subject.alias_to(FAILING)
        status = subject.until(lambda s: rejected(s) == FAILING, "version 3 is rolled back")
        subject.until(lambda _: not subject.pods_of(FAILING), "version 3 is scaled down")
    assert {answer.version for answer in failed(load)} == {str(FAILING)}
    assert load.answers[-1].version == str(BETTER)
    assert status["rejected"][-1]["reason"] == "HarmProven"


def test_an_abort_takes_all_traffic_off_the_candidate(subject: Subject, inside: Inside) -> None:
    install(subject, replicas=1, strategy=HELD)
    with inside(20) as load:
        subject.alias_to(BETTER)
        subject.until(lambda s: condition(s, "Paused")["reason"] == "AwaitingPromotion", "half of the traffic")
        subject.annotate("abort")
        subject.until(lambda s: rejected(s) == BETTER, "version 2 is aborted")
        subject.until(lambda _: not subject.pods_of(BETTER), "version 2 is scaled down")
    assert failed(load) == []
    assert load.answers[-1].version == str(FIRST)


def test_all_traffic_is_switched_and_taken_back(subject: Subject, inside: Inside) -> None:
    strategy = {"blueGreen": {"pause": {}, "verify": {"maxErrorRate": 0.05, "minRequests": 50}}}
    install(subject, replicas=2, strategy=strategy, scaleDownDelaySeconds=600)
    with inside(40) as load:
        subject.alias_to(BETTER)
        subject.until(lambda s: condition(s, "Paused")["reason"] == "AwaitingPromotion", "version 2 waits")
        assert {answer.version for answer in load.answers} == {str(FIRST)}, "users see nothing of it"
        subject.annotate("promote")
        subject.until(lambda s: stable(s) == BETTER and is_true(s, "Ready"), "version 2 is promoted")
        earlier = subject.status()["retired"][-1]["revision"]["name"]
        subject.kubectl("annotate", "md", subject.name, f"sluice.dev/rollback={earlier}")
        subject.until(lambda s: stable(s) == FIRST and "rollout" not in s, "version 1 is back")
        done = len(load.answers)
        subject.until(lambda _: len(load.answers) > done + 100, "requests go on")
    assert failed(load) == []
    assert load.answers[-1].version == str(FIRST)
    switched = [answer.version for answer in load.answers]
    assert str(BETTER) in switched


def test_a_version_that_fails_always_is_switched_back(subject: Subject, inside: Inside) -> None:
    install(subject, strategy={"blueGreen": {"verify": {"maxErrorRate": 0.05}}})
    with inside(20) as load:
        subject.alias_to(BROKEN)
        subject.until(lambda s: rejected(s) == BROKEN, "version 4 is rolled back")
        subject.until(lambda _: not subject.pods_of(BROKEN), "version 4 is scaled down")
    assert {answer.version for answer in failed(load)} == {str(BROKEN)}
    assert load.answers[-1].version == str(FIRST)


def test_a_hand_edit_of_the_service_is_put_back_and_a_foreign_one_is_left_alone(subject: Subject) -> None:
    foreign = '{"spec": {"selector": {"app": "mine"}}}'
    subject.kubectl("create", "service", "clusterip", subject.name, "--tcp=80:80")
    subject.alias_to(FIRST)
    subject.apply(traffic=None, strategy={"canary": {"steps": STEPS}})
    status = subject.until(lambda s: condition(s, "Degraded").get("reason") == "ServiceTaken", "it says whose it is")
    assert "delete it, or give the ModelDeployment another name" in status["message"]
    assert "sluice.dev/model-deployment" not in selector(subject)
    subject.kubectl("delete", "service", subject.name)
    subject.until(lambda s: is_true(s, "Ready"), "it serves")
    subject.kubectl("patch", "service", subject.name, "--type=merge", "--patch", foreign)
    subject.until(lambda _: "sluice.dev/revision" in selector(subject), "the selector is put back")
    subject.until(lambda _: "Repaired" in [reason for reason, _ in subject.events()], "an event says so")
