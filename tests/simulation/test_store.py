"""The API server in memory keeps the rules that the controller relies on."""

from __future__ import annotations

from typing import Any

import pytest
from sluice.kube.api import DEPLOYMENTS, MODEL_DEPLOYMENTS, SERVICES
from sluice.kube.errors import ConflictError, NotFoundError, RefusedError

from tests.simulation.store import Store


def manifest(kind: str = "Deployment", name: str = "d", **more: Any) -> dict[str, Any]:
    meta = {"name": name, "namespace": "n"} | more.pop("metadata", {})
    return {"kind": kind, "metadata": meta} | more


def test_fields_no_longer_named_are_removed_and_those_of_others_stay() -> None:
    store = Store()
    store.apply(manifest(spec={"replicas": 1, "paused": True}, metadata={"labels": {"a": "1", "b": "2"}}))
    store.merge(DEPLOYMENTS, "n", "d", {"spec": {"strategy": "x"}})
    stored = store.apply(manifest(spec={"replicas": 2}, metadata={"labels": {"a": "1"}}))
    assert stored["spec"] == {"replicas": 2, "strategy": "x"}
    assert stored["metadata"]["labels"] == {"a": "1"}


def test_a_whole_part_that_is_no_longer_named_goes() -> None:
    store = Store()
    store.create(manifest("ModelDeployment", spec={}))
    store.apply_status(manifest("ModelDeployment", status={"rollout": {"revision": {"name": "a"}}, "message": "x"}))
    stored = store.apply_status(manifest("ModelDeployment", status={"message": "x"}))
    assert stored["status"] == {"message": "x"}
    assert stored["spec"] == {}


def test_versions_change_with_every_difference_generations_with_the_spec() -> None:
    store = Store()
    first = store.apply(manifest(spec={"replicas": 1}))["metadata"]
    same = store.apply(manifest(spec={"replicas": 1}))["metadata"]
    status = store.apply_status(manifest(status={"x": 1}))["metadata"]
    spec = store.apply(manifest(spec={"replicas": 2}))["metadata"]
    assert same == first
    assert status["resourceVersion"] != first["resourceVersion"]
    assert (first["generation"], status["generation"], spec["generation"]) == (1, 1, 2)


def test_an_old_version_is_a_conflict() -> None:
    store = Store()
    old = store.create(manifest("ModelDeployment", spec={}))["metadata"]["resourceVersion"]
    store.merge(MODEL_DEPLOYMENTS, "n", "d", {"spec": {"a": 1}})
    stale: dict[str, Any] = {"metadata": {"resourceVersion": old}}
    with pytest.raises(ConflictError):
        store.apply_status(manifest("ModelDeployment", **stale, status={}))
    with pytest.raises(ConflictError):
        store.apply(manifest("ModelDeployment", **stale, spec={}))
    with pytest.raises(ConflictError):
        store.merge(MODEL_DEPLOYMENTS, "n", "d", stale)
    with pytest.raises(ConflictError):
        store.create(manifest("ModelDeployment"))


def test_what_is_not_there() -> None:
    store = Store()
    assert store.get(DEPLOYMENTS, "n", "d") is None
    with pytest.raises(NotFoundError):
        store.apply_status(manifest(status={}))
    with pytest.raises(NotFoundError):
        store.merge(DEPLOYMENTS, "n", "d", {})
    assert store.apply(manifest(metadata={"resourceVersion": "1"}))["metadata"]["generation"] == 1


def test_a_frozen_template_never_changes() -> None:
    store = Store()
    store.apply(manifest("ControllerRevision", data={"template": {"a": 1}}))
    store.apply(manifest("ControllerRevision", data={"template": {"a": 1}}, metadata={"labels": {"x": "y"}}))
    with pytest.raises(RefusedError):
        store.apply(manifest("ControllerRevision", data={"template": {"a": 2}}))


def test_a_deletion_waits_for_finalizers_and_takes_the_children_along() -> None:
    store = Store()
    owner = store.create(manifest("ModelDeployment", metadata={"finalizers": ["f"]}))["metadata"]["uid"]
    child = store.create(manifest(metadata={"ownerReferences": [{"uid": owner}]}))["metadata"]["uid"]
    store.create(manifest("Pod", metadata={"ownerReferences": [{"uid": child}]}))
    store.delete("ModelDeployment", "n", "d")
    assert store.objects["ModelDeployment", "n", "d"]["metadata"]["deletionTimestamp"]
    store.merge(MODEL_DEPLOYMENTS, "n", "d", {"metadata": {"finalizers": None}})
    store.delete("ModelDeployment", "n", "d")
    assert store.objects == {}


def test_a_child_made_for_an_owner_that_is_gone_is_collected() -> None:
    store = Store()
    store.create(manifest(metadata={"ownerReferences": [{"uid": "uid-0"}]}))
    store.collect_garbage()
    assert store.objects == {}


def test_numbers_come_back_as_go_writes_them() -> None:
    stored = Store().create(manifest(spec={"a": 1.0, "b": 0.5}))
    assert repr(stored["spec"]) == "{'a': 1, 'b': 0.5}"


def test_the_selector_of_a_service_is_replaced_as_one() -> None:
    store = Store()
    store.apply(manifest("Service", spec={"selector": {"a": "1", "b": "2"}}))
    store.merge(SERVICES, "n", "d", {"spec": {"selector": {"c": "3"}}})
    assert store.apply(manifest("Service", spec={"selector": {"a": "1"}}))["spec"] == {"selector": {"a": "1"}}
