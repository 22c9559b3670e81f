"""What is read of the cluster for one ModelDeployment."""

from __future__ import annotations

from typing import Any

import pytest
from sluice.api.spec import parse_spec
from sluice.core.observation import GateState, Severity, Wish
from sluice.kube.api import GATEWAYS, Manifest, Resource
from sluice.kube.errors import ForbiddenError
from sluice.kube.observe import observe, read_revisions, read_wish

from tests.simulation.controller import SimulatedApi
from tests.simulation.invariants import Invariants
from tests.simulation.simulation import installed
from tests.simulation.stories import SPEC
from tests.simulation.world import NAME, NAMESPACE, World


def deployment(revision: str | None, replicas: int | None = 3, **status: Any) -> dict[str, Any]:
    labels = {"sluice.dev/model-deployment": "m"} | ({"sluice.dev/revision": revision} if revision else {})
    spec = {} if replicas is None else {"replicas": replicas}
    return {"metadata": {"name": f"m-{revision}", "labels": labels}, "spec": spec, "status": status}


def pod(revision: str, uid: str) -> dict[str, Any]:
    return {"metadata": {"uid": uid, "name": uid, "labels": {"sluice.dev/revision": revision}}, "status": {}}


def test_pods_are_put_to_their_revision() -> None:
    found = read_revisions(
        [deployment("a"), deployment("b", None)], [pod("a", "1"), pod("b", "2"), pod("gone", "3")], []
    )
    assert {name: [p.uid for p in state.pods] for name, state in found.items()} == {
        "a": ["1"],
        "b": ["2"],
        "gone": ["3"],
    }
    assert [name for name, state in found.items() if not state.deployed] == ["gone"]
    assert (found["a"].replicas, found["b"].replicas) == (3, 1)


@pytest.mark.parametrize(
    ("endpoints", "ready"),
    [
        pytest.param([], False, id="not known to the gateway yet"),
        pytest.param([{"targetRef": {"uid": "1"}, "conditions": {"ready": False}}], False, id="not ready there"),
        pytest.param([{"targetRef": {"uid": "2"}, "conditions": {"ready": True}}], False, id="another pod"),
        pytest.param([{"targetRef": {"uid": "1"}, "conditions": {"ready": True}}], True, id="ready"),
        pytest.param([{"targetRef": {"uid": "1"}}], True, id="not stated"),
    ],
)
def test_a_pod_is_ready_once_it_stands_in_its_services_endpoints(endpoints: list[Any], ready: bool) -> None:
    raw = pod("a", "1") | {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    (found,) = read_revisions([deployment("a")], [raw], [{"endpoints": endpoints}, {"endpoints": None}])["a"].pods
    assert found.ready is ready


def test_a_deployment_that_only_has_our_label_is_not_ours() -> None:
    assert read_revisions([deployment(None)], [], []) == {}


def test_a_quota_that_forbids_pods_is_trouble() -> None:
    refused = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota"}
    trouble = read_revisions([deployment("a", conditions=[refused])], [], [])["a"].trouble
    assert trouble is not None
    assert (trouble.severity, trouble.reason, trouble.message) == (Severity.WAITING, "FailedCreate", "exceeded quota")


@pytest.mark.parametrize(
    ("annotations", "wish"),
    [
        ({}, None),
        ({"sluice.dev/abort": ""}, None),
        ({"else": "x"}, None),
        ({"sluice.dev/promote": "a"}, Wish("promote", "a")),
        ({"sluice.dev/promote": "a", "sluice.dev/abort": "b"}, Wish("abort", "b")),
        ({"sluice.dev/retry": "a", "sluice.dev/promote": "b"}, Wish("promote", "b")),
    ],
    ids=["none", "empty", "foreign", "promote", "abort comes first", "promote before retry"],
)
def test_a_wish_is_read_from_its_annotation(annotations: dict[str, str], wish: Wish | None) -> None:
    assert read_wish({"annotations": annotations}) == wish


@pytest.fixture
def world() -> World:
    return installed()[0]


async def test_a_running_model_is_seen_whole(world: World) -> None:
    seen = await observe(SimulatedApi(world, Invariants()), NAMESPACE, NAME, parse_spec(SPEC))
    revision = world.revision("1")
    assert seen.gateway_problem is None
    assert seen.route is not None
    assert (seen.route.weights, seen.route.accepted) == ({revision: 100}, True)
    assert seen.revisions[revision].ready == 2
    kinds = {kind for kind, _ in seen.objects}
    assert kinds == {"Deployment", "Service", "HTTPRoute", "PodDisruptionBudget"}


async def test_a_missing_gateway_is_said_in_a_sentence(world: World) -> None:
    world.store.delete("Gateway", NAMESPACE, "public")
    seen = await observe(SimulatedApi(world, Invariants()), NAMESPACE, NAME, parse_spec(SPEC))
    assert seen.gateway_problem is not None
    assert "there is no Gateway models/public: create it, or name another one" in seen.gateway_problem


class Narrow(SimulatedApi):
    """A role that ends at the namespace."""

    async def get(self, resource: Resource, namespace: str, name: str) -> Manifest | None:
        if resource is GATEWAYS:
            raise ForbiddenError("not allowed")
        return await super().get(resource, namespace, name)


async def test_a_gateway_that_may_not_be_read_is_said_with_what_to_do(world: World) -> None:
    seen = await observe(Narrow(world, Invariants()), NAMESPACE, NAME, parse_spec(SPEC))
    assert seen.gateway_problem is not None
    assert "may not read Gateway models/public: add models to gatewayNamespaces" in seen.gateway_problem
    assert seen.revisions[world.revision("1")].ready == 2


async def test_what_is_new_owns_nothing_and_only_its_gateway_is_asked_for() -> None:
    world, _ = installed()
    api = SimulatedApi(world, Invariants())
    found = await observe(api, NAMESPACE, NAME, parse_spec(SPEC), is_new=True)
    assert (found.revisions, found.route, found.gateway_problem, found.objects) == ({}, None, None, {})


async def test_jobs_are_looked_for_only_while_somebody_is_asked(world: World) -> None:
    mine = {"sluice.dev/model-deployment": NAME, "sluice.dev/gate": "smoke"}
    meta = {"name": "a-job", "namespace": NAMESPACE, "labels": mine, "annotations": {"sluice.dev/gate-round": "r-0"}}
    world.store.create({"kind": "Job", "metadata": meta, "spec": {}})
    api = SimulatedApi(world, Invariants())
    seen = await observe(api, NAMESPACE, NAME, parse_spec(SPEC), gating=True)
    assert seen.gates == (GateState("r-0", "smoke", None, "its Job starts"),)
    assert ("Job", "a-job") in seen.objects
    assert (await observe(api, NAMESPACE, NAME, parse_spec(SPEC))).gates == ()


async def test_of_what_is_new_users_are_not_sticky_yet() -> None:
    world, _ = installed()
    spec = parse_spec(SPEC | {"traffic": SPEC["traffic"] | {"sticky": {"cookie": "session"}}})
    found = await observe(SimulatedApi(world, Invariants()), NAMESPACE, NAME, spec, is_new=True)
    assert found.sticky_pending
