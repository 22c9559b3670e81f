"""Whose a field is, by the API server's own book (entries as Kubernetes 1.35 writes them)."""

from __future__ import annotations

from typing import Any

import pytest
from sluice.kube.ownership import holds, taken

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


APPLIED: dict[str, Any] = {
    "f:metadata": {"f:labels": {"f:sluice.dev/revision": {}}},
    "f:spec": {
        "f:replicas": {},
        "f:template": {"f:spec": {"f:containers": {'k:{"name":"server"}': {".": {}, "f:name": {}, "f:image": {}}}}},
    },
}


def applied(spec: dict[str, Any], fields: dict[str, Any] = APPLIED, revision: str = "a") -> dict[str, Any]:
    mine = entry("sluice", fields) | {"operation": "Apply"}
    return live(spec, mine, labels={"sluice.dev/revision": revision})


def with_image(image: str, **more: Any) -> dict[str, Any]:
    containers = [{"name": "server", "image": image, "imagePullPolicy": "Always"}]
    return {"replicas": 2, "template": {"spec": {"containers": containers}}} | more


def test_what_was_applied_and_not_touched_holds_whatever_the_server_has_filled_in() -> None:
    assert holds(applied(with_image("server:1", strategy={})), WORKLOAD)


@pytest.mark.parametrize(
    "found",
    [
        applied(with_image("server:2")),
        applied(with_image("server:1") | {"replicas": 3}),
        applied(with_image("server:1"), revision="b"),
        applied({"replicas": 2, "template": {"spec": {"containers": []}}}),
        live(with_image("server:1"), labels={"sluice.dev/revision": "a"}),
        {"metadata": {}},
    ],
)
def test_a_value_that_differs_or_an_object_without_books_does_not_hold(found: dict[str, Any]) -> None:
    assert not holds(found, WORKLOAD)


def test_a_zero_that_the_server_leaves_out_holds() -> None:
    more = APPLIED | {"f:spec": APPLIED["f:spec"] | {"f:minReadySeconds": {}}}
    found = applied(with_image("server:1"), more)
    assert holds(found, WORKLOAD | {"spec": WORKLOAD["spec"] | {"minReadySeconds": 0}})
    assert not holds(found, WORKLOAD | {"spec": WORKLOAD["spec"] | {"minReadySeconds": 5}})
    assert not holds(found, WORKLOAD)


def test_a_field_that_was_applied_once_and_is_wanted_no_more_does_not_hold() -> None:
    more = APPLIED | {"f:spec": APPLIED["f:spec"] | {"f:paused": {}}}
    assert not holds(applied(with_image("server:1", paused=True), more), WORKLOAD)


def test_a_field_that_is_not_ours_yet_does_not_hold() -> None:
    fewer = APPLIED | {"f:spec": {"f:template": APPLIED["f:spec"]["f:template"]}}
    assert not holds(applied(with_image("server:1"), fewer), WORKLOAD)


def test_a_list_that_is_owned_as_one_holds_only_when_it_is_the_same() -> None:
    """What is in it and was wanted once, for example the Gateway's namespace, is in no book."""
    whole: dict[str, Any] = {"f:spec": {"f:rules": {}}}
    backends = ROUTE["spec"]["rules"][0]["backendRefs"]
    mine = entry("sluice", whole) | {"operation": "Apply"}
    desired = ROUTE | {"metadata": {"name": "birds"}}
    assert holds(live({"rules": [{"backendRefs": backends}]}, mine), desired)
    assert not holds(live({"rules": [{"backendRefs": [*backends, {"name": "c"}]}]}, mine), desired)
    assert not holds(live({"rules": [{"backendRefs": [backends[0] | {"namespace": "n"}, backends[1]]}]}, mine), desired)
