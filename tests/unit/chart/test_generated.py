"""What is checked in is what would be generated, and it asks for no more than it needs. Without helm."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from sluice.kube import api

from hack.manifests import ROOT, chart_crds, files

OBJECTS: list[dict[str, Any]] = list(yaml.safe_load_all((ROOT / "manifests" / "install.yaml").read_text()))


def the(kind: str, name: str = "sluice") -> dict[str, Any]:
    return next(item for item in OBJECTS if (item["kind"], item["metadata"]["name"]) == (kind, name))


@pytest.mark.parametrize("path", [path for path, _ in files()], ids=lambda path: path.name)
def test_the_crd_is_current(path: Any) -> None:
    assert path.read_text() == dict(files())[path], "run `make manifests` and commit the result"


def of_chart() -> list[dict[str, Any]]:
    lines = [line for line in chart_crds().splitlines() if not line.startswith("{{-")]
    return list(yaml.safe_load_all("\n".join(lines)))


def test_helm_keeps_every_crd() -> None:
    assert of_chart()
    for crd in of_chart():
        assert crd["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


def test_the_crds_are_the_same_everywhere() -> None:
    plain = list(yaml.safe_load_all((ROOT / "manifests" / "crd.yaml").read_text()))
    assert [item for item in OBJECTS if item["kind"] == "CustomResourceDefinition"] == plain
    assert [crd["spec"] for crd in of_chart()] == [crd["spec"] for crd in plain]


def test_the_install_manifest_does_not_mention_helm() -> None:
    assert "helm" not in (ROOT / "manifests" / "install.yaml").read_text().replace("without Helm", "").lower()


def allowed() -> dict[tuple[str, str], set[str]]:
    return {
        (group, resource): set(rule["verbs"])
        for rule in the("ClusterRole")["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
    }


def test_the_role_covers_every_kind_that_the_operator_touches() -> None:
    kinds = [value for value in vars(api).values() if isinstance(value, api.Resource) and value is not api.LEASES]
    assert len(kinds) >= 8
    for kind in kinds:
        group = kind.api_version.rpartition("/")[0]
        assert allowed()[group, kind.plural] >= ({"create"} if kind is api.EVENTS else {"get", "list"})


def test_the_role_allows_nothing_dangerous() -> None:
    for (group, resource), verbs in allowed().items():
        assert "*" not in {group, resource} | verbs
        assert verbs <= {"get", "list", "watch", "create", "patch", "update", "delete"}
        assert resource not in {"secrets", "configmaps", "serviceaccounts", "roles", "clusterroles", "pods/exec"}
    assert allowed()["", "pods"] == {"get", "list", "watch"}
    assert not {"create", "delete"} & allowed()["sluice.dev", "modeldeployments"]


def test_the_pod_is_restricted() -> None:
    pod = the("Deployment")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "runAsGroup": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["command"] == ["python", "-m", "sluice"]


def test_the_environment_is_what_the_settings_read() -> None:
    from sluice.settings import Settings

    (container,) = the("Deployment")["spec"]["template"]["spec"]["containers"]
    values = {
        entry["name"].removeprefix("SLUICE_").lower(): entry["value"]
        for entry in container["env"]
        if entry["name"].startswith("SLUICE_")
    }
    assert set(values) <= set(Settings.model_fields)
    assert set(values) >= {name for name, field in Settings.model_fields.items() if field.is_required()}
    settings = Settings.model_validate(values)
    assert (settings.registry_poll_seconds, settings.log_level) == (5, "INFO")
    assert container["ports"] == [{"name": "health", "containerPort": settings.port}]


def test_the_operator_has_a_user_name_whatever_its_uid() -> None:
    (container,) = the("Deployment")["spec"]["template"]["spec"]["containers"]
    assert {"name": "USER", "value": "sluice"} in container["env"], "kopf fails without"
