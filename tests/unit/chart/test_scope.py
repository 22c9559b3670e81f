"""Who may do what, where: namespaced or cluster-wide, what the uninstall hook gets, and the network policy."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.chart.test_chart import environment, helm, is_hook, objects

__all__ = ["helm"]
pytestmark = pytest.mark.integration

SOME = ("--set", "watchNamespaces={a,b}")
Object = dict[str, Any]


def of(kinds: set[str], found: list[Object], *, hook: bool = False) -> list[Object]:
    return [item for item in found if item["kind"] in kinds and is_hook(item) is hook]


def place(item: Object) -> tuple[str, str]:
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]


def test_by_default_one_cluster_role_serves_all_namespaces(helm: str) -> None:
    found = objects(helm)
    assert "SLUICE_NAMESPACES" not in environment(helm)
    assert [place(item) for item in of({"ClusterRoleBinding"}, found)] == [("", "sluice")]


def test_with_namespaces_named_the_operator_has_no_right_elsewhere(helm: str) -> None:
    found = objects(helm, *SOME)
    assert environment(helm, *SOME)["SLUICE_NAMESPACES"] == "a,b"
    assert of({"ClusterRoleBinding"}, found) == []
    bindings = of({"RoleBinding"}, found)
    assert {place(item)[0] for item in bindings} - {"sluice-system"} == {"a", "b"}
    for item in bindings:
        assert item["roleRef"]["kind"] == "Role"
        assert item["subjects"] == [{"kind": "ServiceAccount", "name": "sluice", "namespace": "sluice-system"}]
    roles = {place(item): item["rules"] for item in of({"Role"}, found)}
    everywhere = next(item for item in objects(helm) if item["kind"] == "ClusterRole" and place(item)[1] == "sluice")
    reads_crds = [rule for rule in everywhere["rules"] if rule["resources"] == ["customresourcedefinitions"]]
    for namespace in ("a", "b"):
        rules = roles[namespace, "sluice-watch"]
        assert rules == [rule for rule in everywhere["rules"] if rule not in reads_crds]


def test_in_a_gateways_namespace_only_its_existence_may_be_asked(helm: str) -> None:
    found = objects(helm, *SOME, "--set", "gatewayNamespaces={g}")
    (role,) = [item for item in of({"Role"}, found) if place(item)[0] == "g"]
    assert role["rules"] == [{"apiGroups": ["gateway.networking.k8s.io"], "resources": ["gateways"], "verbs": ["get"]}]
    assert ("g", "sluice-gateways") in [place(item) for item in of({"RoleBinding"}, found)]


def test_users_get_their_rights_with_the_namespace_and_can_be_denied_them(helm: str) -> None:
    roles = {place(item)[1]: item for item in of({"ClusterRole"}, objects(helm))}
    assert roles["sluice-view"]["metadata"]["labels"]["rbac.authorization.k8s.io/aggregate-to-view"] == "true"
    for rule in roles["sluice-view"]["rules"]:
        assert set(rule["verbs"]) == {"get", "list", "watch"}
    assert all("modeldeployments/status" not in rule["resources"] for rule in roles["sluice-edit"]["rules"])
    without = of({"ClusterRole"}, objects(helm, "--set", "aggregateRoles=false"))
    assert [place(item)[1] for item in without] == ["sluice"]


@pytest.mark.parametrize("arguments", [(), SOME], ids=["everywhere", "some"])
def test_the_hook_exists_only_while_it_runs_and_may_let_go_and_nothing_else(
    helm: str, arguments: tuple[str, ...]
) -> None:
    hooks = [item for item in objects(helm, *arguments) if is_hook(item)]
    for item in hooks:
        assert item["metadata"]["annotations"]["helm.sh/hook"] == "pre-delete"
        policy = item["metadata"]["annotations"]["helm.sh/hook-delete-policy"]
        assert policy == "before-hook-creation,hook-succeeded"
    rights = {
        (place(item)[0], group, resource, verb)
        for item in of({"Role", "ClusterRole"}, hooks, hook=True)
        for rule in item["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    where = ("a", "b") if arguments else ("",)
    assert rights == {
        ("sluice-system", "apps", "deployments/scale", "patch"),
        ("sluice-system", "", "pods", "list"),
        *((n, "sluice.dev", "modeldeployments", verb) for n in where for verb in ("get", "list", "patch")),
    }
    weights = {item["kind"]: int(item["metadata"]["annotations"]["helm.sh/hook-weight"]) for item in hooks}
    assert weights["Job"] > weights["RoleBinding"] > max(weights["Role"], weights["ServiceAccount"])


def test_the_hook_is_restricted_and_stops_exactly_the_operators_pods(helm: str) -> None:
    found = objects(helm, *SOME)
    (job,) = of({"Job"}, found, hook=True)
    operator = next(item for item in found if item["kind"] == "Deployment")["spec"]["template"]
    template = job["spec"]["template"]
    (hook,), (main,) = template["spec"]["containers"], operator["spec"]["containers"]
    assert (hook["image"], hook["securityContext"]) == (main["image"], main["securityContext"])
    assert template["spec"]["securityContext"] == operator["spec"]["securityContext"]
    env = {entry["name"]: entry["value"] for entry in hook["env"]}
    assert env["SLUICE_OPERATOR_DEPLOYMENT"] == "sluice"
    assert env["SLUICE_NAMESPACES"] == "a,b"
    picks = dict(pair.split("=") for pair in env["SLUICE_OPERATOR_SELECTOR"].split(","))
    assert picks.items() <= operator["metadata"]["labels"].items()
    assert not picks.items() <= template["metadata"]["labels"].items(), "it would wait for itself"


def test_the_hook_reads_what_the_chart_says(helm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from sluice.uninstall import Where

    (job,) = of({"Job"}, objects(helm, *SOME), hook=True)
    for entry in job["spec"]["template"]["spec"]["containers"][0]["env"]:
        monkeypatch.setenv(entry["name"], entry["value"])
    assert Where().namespaces == ("a", "b")
    assert Where().operator_namespace == "sluice-system"


@pytest.mark.parametrize(
    ("uri", "port"),
    [("http://mlflow.mlflow.svc:5000", 5000), ("https://mlflow.example", 443), ("http://mlflow/path", 80)],
)
def test_the_network_policy_opens_what_the_operator_needs(helm: str, uri: str, port: int) -> None:
    assert of({"NetworkPolicy"}, objects(helm)) == []
    on = ("--set", "networkPolicy.enabled=true", "--set", f"mlflow.trackingUri={uri}")
    (policy,) = of({"NetworkPolicy"}, objects(helm, *on, *SOME))
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    rules = policy["spec"]["egress"]
    ports = {entry["port"] for rule in rules for entry in rule["ports"]}
    assert ports == {53, 443, 6443, 9090, port}
    (to,) = next(rule["to"] for rule in rules if "to" in rule)
    assert to["namespaceSelector"]["matchExpressions"][0]["values"] == ["a", "b"]


def test_the_network_policy_can_be_opened_and_narrowed(helm: str) -> None:
    values = (
        "--set", "networkPolicy.enabled=true", "--set", "networkPolicy.mlflowPort=8443",
        "--set-json", 'networkPolicy.ingressFrom=[{"podSelector":{}}]',
        "--set-json", 'networkPolicy.extraEgress=[{"ports":[{"port":3128}]}]',
    )  # fmt: skip
    (policy,) = of({"NetworkPolicy"}, objects(helm, *values))
    assert policy["spec"]["ingress"][0]["from"] == [{"podSelector": {}}]
    assert policy["spec"]["egress"][-1] == {"ports": [{"port": 3128}]}
    assert {"port": 8443, "protocol": "TCP"} in [p for rule in policy["spec"]["egress"] for p in rule["ports"]]
