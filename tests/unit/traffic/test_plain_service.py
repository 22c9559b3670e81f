"""The Service of all versions: what it leads to, read back, and what its endpoints say."""

from __future__ import annotations

from typing import Any

import pytest
from sluice.api.spec import ModelDeploymentSpec
from sluice.resources.naming import labels, owner_reference
from sluice.traffic.plain_service import LABEL_SERVICE, PlainService, endpoints_of, read_split
from sluice.traffic.provider import Wanted
from sluice.traffic.providers import provider_of

NAME, STABLE, CANDIDATE = "penguins", "aaa", "bbb"
OWNER = owner_reference(name=NAME, uid="u-1")
WAY = PlainService()
BOTH = {STABLE: 80, CANDIDATE: 20}
Object = dict[str, Any]


def rendered(split: dict[str, int], live: Object | None = None) -> Object:
    wanted = Wanted(name=NAME, namespace="models", owner=OWNER, traffic=None, split=split)
    found = WAY.render(wanted, live, settled=False)
    assert found is not None
    return found


def picks(service: Object, pod_labels: dict[str, str]) -> bool:
    return bool(service["spec"]["selector"].items() <= pod_labels.items())


def pod(uid: str, revision: str) -> Object:
    return {"metadata": {"uid": uid, "labels": labels(NAME, revision)}}


def endpoint_slice(*uids: str, service: str = NAME, ports: bool = True, ready: bool | None = True) -> Object:
    conditions = {} if ready is None else {"ready": ready}
    return {
        "metadata": {"labels": {LABEL_SERVICE: service}},
        "ports": [{"name": "http", "port": 8082}] if ports else [],
        "endpoints": [{"conditions": conditions, "targetRef": {"uid": uid}} for uid in uids],
    }


def test_only_a_deployment_without_a_gateway_has_one() -> None:
    def kind(**traffic: Any) -> str:
        spec = {"model": {"uri": "models:/penguins@champion"}} | ({"traffic": traffic} if traffic else {})
        return provider_of(ModelDeploymentSpec.model_validate(spec)).kind

    assert (kind(), kind(pathPrefix="/"), kind(gateway={"name": "public"})) == ("Service", "Service", "HTTPRoute")


def test_it_leads_to_the_pods_of_one_version_or_of_all_and_to_no_others() -> None:
    alone, both = rendered({CANDIDATE: 100, STABLE: 0}), rendered(BOTH)
    assert (picks(alone, labels(NAME, CANDIDATE)), picks(alone, labels(NAME, STABLE))) == (True, False)
    assert picks(both, labels(NAME, CANDIDATE))
    assert picks(both, labels(NAME, STABLE))
    assert not picks(both, labels("others", STABLE))
    assert not picks(both, {"sluice.dev/model-deployment": NAME, "sluice.dev/gate": "speed"}), "pods of Jobs"


def test_it_has_the_name_that_users_know_and_the_port_at_which_requests_are_drawn() -> None:
    service = rendered({STABLE: 100})
    assert service["metadata"]["name"] == NAME
    assert service["metadata"]["ownerReferences"] == [OWNER]
    assert [(port["port"], port["targetPort"]) for port in service["spec"]["ports"]] == [(80, "shared")]
    assert service["spec"]["sessionAffinity"] == "None"


@pytest.mark.parametrize("split", [{STABLE: 100}, BOTH, {CANDIDATE: 100}])
def test_a_split_is_read_back(split: dict[str, int]) -> None:
    assert read_split(rendered(split)) == split


@pytest.mark.parametrize(
    ("selector", "annotation"),
    [({"app": "mine"}, None), (None, None), ({}, None), ("both", "odd"), ("both", "a=x b=1"), ("both", "a=50")],
)
def test_what_others_have_written_leads_nowhere_we_know(selector: Any, annotation: str | None) -> None:
    service = rendered(BOTH)
    if selector != "both":
        service["spec"]["selector"] = selector
    service["metadata"]["annotations"] = {"sluice.dev/split": annotation} if annotation else None
    state = WAY.read(service, {STABLE: 1}, {STABLE: 1})
    assert (state.weights, state.accepted) == ({}, None)


def test_endpoints_are_the_ready_pods_behind_its_own_port() -> None:
    pods = [pod("1", STABLE), pod("2", STABLE), pod("3", CANDIDATE), pod("4", CANDIDATE), pod("5", CANDIDATE)]
    slices = [
        endpoint_slice("1", "2", "2"),
        endpoint_slice("3", ready=None),
        endpoint_slice("4", ready=False),
        endpoint_slice("5", ports=False),
        endpoint_slice("4", service=f"{NAME}-{CANDIDATE}"),
        endpoint_slice("of-a-gate"),
        {"kind": "EndpointSlice"},
    ]
    assert endpoints_of(NAME, slices, pods) == {STABLE: 2, CANDIDATE: 1}


@pytest.mark.parametrize(
    ("split", "endpoints", "ready", "taken"),
    [
        (BOTH, {STABLE: 4, CANDIDATE: 1}, {STABLE: 4, CANDIDATE: 1}, True),
        (BOTH, {STABLE: 4}, {STABLE: 4, CANDIDATE: 1}, None),
        ({STABLE: 100}, {STABLE: 4, CANDIDATE: 1}, {STABLE: 4, CANDIDATE: 1}, None),
        ({STABLE: 100}, {STABLE: 3}, {STABLE: 4, CANDIDATE: 1}, True),
        ({CANDIDATE: 100}, {STABLE: 4}, {STABLE: 4, CANDIDATE: 4}, None),
        ({STABLE: 100}, {}, {}, True),
    ],
)
def test_it_is_taken_once_its_endpoints_have_followed(
    split: dict[str, int], endpoints: dict[str, int], ready: dict[str, int], taken: bool | None
) -> None:
    state = WAY.read(rendered(split), endpoints, ready)
    assert (state.accepted, state.endpoints) == (taken, endpoints)


def test_a_service_of_somebody_else_is_left_alone_and_said_to_be() -> None:
    other = {"metadata": {"name": NAME, "namespace": "models"}, "spec": {"selector": {"app": "mine"}}}
    state = WAY.read(other, {}, {})
    assert (state.accepted, state.reason) == (False, "ServiceTaken")
    assert "delete it, or give the ModelDeployment another name" in state.message
    wanted = Wanted(name=NAME, namespace="models", owner=OWNER, traffic=None, split=BOTH)
    assert WAY.render(wanted, other, settled=True) is None


def test_only_a_change_of_whom_it_leads_to_is_news_for_the_nodes() -> None:
    assert WAY.mark(rendered(BOTH)) == WAY.mark(rendered({STABLE: 50, CANDIDATE: 50}))
    assert WAY.mark(rendered(BOTH)) != WAY.mark(rendered({STABLE: 100}))
