"""Hand edits are read off the real API server's own books: routes, Deployments and Services."""

from __future__ import annotations

from typing import Any

import pytest
from sluice.api.autoscaling import Autoscaling
from sluice.api.spec import Server
from sluice.api.status import Revision
from sluice.api.traffic import GatewayRef, Sticky, Traffic
from sluice.controller.repairs import repaired
from sluice.kube.ownership import holds, owns, taken
from sluice.resources.autoscaler import autoscaled, autoscaler, is_autoscaled
from sluice.resources.disruption import disruption_budget
from sluice.resources.naming import FIELD_MANAGER
from sluice.resources.service import service
from sluice.resources.workload import deployment, pod_template
from sluice.traffic import gateway_api
from sluice.traffic.policy import policy

pytestmark = pytest.mark.integration

OWNER = {"apiVersion": "v1", "kind": "ConfigMap", "name": "nobody", "uid": "00000000-0000-0000-0000-000000000000"}
POD: dict[str, Any] = {
    "metadata": {"labels": {"sluice.dev/model-deployment": "birds", "sluice.dev/revision": "a"}},
    "spec": {"containers": [{"name": "server", "image": "localhost/nobody:1", "env": [{"name": "A", "value": "1"}]}]},
}


def route(namespace: str) -> dict[str, Any]:
    traffic = Traffic(gateway=GatewayRef(name="nowhere"), path_prefix="/birds")
    found = gateway_api.render(
        name="birds", namespace=namespace, owner=OWNER, traffic=traffic, split={"a": 80, "b": 20}
    )
    return without_owner(found)


def without_owner(manifest: dict[str, Any]) -> dict[str, Any]:
    """Let the garbage collector, which knows no such owner, leave it alone."""
    return manifest | {"metadata": {k: v for k, v in manifest["metadata"].items() if k != "ownerReferences"}}


def workload(namespace: str) -> dict[str, Any]:
    return without_owner(
        deployment(name="birds", namespace=namespace, revision_name="a", template=POD, replicas=0, owner=OWNER)
    )


def address(namespace: str) -> dict[str, Any]:
    return without_owner(service(name="birds", namespace=namespace, revision_name="a", owner=OWNER))


def apply(server: Any, path: str, manifest: dict[str, Any]) -> dict[str, Any]:
    query = {"fieldManager": FIELD_MANAGER, "force": "true"}
    answer = server.call("PATCH", path, manifest, kind="apply-patch+yaml", **query)
    assert answer.ok, answer.message
    return dict(answer.body)


def edit(server: Any, path: str, patch: dict[str, Any]) -> dict[str, Any]:
    answer = server.merge(path, patch, fieldManager="somebody")
    assert answer.ok, answer.message
    return dict(server.call("GET", path.removesuffix("/scale")).body)


def told(manifest: dict[str, Any], live: dict[str, Any]) -> list[str]:
    return [f"{field.manager}: {field}" for field in taken(manifest, live)]


def test_a_weight(server: Any, namespace: str) -> None:
    path = f"/apis/gateway.networking.k8s.io/v1/namespaces/{namespace}/httproutes/birds"
    manifest = route(namespace)
    live = apply(server, path, manifest)
    assert told(manifest, live) == []
    rule = live["spec"]["rules"][0]
    rule["backendRefs"][1]["weight"] = 70
    live = edit(server, path, {"spec": {"rules": [rule], "hostnames": ["only.example"]}})
    assert told(manifest, live) == ["somebody: spec.rules[0].backendRefs[1].weight 70 -> 199997"]
    stored = apply(server, path, manifest)
    assert gateway_api.additions(manifest, stored) == ("hostnames",)
    assert told(manifest, stored) == []


def test_replicas_and_the_template(server: Any, namespace: str) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/birds-a"
    manifest = workload(namespace)
    assert told(manifest, apply(server, path, manifest)) == []
    assert told(manifest, edit(server, f"{path}/scale", {"spec": {"replicas": 3}})) == [
        "somebody: spec.replicas 3 -> 0"
    ]
    apply(server, path, manifest)
    container = {"name": "server", "image": "localhost/other:1", "env": [{"name": "A", "value": "2"}]}
    live = edit(server, path, {"spec": {"template": {"spec": {"containers": [container]}}}})
    assert told(manifest, live) == [
        "somebody: spec.template.spec.containers[server].env[A].value 2 -> 1",
        "somebody: spec.template.spec.containers[server].image localhost/other:1 -> localhost/nobody:1",
    ]
    assert told(manifest, apply(server, path, manifest)) == []


