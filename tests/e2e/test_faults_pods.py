"""Pods fail, stable serves on."""

from __future__ import annotations

from collections.abc import Callable

from hack.load import Load
from tests.e2e.faults import failed, rejection
from tests.e2e.subject import Subject, is_true, stable

FIRST = 1
Traffic = Callable[[float], Load]


def test_a_candidate_that_is_out_of_memory_is_rolled_back_and_it_says_so(subject: Subject, traffic: Traffic) -> None:
    subject.install(FIRST)
    with traffic(20) as load:
        limit = {"limits": {"memory": "80Mi"}, "requests": {"memory": "40Mi"}}
        subject.patch({"server": {"resources": limit}})
        status = subject.until(lambda s: bool(rejection(s)), "it is rolled back")
    assert rejection(status)["reason"] == "OOMKilled", rejection(status)
    assert stable(status) == FIRST
    assert failed(load) == []
    subject.until(lambda s: "OOMKilled" in s["message"] and is_true(s, "Available"), "the message names the reason")
