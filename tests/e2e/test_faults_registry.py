"""The registry answers nonsense, or changes its mind every second."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from hack.load import Load
from tests.e2e.faults import failed, garbage_for_mlflow
from tests.e2e.subject import Status, Subject, candidate, condition, is_true, stable, weight

FIRST, BETTER = 1, 2
FLAPS = 60
Traffic = Callable[[float], Load]


def says_garbage(status: Status) -> bool:
    return "is not MLflow's" in status["message"] or "check that MLflow runs" in status["message"]


@pytest.mark.alone
def test_garbage_instead_of_mlflow_is_said_and_harms_no_rollout(subject: Subject, traffic: Traffic) -> None:
    subject.install(FIRST)
    with traffic(20) as load:
        subject.alias_to(BETTER)
        subject.until(lambda s: weight(s) == 20, "the first step is taken")
        with garbage_for_mlflow(subject.stack):
            subject.until(lambda s: stable(s) == BETTER and not candidate(s), "what has begun is brought to its end")
            status = subject.until(says_garbage, "it says so")  # the message of the promotion comes first
            assert condition(status, "Progressing")["status"] == "Unknown"
            assert condition(status, "Progressing")["reason"] in ("RegistryInvalid", "RegistryUnreachable")
        subject.until(lambda s: is_true(s, "Ready"), "MLflow is itself again")
    assert failed(load) == []
    assert stable(subject.status()) == BETTER


def test_an_alias_that_moves_every_second_for_a_minute_ends_on_the_last_version(
    subject: Subject, traffic: Traffic
) -> None:
    subject.install(FIRST)
    with traffic(20) as load:
        for flap in range(FLAPS):
            subject.alias_to(FIRST if flap % 2 else BETTER)
            time.sleep(1)
        subject.alias_to(BETTER)
        subject.until(lambda s: stable(s) == BETTER and is_true(s, "Ready"), "the last one is promoted")
    assert failed(load) == []
    reasons = [reason for reason, _ in subject.events()]
    assert reasons.count("RolledBack") == 0
    assert len(reasons) < 4 * FLAPS, "no storm of events"
    assert len(subject.get("deployments")) == 2
