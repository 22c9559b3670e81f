"""The operator keeps its word, and may die at any moment."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hack.load import Load
from hack.stack.install import NAMESPACE
from tests.e2e.subject import Subject, is_true, stable, weight

pytestmark = pytest.mark.alone

FIRST, BETTER = 1, 2


def kill_operator(subject: Subject) -> None:
    """End the operator without any chance to say good-bye."""
    shell = subject.stack.shell
    shell.kubectl("--namespace", NAMESPACE, "delete", "pods", "--all", "--force", "--grace-period=0", "--wait=false")


def test_killing_the_operator_again_and_again_loses_nothing(subject: Subject, traffic: Callable[[float], Load]) -> None:
    subject.install(FIRST)
    with traffic(40) as load:
        subject.alias_to(BETTER)
        kill_operator(subject)
        subject.until(lambda s: weight(s) == 20, "the first step is taken")
        kill_operator(subject)
        subject.until(lambda s: weight(s) == 50, "the next step is taken")
        kill_operator(subject)
        subject.until(lambda s: stable(s) == BETTER and is_true(s, "Ready"), "version 2 is promoted")
    assert [answer for answer in load.answers if answer.failed] == []
    assert [reason for reason, _ in subject.events()].count("Promoted") == 2


def test_who_is_ready_is_reached_through_the_gateway(subject: Subject) -> None:
    subject.alias_to(FIRST)
    subject.apply()
    subject.until(lambda s: stable(s) == FIRST and is_true(s, "Ready"), "version 1 serves")
    assert subject.answers(), "nobody else's clusters are in the way here"