def scaled(server: Any, path: str, replicas: int) -> dict[str, Any]:
    """Set the number of pods as an autoscaler does: through /scale, over the version it has read, until nobody else
    has written in between.
    """
    taken = False
    while not taken:
        scale = server.call("GET", f"{path}/scale").body
        scale["spec"]["replicas"] = replicas
        answer = server.call("PUT", f"{path}/scale", scale, fieldManager="kube-controller-manager")
        taken = answer.status != 409
    assert answer.ok, answer.message
    return dict(server.call("GET", path).body)


def test_an_autoscaler_takes_over_the_number_of_pods_and_gives_it_back(server: Any, namespace: str) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/birds-a"
    nowhere = {**POD, "spec": {**POD["spec"], "nodeSelector": {"nobody": "here"}}}
    manifest = workload(namespace)
    manifest["spec"]["template"] = nowhere

    def beside(live: dict[str, Any], floor: int) -> dict[str, Any]:
        return autoscaled(manifest, live, floor, ours=owns(live, "spec", "replicas"))

    live = apply(server, path, manifest | {"spec": manifest["spec"] | {"replicas": 3}})
    live = apply(server, path, beside(live, 2))
    assert live["spec"]["replicas"] == 3, "to leave it out at once would make one pod of it"
    assert owns(live, "spec", "replicas")
    live = scaled(server, path, 5)
    assert not owns(live, "spec", "replicas")
    wanted = beside(live, 2)
    assert "replicas" not in wanted["spec"]
    live = apply(server, path, wanted)
    assert live["spec"]["replicas"] == 5
    assert holds(live, wanted)
    assert repaired(beside(live, 7), live) is None, "a higher floor is no hand edit"
    live = apply(server, path, beside(live, 7))
    assert live["spec"]["replicas"] == 7
    live = scaled(server, path, 8)
    assert repaired(manifest, live) is None, "neither is what the autoscaler has left"
    live = apply(server, path, manifest)
    assert live["spec"]["replicas"] == 0
    assert owns(live, "spec", "replicas")
    assert not is_autoscaled(live)


def test_what_was_read_before_the_autoscaler_wrote_undoes_nothing(server: Any, namespace: str) -> None:
    path = f"/apis/apps/v1/namespaces/{namespace}/deployments/birds-a"
    manifest = workload(namespace)
    live = apply(server, path, manifest)
    wanted = autoscaled(manifest, live, 2, ours=True)
    wanted["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"]
    scaled(server, path, 4)
    query = {"fieldManager": FIELD_MANAGER, "force": "true"}
    answer = server.call("PATCH", path, wanted, kind="apply-patch+yaml", **query)
    assert answer.status == 409
    apply(server, path, manifest)


def scaler(namespace: str) -> dict[str, Any]:
    auto = Autoscaling(max_replicas=4, scale_down_stabilization_seconds=30)
    return without_owner(
        autoscaler(name="birds", namespace=namespace, revision_name="a", autoscaling=auto, floor=2, owner=OWNER)
    )


def budget(namespace: str) -> dict[str, Any]:
    return without_owner(disruption_budget(name="birds", namespace=namespace, revision_name="a", owner=OWNER))


def by_header(namespace: str) -> dict[str, Any]:
    sticky = Sticky(header="x-user-id")
    return without_owner(policy(name="birds", namespace=namespace, owner=OWNER, sticky=sticky))


def by_cookie(namespace: str) -> dict[str, Any]:
    return without_owner(policy(name="birds", namespace=namespace, owner=OWNER, sticky=Sticky(cookie="session")))


