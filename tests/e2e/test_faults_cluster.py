"""The cluster itself fails in mid-rollout: requests are answered as long as they can be, and it ends as it should."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from hack.load import Load
from hack.operators import Operators
from tests.e2e.conftest import CLUSTER
from tests.e2e.faults import (
    GATEWAYS,
    PROXY,
    failed,
    kill_api_server,
    kill_containers,
    overloaded,
    repair,
    stopped_kubelet,
)
from tests.e2e.subject import Subject, candidate, condition, is_true, stable, weight

pytestmark = [pytest.mark.alone, pytest.mark.embedded]  # these reach for processes of the node

FIRST, BETTER = 1, 2
HALF_AND_WAIT = {"canary": {"steps": [{"setWeight": 50}, {"pause": {}}]}}
STORM_SECONDS = 20
Traffic = Callable[[float], Load]


def promoted(subject: Subject) -> None:
    subject.until(lambda s: stable(s) == BETTER and is_true(s, "Ready"), "version 2 is promoted")
    reasons = [reason for reason, _ in subject.events()]
    assert (reasons.count("RolloutStarted"), reasons.count("RolledBack")) == (1, 0)


def test_an_api_server_that_is_killed_in_mid_rollout_costs_no_request(subject: Subject, traffic: Traffic) -> None:
    subject.install(FIRST)
    with traffic(20) as load:
        subject.alias_to(BETTER)
        subject.until(lambda s: weight(s) == 20, "the first step is taken")
        kill_api_server(CLUSTER)
        time.sleep(3)  # nobody can read or write anything
        repair(subject.stack, CLUSTER)
        promoted(subject)
    assert failed(load) == []


def test_a_gateway_controller_that_is_killed_in_mid_rollout_costs_no_request(
    subject: Subject, traffic: Traffic
) -> None:
    subject.install(FIRST)
    with traffic(20) as load:
        subject.alias_to(BETTER)
        subject.until(lambda s: weight(s) == 20, "the first step is taken")
        assert kill_containers(subject.stack, CLUSTER, GATEWAYS, "control-plane=envoy-gateway")
        promoted(subject)
    assert failed(load) == []


def test_proxies_that_are_killed_in_mid_rollout_are_not_held_against_the_candidate(
    subject: Subject, traffic: Traffic
) -> None:
    subject.install(FIRST)
    with traffic(20) as load:
        subject.alias_to(BETTER)
        subject.until(lambda s: weight(s) == 20, "the first step is taken")
        assert kill_containers(subject.stack, CLUSTER, GATEWAYS, PROXY)
        promoted(subject)
        subject.until(lambda _: not subject.pods_of(FIRST), "version 1 is scaled down")
    lost = failed(load)
    assert {answer.version for answer in lost} <= {""}, "only the gateway itself failed"
    assert load.answers[-1].version == str(BETTER)


def test_an_overloaded_api_server_delays_and_does_not_mislead(subject: Subject, traffic: Traffic) -> None:
    subject.install(FIRST)
    with traffic(20) as load:
        subject.alias_to(BETTER)
        subject.until(lambda s: weight(s) == 20, "the first step is taken")
        with overloaded(subject.stack):
            time.sleep(STORM_SECONDS)  # each request of the operators is answered with 429
        Operators(subject.stack.shell).all_ready()
        promoted(subject)
    assert failed(load) == []


def test_a_node_that_falls_silent_is_said_and_nothing_is_decided_until_it_is_back(subject: Subject) -> None:
    subject.install(FIRST, strategy=HALF_AND_WAIT)
    subject.alias_to(BETTER)
    subject.until(lambda s: weight(s) == 50, "half of the traffic goes to version 2")
    pods = subject.pods_of(FIRST) | subject.pods_of(BETTER)
    with stopped_kubelet(CLUSTER):
        status = subject.until(lambda s: condition(s, "Degraded").get("reason") == "NoReadyPods", "it says so")
        assert "node" in condition(status, "Degraded")["message"]
        assert (stable(status), candidate(status)) == (FIRST, BETTER)
    subject.until(lambda s: weight(s) == 50 and is_true(s, "Available"), "it goes on where it was")
    assert subject.pods_of(FIRST) | subject.pods_of(BETTER) == pods
    subject.annotate("promote")
    promoted(subject)
