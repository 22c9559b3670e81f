"""The main job: good versions get promoted, bad ones rolled back, and nobody else notices."""

from __future__ import annotations

from collections.abc import Callable

from hack.load import Load
from tests.e2e.subject import STEPS, Subject, candidate, condition, is_true, rejected, stable, weight

FIRST, BETTER, FAILING, BROKEN = 1, 2, 3, 4
Traffic = Callable[[float], Load]


def test_a_good_version_is_promoted_without_a_failed_request_or_a_second_load(
    subject: Subject, traffic: Traffic
) -> None:
    subject.install(FIRST)
    with traffic(40) as load:
        subject.alias_to(BETTER)
        subject.until(lambda s: weight(s) == 50, "half of the traffic goes to version 2")
        pods = subject.pods_of(BETTER)
        status = subject.until(lambda s: stable(s) == BETTER and is_true(s, "Ready"), "version 2 is promoted")
        subject.until(lambda _: not subject.pods_of(FIRST), "version 1 is scaled down")
    assert [answer for answer in load.answers if answer.failed] == []
    assert load.answers[-1].version == str(BETTER)
    assert pods <= subject.pods_of(BETTER), "promotion must not start pods again"
    reasons = [reason for reason, _ in subject.events()]
    assert reasons.count("Promoted") == 2
    assert reasons.count("RolloutStarted") == 1
    assert status["verdict"] == "Successful"


def test_a_version_that_fails_on_some_rows_is_rolled_back_and_stays_so(subject: Subject, traffic: Traffic) -> None:
    subject.install(BETTER)
    with traffic(40) as load:
        subject.alias_to(FAILING)
        status = subject.until(lambda s: rejected(s) == FAILING, "version 3 is rolled back")
        subject.until(lambda _: not subject.pods_of(FAILING), "version 3 is scaled down")
    failed = [answer for answer in load.answers if answer.failed]
    assert failed
    assert {answer.version for answer in failed} == {str(FAILING)}
    assert load.answers[-1].version == str(BETTER)
    assert stable(status) == BETTER
    assert status["rejected"][-1]["reason"] == "HarmProven"
    status = subject.until(lambda s: s["verdict"] == "Failed", "it says so")
    assert "sluice.dev/retry" in status["message"]
    assert condition(status, "Degraded")["reason"] == "RolledBack"
    assert [reason for reason, _ in subject.events()].count("RolledBack") == 1


def test_a_version_that_fails_always_is_rolled_back_too_when_paused(subject: Subject, traffic: Traffic) -> None:
    subject.install(FIRST)
    with traffic(40):
        subject.alias_to(BROKEN)
        subject.until(lambda s: candidate(s) == BROKEN, "the rollout starts")
        subject.patch({"strategy": {"canary": {"steps": [STEPS[0], {"pause": {"duration": "1h"}}]}}})
        subject.until(lambda s: rejected(s) == BROKEN, "version 4 is rolled back")


def test_an_abort_takes_all_traffic_off_the_candidate(subject: Subject, traffic: Traffic) -> None:
    subject.install(FIRST, strategy={"canary": {"steps": [{"setWeight": 50}, {"pause": {"duration": "1h"}}]}})
    with traffic(20) as load:
        subject.alias_to(BETTER)
        subject.until(lambda s: weight(s) == 50, "half of the traffic goes to version 2")
        subject.annotate("abort")
        status = subject.until(lambda s: rejected(s) == BETTER, "version 2 is aborted")
        subject.until(lambda _: not subject.pods_of(BETTER), "version 2 is scaled down")
    assert status["rejected"][-1]["reason"] == "Aborted"
    assert [answer for answer in load.answers if answer.failed] == []
    assert load.answers[-1].version == str(FIRST)
    subject.until(lambda s: not s["lastAction"]["pending"], "the action is acknowledged")
    revision = status["rejected"][-1]["revision"]["name"]
    subject.kubectl("annotate", "md", subject.name, f"sluice.dev/retry={revision}")
    subject.until(lambda s: candidate(s) == BETTER, "it is tried again")


def test_a_newer_version_replaces_the_candidate(subject: Subject, traffic: Traffic) -> None:
    subject.install(FIRST)
    with traffic(40) as load:
        subject.alias_to(BROKEN)
        subject.until(lambda s: candidate(s) == BROKEN, "a rollout starts")
        subject.alias_to(BETTER)
        subject.until(lambda s: stable(s) == BETTER, "the newer version is promoted")
    assert {answer.version for answer in load.answers if answer.failed} <= {str(BROKEN)}


def test_two_versions_within_a_second_end_with_the_later_one(subject: Subject, traffic: Traffic) -> None:
    subject.install(FIRST)
    with traffic(40) as load:
        subject.patch({"model": {"uri": "models:/penguins/4"}})
        subject.patch({"model": {"uri": "models:/penguins/2"}})
        subject.until(lambda s: stable(s) == BETTER and not candidate(s), "the later version is promoted")
    assert {answer.version for answer in load.answers if answer.failed} <= {str(BROKEN)}


def test_a_change_of_replicas_is_no_rollout(subject: Subject) -> None:
    subject.install(FIRST)
    before = subject.pods_of(FIRST)
    subject.kubectl("scale", "md", subject.name, "--replicas=2")
    status = subject.until(lambda s: s["ready"] == "2/2", "two pods are ready")
    assert before < subject.pods_of(FIRST)
    assert status.get("rollout") is None
    assert "RolloutStarted" not in [reason for reason, _ in subject.events()]


def test_without_traffic_the_analysis_ends_inconclusive_and_goes_on_when_promoted(subject: Subject) -> None:
    subject.install(FIRST)
    subject.patch({"progressDeadlineSeconds": 15})
    subject.alias_to(BETTER)
    status = subject.until(lambda s: s["verdict"] == "Inconclusive", "the deadline passes")
    assert "no data" in status["message"].lower()
    assert is_true(status, "Paused")
    subject.annotate("promote")
    subject.until(lambda s: weight(s) == 50, "the next step is taken")


def test_deletion_in_mid_rollout_leaves_nothing(subject: Subject, traffic: Traffic) -> None:
    subject.install(FIRST)
    with traffic(20):
        subject.alias_to(BETTER)
        subject.until(lambda s: weight(s) > 0, "traffic is shifted")
    subject.kubectl("delete", "md", subject.name, "--timeout=60s")
    for kind in ("httproutes", "deployments", "controllerrevisions", "pods"):
        subject.kubectl("wait", "--for=delete", kind, "--all", "--timeout=90s")
        assert subject.get(kind) == []
