"""Blue-green: tested where no user comes, switched at once without a failed request, and back in one write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hack.load import REVISION, Load
from tests.e2e.faults import failed
from tests.e2e.subject import Subject, condition, is_true, rejected, stable

FIRST, BETTER, BROKEN = 1, 2, 4
Traffic = Callable[[float], Load]


def blue_green(subject: Subject, **wants: Any) -> dict[str, Any]:
    return {"blueGreen": {"preview": {"pathPrefix": f"/{subject.namespace}-preview"}} | wants}


def previewed(subject: Subject) -> str:
    """The revision that answers at the preview address, empty when none does."""
    url = f"{subject.stack.gateway_url}/{subject.namespace}-preview/ping"
    done = subject.stack.shell.attempt(
        "curl", "--silent", "--fail", "--max-time", "5", "--output", "/dev/null", "--write-out",
        f"%header{{{REVISION}}}", url,
    )  # fmt: skip
    return done.stdout.strip() if done.returncode == 0 else ""


def route_generation(subject: Subject) -> int:
    (route,) = (one for one in subject.get("httproutes") if one["metadata"]["name"] == subject.name)
    return int(route["metadata"]["generation"])


def test_a_version_is_tested_switched_verified_and_taken_back(subject: Subject, traffic: Traffic) -> None:
    wants = {"previewReplicas": 1, "pause": {}, "verify": {"maxErrorRate": 0.05, "minRequests": 50}}
    subject.install(FIRST, strategy=blue_green(subject, **wants), replicas=2, scaleDownDelaySeconds=600)
    assert previewed(subject) == ""
    with traffic(40) as load:
        subject.alias_to(BETTER)
        status = subject.until(lambda s: condition(s, "Paused")["reason"] == "AwaitingPromotion", "it can be tested")
        candidate = status["rollout"]["revision"]["name"]
        assert f"/{subject.namespace}-preview" in status["message"]
        assert previewed(subject) == candidate
        assert len(subject.pods_of(BETTER)) == 1
        assert {answer.version for answer in load.answers} == {str(FIRST)}, "users see nothing of it"
        subject.annotate("promote")
        subject.until(lambda s: stable(s) == BETTER and is_true(s, "Ready"), "version 2 is promoted")
        subject.until(lambda _: previewed(subject) == "", "nobody is previewed any more")
        before, done = route_generation(subject), len(load.answers)
        earlier = subject.status()["retired"][-1]["revision"]["name"]
        subject.kubectl("annotate", "md", subject.name, f"sluice.dev/rollback={earlier}")
        subject.until(lambda s: stable(s) == FIRST and "rollout" not in s, "version 1 is back")
        subject.until(lambda _: len(load.answers) > done + 100, "requests go on")
    assert route_generation(subject) == before + 1, "one write"
    assert failed(load) == []
    names = [answer.version for answer in load.answers]
    assert load.answers[-1].version == str(FIRST)
    assert str(BETTER) in names


def test_a_version_that_fails_users_is_switched_back(subject: Subject, traffic: Traffic) -> None:
    subject.install(FIRST, strategy=blue_green(subject, verify={"maxErrorRate": 0.05}))
    with traffic(20) as load:
        subject.alias_to(BROKEN)
        status = subject.until(lambda s: rejected(s) == BROKEN, "version 4 is rolled back")
        subject.until(lambda _: not subject.pods_of(BROKEN), "version 4 is scaled down")
    assert status["rejected"][-1]["reason"] == "HarmProven"
    assert "tolerated: 5 %" in status["rejected"][-1]["message"]
    assert {answer.version for answer in failed(load)} == {str(BROKEN)}
    assert load.answers[-1].version == str(FIRST)
    assert previewed(subject) == ""


def test_a_hand_edit_of_the_preview_is_put_back(subject: Subject) -> None:
    subject.install(FIRST, strategy=blue_green(subject, pause={}))
    subject.alias_to(BETTER)
    status = subject.until(lambda s: condition(s, "Paused")["reason"] == "AwaitingPromotion", "it can be tested")
    subject.kubectl("delete", "httproute", f"{subject.name}.preview")
    told = f"HTTPRoute {subject.name}.preview was deleted"
    subject.until(lambda _: any(told in message for _, message in subject.events()), "an event says so")
    subject.until(lambda _: previewed(subject) == status["rollout"]["revision"]["name"], "it can be tested again")
    subject.annotate("abort")
    subject.until(lambda s: rejected(s) == BETTER and "preview" not in s, "it is given up")
    assert [route["metadata"]["name"] for route in subject.get("httproutes")] == [subject.name]
