"""What is remembered between two looks, and when it is worth a write."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sluice.api.status import Counts, ModelDeploymentStatus
from sluice.controller.memory import CHECKPOINT, Memory
from sluice.core.plan import Event, EventType
from sluice.traffic.slots import SETTLING

from tests.unit.core.moments import ANALYZING, NOW

STATUS = ANALYZING.plan.status
EVENT = Event(EventType.NORMAL, "Promoted", "penguins/2 is stable now")
MORE = timedelta(milliseconds=1)


def counted(status: ModelDeploymentStatus, requests: int) -> ModelDeploymentStatus:
    assert status.rollout
    evidence = status.rollout.evidence.model_copy(update={"total": Counts(candidate_requests=requests)})
    rollout = status.rollout.model_copy(update={"evidence": evidence})
    return status.model_copy(update={"rollout": rollout, "message": f"{requests} requests"})


def written() -> Memory:
    memory = Memory()
    memory.wrote(STATUS, STATUS.to_kubernetes(), NOW)
    return memory


def test_the_first_status_is_written() -> None:
    assert Memory().worth_writing(STATUS, NOW)


def test_the_same_status_is_never_written_again() -> None:
    assert not written().worth_writing(STATUS, NOW + timedelta(days=1))


def test_more_requests_are_written_at_the_next_checkpoint() -> None:
    memory = written()
    assert not memory.worth_writing(counted(STATUS, 9), NOW + CHECKPOINT - MORE)
    assert memory.worth_writing(counted(STATUS, 9), NOW + CHECKPOINT)


@pytest.mark.parametrize(
    "change",
    [{"rollout": None}, {"observed_generation": 9}, {"ready": "1/8"}, {"stable": None}, {"weight": 21}],
    ids=lambda change: next(iter(change)),
)
def test_a_fact_is_written_at_once_with_the_evidence(change: dict[str, Any]) -> None:
    assert written().worth_writing(counted(STATUS, 9).model_copy(update=change), NOW)


def test_what_was_counted_since_the_last_write_is_kept() -> None:
    memory = written()
    memory.status = counted(STATUS, 9)
    assert memory.current(STATUS.to_kubernetes()) == counted(STATUS, 9)


def test_what_somebody_else_wrote_wins() -> None:
    memory = written()
    memory.status = counted(STATUS, 9)
    theirs = counted(STATUS, 100).to_kubernetes()
    assert memory.current(theirs).to_kubernetes() == theirs


def test_the_status_as_the_server_stores_it_counts_as_ours() -> None:
    """Pruned, or with 1 for 1.0: only a later difference means that somebody else wrote."""
    memory = Memory()
    stored = STATUS.to_kubernetes() | {"fromANewerOperator": True}
    memory.wrote(STATUS, stored, NOW)
    assert memory.current(dict(reversed(stored.items()))) is STATUS


def test_an_event_is_told_once_its_status_is_stored() -> None:
    memory = Memory()
    memory.tries(STATUS, (EVENT,), NOW)
    assert memory.untold == []
    memory.wrote(STATUS, STATUS.to_kubernetes(), NOW)
    assert memory.untold == [(EVENT, NOW)]


def test_an_event_is_told_when_only_the_answer_was_lost() -> None:
    memory = Memory()
    memory.tries(STATUS, (EVENT,), NOW)
    memory.current(STATUS.to_kubernetes())
    memory.current(STATUS.to_kubernetes())
    assert memory.untold == [(EVENT, NOW)]


def test_an_event_is_not_told_when_its_status_was_not_stored() -> None:
    memory = Memory()
    memory.tries(STATUS, (EVENT,), NOW)
    memory.current({})
    memory.current(STATUS.to_kubernetes())
    assert memory.untold == []


MANIFEST: dict[str, Any] = {"metadata": {"name": "m-a", "labels": {"a": "b"}}, "spec": {"replicas": 1}}
KEY = ("Deployment", "m-a")


def live(version: str, generation: int | None = None, **meta: Any) -> dict[str, Any]:
    numbers = {"resourceVersion": version} | ({"generation": generation} if generation else {})
    return MANIFEST | {"metadata": MANIFEST["metadata"] | numbers | meta}


def test_an_object_is_as_it_should_be_only_while_its_version_is_the_one_we_made() -> None:
    memory = Memory()
    assert not memory.is_applied(KEY, MANIFEST, live("7"))
    memory.applies(KEY, MANIFEST, live("7"))
    assert memory.is_applied(KEY, MANIFEST, live("7"))
    assert not memory.is_applied(KEY, MANIFEST, live("8"))
    assert not memory.is_applied(KEY, MANIFEST | {"spec": {"replicas": 2}}, live("7"))
    assert not memory.is_applied(KEY, MANIFEST, None)


def test_a_status_that_others_write_asks_for_no_other_apply_but_every_edit_does() -> None:
    memory = Memory()
    memory.applies(KEY, MANIFEST, live("7", 1))
    assert memory.is_applied(KEY, MANIFEST, live("8", 1, labels={"a": "b", "more": "x"}))
    assert not memory.is_applied(KEY, MANIFEST, live("8", 2))
    assert not memory.is_applied(KEY, MANIFEST, live("8", 1, labels={"a": "c"}))
    assert not memory.is_applied(KEY, MANIFEST, live("8", 1, labels=None))


def test_a_stored_status_is_told_once_with_the_one_before_also_when_its_answer_was_lost() -> None:
    memory, more = written(), counted(STATUS, 9)
    memory.tries(more, (), NOW)
    memory.current(more.to_kubernetes())
    memory.current(more.to_kubernetes())
    assert memory.stored == [(STATUS, more)]


def test_a_status_that_was_never_stored_is_not_told() -> None:
    memory = written()
    memory.tries(counted(STATUS, 9), (), NOW)
    memory.current(STATUS.model_copy(update={"message": "somebody else wrote this"}).to_kubernetes())
    assert memory.stored == []


def test_what_is_idle_is_let_go_and_read_again() -> None:
    memory = written()
    memory.frozen["a"] = {"spec": {}}
    memory.rest()
    assert (memory.status, memory.written, memory.frozen) == (None, None, {})
    assert memory.current(STATUS.to_kubernetes()) == memory.written == STATUS
    assert not memory.worth_writing(STATUS, NOW)


def test_words_that_are_still_to_be_written_are_not_let_go() -> None:
    memory = written()
    memory.status = counted(STATUS, 9)
    memory.rest()
    assert memory.owed(NOW) == CHECKPOINT.total_seconds()
    assert memory.current(STATUS.to_kubernetes()) == counted(STATUS, 9)


def test_who_rests_knows_that_the_last_rollout_was_told_until_somebody_else_writes() -> None:
    memory = written()
    memory.caught_up = True
    memory.rest()
    memory.current(STATUS.to_kubernetes())
    assert memory.caught_up
    memory.current(counted(STATUS, 9).to_kubernetes())
    assert not memory.caught_up


def test_who_has_just_begun_reads_in_the_books_that_an_object_is_as_he_would_apply_it() -> None:
    fields = {"f:metadata": {"f:labels": {"f:a": {}}}, "f:spec": {"f:replicas": {}}}
    books = [{"manager": "sluice", "operation": "Apply", "fieldsV1": fields}]
    memory, manifest = Memory(), MANIFEST | {"kind": "Deployment"}
    assert memory.is_applied(KEY, manifest, live("7", managedFields=books))
    assert KEY in memory.applied
    assert not Memory().is_applied(KEY, manifest | {"spec": {"replicas": 2}}, live("7", managedFields=books))


def test_a_route_with_a_field_that_somebody_added_is_not_as_it_should_be() -> None:
    books = [{"manager": "sluice", "operation": "Apply", "fieldsV1": {"f:spec": {"f:rules": {}}}}]
    route: dict[str, Any] = {"kind": "HTTPRoute", "metadata": {"name": "m"}, "spec": {"rules": []}}
    found = route | {"metadata": {"resourceVersion": "7", "managedFields": books}}
    added = found | {"spec": {"rules": [], "hostnames": ["only.example"]}}
    assert Memory().is_applied(("HTTPRoute", "m"), route, found)
    assert not Memory().is_applied(("HTTPRoute", "m"), route, added)


def test_what_splits_traffic_has_settled_when_it_has_been_the_same_for_a_while() -> None:
    memory, service = Memory(), {"metadata": {"uid": "u"}}
    assert not memory.has_stood(service, "a", NOW)
    assert not memory.has_stood(service, "a", NOW + SETTLING - MORE)
    assert memory.has_stood(service, "a", NOW + SETTLING)
    assert not memory.has_stood(service, "b", NOW + SETTLING), "proxies have something to learn"
    assert not memory.has_stood({"metadata": {"uid": "v"}}, "b", NOW + SETTLING), "another object"
