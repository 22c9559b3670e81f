"""Early adopters: who matches gets the candidate, nobody else does, and nobody notices its coming and going."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from sluice_training.data import request_rows

from hack.load import Load
from tests.e2e.faults import failed
from tests.e2e.subject import STEPS, Subject, condition, is_true, rejected, stable, weight

# New backends of a route need new clusters, which the gateway may hold up while others' come (design/places).
pytestmark = pytest.mark.alone

FIRST, BETTER, BROKEN = 1, 2, 4
MATCH = [{"header": {"name": "X-Group", "value": "early"}}, {"cookie": {"name": "group", "value": "beta.1"}}]
NOT_QUITE = {"x-group": "early2", "cookie": "xgroup=beta.1; group=beta01", "x-sluice-assignment": "targeted"}


def canary(*steps: object) -> dict[str, Any]:
    return {"canary": {"match": MATCH, "steps": list(steps)}}


@dataclass(frozen=True)
class Clients:
    """Three kinds of them, all at once: nobody in particular, a group by a header, and one by a cookie."""

    others: Load
    header: Load
    cookie: Load

    @property
    def matching(self) -> tuple[Load, Load]:
        return self.header, self.cookie

    @property
    def failed(self) -> list[object]:
        return [answer for load in (self.others, *self.matching) for answer in failed(load)]


@pytest.fixture
def clients(subject: Subject) -> Callable[[], Any]:
    url, rows = f"{subject.stack.gateway_url}/{subject.namespace}/invocations", request_rows()

    @contextmanager
    def sending() -> Iterator[Clients]:
        loads = (
            Load(url, rows, 10, headers=NOT_QUITE),
            Load(url, rows, 4, headers={"x-group": "early", "x-sluice-assignment": "random"}),
            Load(url, rows, 4, headers={"cookie": "theme=dark; group=beta.1; lang=en"}),
        )
        with ExitStack() as stack:
            yield Clients(*(stack.enter_context(load) for load in loads))

    return sending


def versions(load: Load, since: int = 0) -> set[str]:
    return {answer.version for answer in load.answers[since:]}


def all_get(subject: Subject, loads: tuple[Load, ...], version: int) -> None:
    """Wait until the last 30 answers of each are of one version."""
    subject.until(
        lambda _: all(len(load.answers) >= 30 and versions(load, -30) == {str(version)} for load in loads),
        f"they get version {version}",
    )


def counted(subject: Subject, version: int, assignment: str) -> int:
    """Requests that a version's pods have counted as of one assignment, as they say themselves."""
    total = 0
    for pod in subject.get("pods"):
        if pod["metadata"]["uid"] in subject.pods_of(version):
            page = subject.kubectl(
                "get", "--raw",
                f"/api/v1/namespaces/{subject.namespace}/pods/{pod['metadata']['name']}:9090/proxy/metrics",
            )  # fmt: skip
            found = re.findall(rf'^sluice_requests_total{{assignment="{assignment}",.*}} (\S+)$', page, re.MULTILINE)
            total += sum(int(float(count)) for count in found)
    return total


def routes(subject: Subject) -> list[str]:
    return sorted(route["metadata"]["name"] for route in subject.get("httproutes"))


def test_early_adopters_come_first_then_a_percentage_then_everyone(
    subject: Subject, clients: Callable[[], Any]
) -> None:
    subject.install(FIRST, strategy=canary({"pause": {}}, *STEPS))
    assert routes(subject) == [subject.name]
    with clients() as sending:
        subject.alias_to(BETTER)
        subject.until(lambda s: condition(s, "Paused")["reason"] == "AwaitingPromotion", "early adopters have it")
        all_get(subject, sending.matching, BETTER)
        since = [len(load.answers) for load in sending.matching]
        status = subject.until(
            lambda s: s["rollout"]["evidence"].get("targeted", {}).get("requests", 0) > 50, "they are counted"
        )
        assert sending.failed == []
        assert versions(sending.others) == {str(FIRST)}, "before the first setWeight nobody else gets it"
        assert counted(subject, BETTER, "random") == 0
        assert counted(subject, BETTER, "targeted") > 50
        assert status["rollout"]["evidence"]["total"]["candidateRequests"] == 0
        assert weight(status) == 0
        subject.annotate("promote")
        subject.until(lambda s: weight(s) > 0, "others get it")
        subject.until(lambda s: stable(s) == BETTER and is_true(s, "Ready"), "version 2 is promoted")
        subject.until(lambda s: "targeted" not in s, "the route is taken away")
        all_get(subject, (sending.others, *sending.matching), BETTER)
    assert sending.failed == []
    assert routes(subject) == [subject.name]
    for load, first in zip(sending.matching, since, strict=True):
        assert versions(load, first) == {str(BETTER)}, "once they have it they keep it"


def test_an_abort_takes_it_from_early_adopters_too(subject: Subject, clients: Callable[[], Any]) -> None:
    subject.install(FIRST, strategy=canary({"setWeight": 20}, {"pause": {}}))
    with clients() as sending:
        subject.alias_to(BETTER)
        subject.until(lambda s: weight(s) == 20, "others get it")
        all_get(subject, sending.matching, BETTER)
        subject.annotate("abort")
        subject.until(lambda s: rejected(s) == BETTER and "targeted" not in s, "it is given up")
        subject.until(lambda _: not subject.pods_of(BETTER), "version 2 is scaled down")
        all_get(subject, (sending.others, *sending.matching), FIRST)
    assert sending.failed == []
    assert routes(subject) == [subject.name]


def test_a_version_that_fails_early_adopters_never_gets_to_others(subject: Subject, clients: Callable[[], Any]) -> None:
    subject.install(FIRST, strategy=canary({"pause": {}}, *STEPS))
    with clients() as sending:
        subject.alias_to(BROKEN)
        status = subject.until(lambda s: rejected(s) == BROKEN, "version 4 is rolled back")
        all_get(subject, sending.matching, FIRST)
    assert status["rejected"][-1]["reason"] == "HarmProven"
    assert "requests that match" in status["rejected"][-1]["message"]
    assert versions(sending.others) == {str(FIRST)}
    assert failed(sending.others) == []
    for load in sending.matching:
        assert {answer.version for answer in failed(load)} <= {str(BROKEN)}


def test_a_hand_edit_of_the_route_is_put_back(subject: Subject) -> None:
    subject.install(FIRST, strategy=canary({"pause": {}}, {"setWeight": 50}))
    subject.alias_to(BETTER)
    subject.until(lambda s: condition(s, "Paused")["reason"] == "AwaitingPromotion", "early adopters have it")
    subject.kubectl(
        "patch", "httproute", f"{subject.name}.targeted", "--type=json", "--patch",
        '[{"op": "replace", "path": "/spec/rules/0/matches/0/headers/0/value", "value": "everybody"}]',
    )  # fmt: skip
    told = f"HTTPRoute {subject.name}.targeted"
    subject.until(lambda _: any(told in message for _, message in subject.events()), "an event says so")
    subject.until(
        lambda _: "everybody" not in subject.kubectl("get", "httproute", f"{subject.name}.targeted", "-o", "json"),
        "it is put back",
    )
    subject.kubectl("delete", "md", subject.name, "--timeout=60s")
    subject.kubectl("wait", "--for=delete", "httproutes", "--all", "--timeout=90s")