def test_labels_and_the_selector(server: Any, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/services/birds-a"
    manifest = address(namespace)
    assert told(manifest, apply(server, path, manifest)) == []
    patch = {"metadata": {"labels": {"app.kubernetes.io/managed-by": "me", "team": "birds"}},
             "spec": {"selector": {"cut": "off"}}}  # fmt: skip
    found = told(manifest, edit(server, path, patch))
    assert "somebody: metadata.labels.app.kubernetes.io/managed-by me -> sluice" in found
    assert any("spec.selector" in field for field in found)
    stored = apply(server, path, manifest)
    assert stored["spec"]["selector"] == manifest["spec"]["selector"]


def frozen(namespace: str) -> dict[str, Any]:
    """A Deployment as the controller makes it."""
    revision = Revision(name="a", model_name="birds", model_version="1", digest=f"sha256:{1:064x}", image="server:1")
    server = Server.model_validate(
        {"resources": {"requests": {"cpu": "500m", "memory": "1Gi"}}, "env": [{"name": "A", "value": "1"}]}
    )
    template = pod_template(name="birds", revision=revision, server=server, tracking_uri="http://mlflow")
    return without_owner(
        deployment(name="birds", namespace=namespace, revision_name="a", template=template, replicas=0, owner=OWNER)
    )


POLICY = "apis/gateway.envoyproxy.io/v1alpha1/{}/backendtrafficpolicies/birds"


def test_who_is_sticky_by_another_key_and_how_somebody_changes_it(server: Any, namespace: str) -> None:
    path = "/" + POLICY.format(f"namespaces/{namespace}")
    assert told(by_header(namespace), apply(server, path, by_header(namespace))) == []
    hashed = apply(server, path, by_cookie(namespace))["spec"]["loadBalancer"]["consistentHash"]
    assert (hashed["type"], hashed["cookie"], "headers" in hashed) == ("Cookie", {"name": "session"}, False)
    found = told(by_cookie(namespace), edit(server, path, {"spec": {"mergeType": "JSONMerge"}}))
    assert found == ["somebody: spec.mergeType JSONMerge -> StrategicMerge"]
    assert apply(server, path, by_cookie(namespace))["spec"]["mergeType"] == "StrategicMerge"


@pytest.mark.parametrize(
    ("kind", "make", "patch"),
    [
        ("apis/apps/v1/{}/deployments/birds-a", workload, {"spec": {"replicas": 2}}),
        ("apis/apps/v1/{}/deployments/birds-a", frozen, {"spec": {"paused": True}}),
        ("apis/autoscaling/v2/{}/horizontalpodautoscalers/birds-a", scaler, {"spec": {"minReplicas": 3}}),
        ("apis/policy/v1/{}/poddisruptionbudgets/birds-a", budget, {"spec": {"maxUnavailable": 2}}),
        (POLICY, by_header, {"spec": {"loadBalancer": {"consistentHash": {"tableSize": 1009}}}}),
        (POLICY, by_cookie, {"spec": {"useClientProtocol": True}}),
        ("api/v1/{}/services/birds-a", address, {"spec": {"selector": {"cut": "off"}}}),
        ("apis/gateway.networking.k8s.io/v1/{}/httproutes/birds", route, {"metadata": {"labels": {"team": "birds"}}}),
    ],
)
def test_what_holds_is_what_an_apply_leaves_alone(
    server: Any, namespace: str, kind: str, make: Any, patch: dict[str, Any]
) -> None:
    """The oracle is the API server: what holds is after another apply what it was."""
    path, manifest = "/" + kind.format(f"namespaces/{namespace}"), make(namespace)
    live = apply(server, path, manifest)
    assert holds(live, manifest)
    assert without_status(apply(server, path, manifest)) == without_status(live)
    live = edit(server, path, patch)
    if holds(live, manifest):
        assert without_status(apply(server, path, manifest)) == without_status(live)
    fewer = manifest | {"metadata": manifest["metadata"] | {"labels": {"sluice.dev/revision": "a"}}}
    assert not holds(live, fewer)
    assert without_status(apply(server, path, fewer)) != without_status(live)


def without_status(live: dict[str, Any]) -> dict[str, Any]:
    """Leave out what the cluster's own controllers write at any moment."""
    entries = [e for e in live["metadata"]["managedFields"] if e["manager"] in (FIELD_MANAGER, "somebody")]
    return {"labels": live["metadata"]["labels"], "spec": live["spec"], "fields": entries}
