"""Whose a field is, by the API server's own book (entries as Kubernetes 1.35 writes them)."""

from __future__ import annotations

from typing import Any

from sluice.kube.ownership import taken

ROUTE: dict[str, Any] = {
    "spec": {"rules": [{"backendRefs": [{"name": "a", "weight": 80}, {"name": "b", "weight": 20}]}]}
}
WORKLOAD: dict[str, Any] = {
    "metadata": {"labels": {"sluice.dev/revision": "a"}},
    "spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "server", "image": "server:1"}]}}},
}


def entry(manager: str, fields: dict[str, Any], **more: str) -> dict[str, Any]:
    return {"manager": manager, "operation": "Update", "fieldsV1": fields} | more


def live(spec: dict[str, Any], *entries: dict[str, Any], **meta: Any) -> dict[str, Any]:
    return {"metadata": meta | {"managedFields": list(entries)}, "spec": spec}


def told(desired: dict[str, Any], found: dict[str, Any]) -> list[str]:
    return [f"{field.manager}: {field}" for field in taken(desired, found)]


def test_an_edited_weight_is_named_with_who_did_it_and_both_values() -> None:
    edited = {"rules": [{"backendRefs": [{"name": "a", "weight": 80}, {"name": "b", "weight": 70}]}]}
    found = live(edited, entry("sluice", {"f:spec": {"f:parentRefs": {}}}), entry("vi", {"f:spec": {"f:rules": {}}}))
    assert told(ROUTE, found) == ["vi: spec.rules[0].backendRefs[1].weight 70 -> 20"]


def test_a_weight_of_our_own_is_no_edit() -> None:
    before = {"rules": [{"backendRefs": [{"name": "a", "weight": 100}]}]}
    assert told(ROUTE, live(before, entry("sluice", {"f:spec": {"f:rules": {}}}))) == []


def test_a_field_that_was_applied_by_both_is_still_ours() -> None:
    fields: dict[str, Any] = {"f:spec": {"f:rules": {}}}
    before = {"rules": [{"backendRefs": [{"name": "a", "weight": 100}]}]}
    assert told(ROUTE, live(before, entry("sluice", fields), entry("vi", fields))) == []


def test_elements_of_lists_are_found_by_their_keys() -> None:
    spec = {"replicas": 2, "template": {"spec": {"containers": [{"name": "server", "image": "mine:2"}]}}}
    server: dict[str, Any] = {
        "f:template": {"f:spec": {"f:containers": {'k:{"name":"server"}': {".": {}, "f:image": {}}}}}
    }
    assert told(WORKLOAD, live(spec, entry("kubectl-set", {"f:spec": server}))) == [
        "kubectl-set: spec.template.spec.containers[server].image mine:2 -> server:1"
    ]


def test_a_scaled_deployment_is_seen_and_what_stands_in_its_status_is_not_ours() -> None:
    found = live(
        WORKLOAD["spec"] | {"replicas": 7},
        entry("kubectl", {"f:spec": {"f:replicas": {}}}, subresource="scale"),
        entry("kube-controller-manager", {"f:status": {"f:replicas": {}}}, subresource="status"),
        labels={"sluice.dev/revision": "a"},
    )
    assert told(WORKLOAD, found) == ["kubectl: spec.replicas 7 -> 2"]


def test_what_others_add_beside_our_fields_is_theirs() -> None:
    found = live(
        WORKLOAD["spec"] | {"paused": True},
        entry("team", {"f:metadata": {"f:labels": {"f:team": {}}}, "f:spec": {"f:paused": {}}}),
        labels={"sluice.dev/revision": "a", "team": "birds"},
    )
    assert told(WORKLOAD, found) == []


def test_a_changed_label_is_seen() -> None:
    edit = entry("vi", {"f:metadata": {"f:labels": {"f:sluice.dev/revision": {}}}})
    found = live(WORKLOAD["spec"], edit, labels={"sluice.dev/revision": "z"})
    assert told(WORKLOAD, found) == ["vi: metadata.labels.sluice.dev/revision z -> a"]


def test_an_object_without_books_and_long_values() -> None:
    assert told(ROUTE, {"metadata": {}, "spec": {}}) == []
    found = live({"rules": ["x" * 100]}, entry("vi", {"f:spec": {"f:rules": {}}}))
    (said,) = told(ROUTE, found)
    assert len(said) < 150
