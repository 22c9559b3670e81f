"""Two operators, one leads: whatever befalls it, the other goes on, and nobody who sends requests notices."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from hack.load import Load
from hack.operators import Operators
from tests.e2e.subject import STEPS, Subject, candidate, is_true, stable, weight

pytestmark = [pytest.mark.alone, pytest.mark.embedded]  # these reach for processes of the node

FIRST, BETTER = 1, 2
Traffic = Callable[[float], Load]


@pytest.fixture
def operators(subject: Subject) -> Iterator[Operators]:
    found = Operators(subject.stack.shell)
    found.all_ready()
    found.until(bool, "somebody leads")
    yield found
    found.all_ready()


def promoted_once(subject: Subject) -> None:
    subject.until(lambda s: stable(s) == BETTER and is_true(s, "Ready"), "version 2 is promoted")
    reasons = [reason for reason, _ in subject.events()]
    assert reasons.count("Promoted") == 2
    assert reasons.count("RolloutStarted") == 1


def test_when_the_leader_is_killed_the_other_goes_on_with_the_rollout(
    subject: Subject, operators: Operators, traffic: Traffic
) -> None:
    subject.install(FIRST)
    with traffic(20) as load:
        subject.alias_to(BETTER)
        subject.until(lambda s: weight(s) == 20, "the first step is taken")
        leader = operators.leader()
        operators.kill(leader)
        operators.another_than(leader)
        promoted_once(subject)
    assert [answer for answer in load.answers if answer.failed] == []


def test_a_leader_that_is_told_to_end_hands_over_at_once(
    subject: Subject, operators: Operators, traffic: Traffic
) -> None:
    subject.install(FIRST)
    with traffic(20) as load:
        subject.alias_to(BETTER)
        subject.until(lambda s: weight(s) == 20, "the first step is taken")
        leader = operators.leader()
        subject.stack.shell.kubectl("-n", "sluice-system", "delete", "pod", leader.rpartition("_")[0], "--wait=false")
        operators.until(lambda now: now != leader, "the lease is released or taken")
        promoted_once(subject)
    assert [answer for answer in load.answers if answer.failed] == []


def test_a_leader_that_freezes_and_wakes_up_later_does_no_harm(
    subject: Subject, operators: Operators, traffic: Traffic
) -> None:
    subject.install(FIRST, strategy={"canary": {"steps": [*STEPS, {"pause": {"duration": "5s"}}]}})
    with traffic(20) as load:
        subject.alias_to(BETTER)
        subject.until(lambda s: weight(s) == 20, "the first step is taken")
        leader = operators.leader()
        with operators.frozen(leader) as process:
            operators.another_than(leader)
            subject.until(lambda s: weight(s) == 50, "the other goes on")
        subject.until(lambda _: not process.alive(), "it ends when it wakes up")
        assert operators.leader() != leader
        promoted_once(subject)
    assert [answer for answer in load.answers if answer.failed] == []


def test_a_leader_without_a_network_ends_before_the_other_leads(
    subject: Subject, operators: Operators, traffic: Traffic
) -> None:
    subject.install(FIRST)
    with traffic(20) as load:
        subject.alias_to(BETTER)
        subject.until(lambda s: candidate(s) == BETTER, "the rollout starts")
        leader = operators.leader()
        with operators.cut_off(leader) as process:
            operators.another_than(leader)
            assert not process.alive()
            promoted_once(subject)
    assert [answer for answer in load.answers if answer.failed] == []
