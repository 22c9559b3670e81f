"""Recreate: never two versions at a time, an outage that is told and ends, and the same way back."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest

from hack.load import Answer, Load
from tests.e2e.faults import failed
from tests.e2e.subject import Status, Subject, condition, is_true, rejected, stable

# Its clusters leave the gateway in the outage; it may hold them up when others' come too (design/places).
pytestmark = pytest.mark.alone

FIRST, BETTER = 1, 2
RECREATE: dict[str, Any] = {"recreate": {}}
Traffic = Callable[[float], Load]


def versions(subject: Subject) -> set[str]:
    """Whose pods hold resources: also while they end, but not once all containers have, though they are still shown."""
    return {
        pod["metadata"]["annotations"]["sluice.dev/model"]
        for pod in subject.get("pods")
        if pod["status"]["phase"] not in ("Succeeded", "Failed")
    }


def gaps(subject: Subject) -> list[float]:
    """How long no version served, as the events tell."""
    told = [message for reason, message in subject.events() if reason == "ServesAgain"]
    return [float(found[1]) for message in told if (found := re.search(r"after at most ([0-9.]+) s", message))]


def sent_after(load: Load, moment: float) -> list[Answer]:
    """Requests by when they were sent: one on its way to a pod that ends may hang for 10 s."""
    return [answer for answer in load.answers if answer.sent > moment]


def served_by(answers: list[Answer]) -> list[str]:
    """The versions that answered, in this order, without repetition."""
    names = [answer.version for answer in answers if not answer.failed]
    return [name for index, name in enumerate(names) if index == 0 or names[index - 1] != name]


def test_the_old_version_stops_before_the_new_one_starts(subject: Subject, traffic: Traffic) -> None:
    subject.install(FIRST, strategy=RECREATE)
    together = []

    def promoted(status: Status) -> bool:
        together.append(versions(subject))
        return stable(status) == BETTER and is_true(status, "Ready")

    with traffic(20) as load:
        subject.alias_to(BETTER)
        subject.until(lambda s: condition(s, "Available")["reason"] == "Recreating", "the outage is told")
        subject.until(promoted, "version 2 serves")
        subject.until(lambda _: len(gaps(subject)) == 1, "its end is told")
        over = time.monotonic()
        subject.until(lambda _: len(sent_after(load, over)) > 20, "requests go on")
    assert all(len(seen) <= 1 for seen in together), "never pods of two versions"
    assert failed(load), "nobody has served for a while"
    assert served_by(load.answers) == [str(FIRST), str(BETTER)]
    assert [answer for answer in sent_after(load, over) if answer.failed] == []
    assert [reason for reason, _ in subject.events()].count("Recreating") == 1


def test_a_version_that_never_starts_makes_room_for_the_old_one_again(subject: Subject, traffic: Traffic) -> None:
    subject.install(FIRST, strategy=RECREATE)
    with traffic(20) as load:
        subject.patch({"server": {"image": "localhost/nobody:none"}})
        status = subject.until(lambda s: rejected(s) == FIRST, "it is rolled back")
        subject.until(lambda s: is_true(s, "Available") and len(gaps(subject)) == 1, "version 1 serves again")
        over = time.monotonic()
        subject.until(lambda _: len(sent_after(load, over)) > 20, "requests go on")
    assert status["rejected"][-1]["reason"] in ("ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull")
    assert served_by(load.answers) == [str(FIRST)]
    assert [answer for answer in sent_after(load, over) if answer.failed] == []


def test_an_abort_in_the_outage_ends_it_with_the_old_version(subject: Subject) -> None:
    subject.install(FIRST, strategy=RECREATE)
    subject.alias_to(BETTER)
    subject.until(lambda s: s.get("step") == "3/3 start", "version 1 is stopped")
    subject.annotate("abort")
    subject.until(lambda s: rejected(s) == BETTER and is_true(s, "Available"), "version 1 serves again")
    assert subject.answers()
    assert versions(subject) == {f"penguins/{FIRST}"}
