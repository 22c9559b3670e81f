"""What a stored ModelDeployment looks like: defaults, unknown fields, columns, subresources, kubectl's words."""

from __future__ import annotations

import json
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from sluice.api.spec import ModelDeploymentSpec, parse_spec
from sluice.api.structural import without_nulls

from tests.integration.crd.sentences import KEEPS_ITS_WAY

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
SPEC = {"model": {"uri": "models:/penguins@champion"}, "traffic": {"gateway": {"name": "public"}}}
TABLE = "json;as=Table;v=v1;g=meta.k8s.io"


def deployment(name: str = "penguins", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "sluice.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": name},
        "spec": SPEC | spec,
    }


@pytest.fixture
def stored(server: Any, objects: str) -> Iterator[str]:
    """The path of a stored object; it is paused, because an operator may be running here."""
    name = f"stored-{uuid.uuid4().hex[:6]}"
    answer = server.call("POST", objects, deployment(name, replicas=2, paused=True))
    assert answer.ok, answer.message
    yield f"{objects}/{name}"
    server.call("DELETE", f"{objects}/{name}")


def test_the_server_fills_in_the_defaults_of_the_models(server: Any, objects: str) -> None:
    answer = server.call("POST", objects, deployment(), dryRun="All")
    assert answer.body["spec"] == without_nulls(ModelDeploymentSpec.model_validate(SPEC).to_kubernetes())
    assert "replicas" not in answer.body["spec"]
    assert parse_spec(answer.body["spec"]) == parse_spec(SPEC)


def test_nested_defaults_fill_what_is_left_out(server: Any, objects: str) -> None:
    body = deployment(analysis={"alpha": {"harm": 0.01}}, server={"workers": 3})
    spec = server.call("POST", objects, body, dryRun="All").body["spec"]
    assert spec["analysis"]["alpha"] == {"harm": 0.01, "safe": 0.05}
    assert spec["analysis"]["metrics"][0]["errorRate"] == {"marginRatio": 1.25, "marginAbsolute": 0.005}
    assert spec["server"]["threads"] == 4
    assert spec["server"]["resources"]["limits"] == {"memory": "1Gi"}


def test_an_unknown_strategy_is_refused_by_strict_validation(server: Any, objects: str) -> None:
    body = deployment(strategy={"bigBang": {}})
    answer = server.call("POST", objects, body, dryRun="All", fieldValidation="Strict")
    assert answer.status == 400
    assert 'unknown field "spec.strategy.bigBang"' in answer.message


def test_an_unknown_strategy_is_refused_after_pruning_too(server: Any, objects: str) -> None:
    answer = server.call("POST", objects, deployment(strategy={"bigBang": {}}), dryRun="All", fieldValidation="Ignore")
    assert answer.status == 422
    assert "a strategy is exactly one of canary" in answer.message


def test_other_unknown_fields_are_pruned_unless_strict(server: Any, objects: str) -> None:
    body = deployment(replica=3)
    assert "replica" not in server.call("POST", objects, body, dryRun="All").body["spec"]
    assert not server.call("POST", objects, body, dryRun="All", fieldValidation="Strict").ok


def test_status_is_written_only_through_its_subresource(server: Any, stored: str) -> None:
    patch = {"spec": {"replicas": 7}, "status": {"message": "hello"}}
    status = server.merge(f"{stored}/status", patch, dryRun="All").body
    assert (status["spec"]["replicas"], status["status"]["message"]) == (2, "hello")
    spec = server.merge(stored, patch, dryRun="All").body
    assert spec["spec"]["replicas"] == 7
    assert spec.get("status", {}).get("message") != "hello"
    assert spec["metadata"]["generation"] == status["metadata"]["generation"] + 1


def test_status_has_no_defaults(server: Any, stored: str) -> None:
    revision = {"name": "abc", "modelName": "penguins", "modelVersion": "7", "digest": "d", "image": "i"}
    answer = server.merge(f"{stored}/status", {"status": {"stable": revision}}, dryRun="All")
    assert answer.body["status"]["stable"] == revision


def test_scale_reads_and_writes_replicas(server: Any, stored: str) -> None:
    scale = server.call("GET", f"{stored}/scale")
    assert scale.body["kind"] == "Scale"
    assert scale.body["spec"] == {"replicas": 2}
    assert server.merge(f"{stored}/scale", {"spec": {"replicas": 5}}, dryRun="All").body["spec"] == {"replicas": 5}
    assert "spec.replicas" in server.merge(f"{stored}/scale", {"spec": {"replicas": -1}}, dryRun="All").message


def test_scale_says_who_counts_the_pods_where_the_load_does(server: Any, stored: str) -> None:
    autoscaled = {"spec": {"replicas": None, "autoscaling": {"minReplicas": 2, "maxReplicas": 5}}}
    assert server.merge(stored, autoscaled).ok
    answer = server.merge(f"{stored}/scale", {"spec": {"replicas": 5}}, dryRun="All")
    assert answer.status == 422
    assert "with autoscaling nobody else says how many pods there are: remove replicas" in answer.message
    assert server.merge(stored, {"spec": {"replicas": 2, "autoscaling": None}}).ok


def test_the_way_in_can_not_be_changed(server: Any, objects: str, stored: str) -> None:
    for without in ({"traffic": None}, {"traffic": {"gateway": None}}):
        answer = server.merge(stored, {"spec": without}, dryRun="All")
        assert answer.status == 422, answer
        assert KEEPS_ITS_WAY in answer.message
    assert server.merge(stored, {"spec": {"traffic": {"gateway": {"name": "another"}}}}, dryRun="All").ok
    plain = deployment(f"plain-{uuid.uuid4().hex[:6]}", paused=True)
    del plain["spec"]["traffic"]
    assert server.call("POST", objects, plain).ok
    path = f"{objects}/{plain['metadata']['name']}"
    answer = server.merge(path, {"spec": {"traffic": {"gateway": {"name": "public"}}}}, dryRun="All")
    assert KEEPS_ITS_WAY in answer.message
    assert server.merge(path, {"spec": {"traffic": {}, "replicas": 3}}, dryRun="All").ok
    server.call("DELETE", path)


def test_scale_reports_status_and_selector(server: Any, stored: str) -> None:
    wanted = {"replicas": 4, "selector": "app=x"}

    def written_and_read() -> bool:
        assert server.merge(f"{stored}/status", {"status": wanted}).ok
        return bool(server.call("GET", f"{stored}/scale").body["status"] == wanted)

    # An operator that runs here writes the same fields, so one look may come too late.
    assert any(written_and_read() for _ in range(5))


def test_the_columns_say_what_a_person_wants(server: Any, stored: str) -> None:
    def revision(version: str) -> dict[str, str]:
        return {"name": f"r{version}", "modelName": "penguins", "modelVersion": version, "digest": "d", "image": "i"}

    now = "2026-01-01T00:00:00.123Z"
    status = {
        "strategy": "canary",
        "stable": revision("1"),
        "rollout": {"revision": revision("2"), "startedAt": now, "stepStartedAt": now, "weight": 10},
        "challengers": "2",
        "weight": 10,
        "step": "2/4 analysis",
        "verdict": "Running",
        "ready": "3/3 + 1/1",
        "model": "penguins/1 → 2",
        "message": "waiting for evidence",
    }
    table = server.call(
        "PATCH", f"{stored}/status", {"status": status}, kind="merge-patch+json", accept=TABLE, dryRun="All"
    )
    assert table.body["kind"] == "Table", table
    cells = table.body["rows"][0]["cells"]
    names = [(column["name"], column["priority"]) for column in table.body["columnDefinitions"]]
    assert [name for name, priority in names if not priority] == (
        ["Name", "Strategy", "Stable", "Candidate", "Weight", "Step", "Verdict", "Ready", "Age"]
    )
    assert [name for name, priority in names if priority] == ["Model", "URI", "Message"]
    row = {name: cell for (name, _), cell in zip(names, cells, strict=True) if name not in ("Name", "Age")}
    assert row == {
        "Strategy": "canary",
        "Stable": "1",
        "Candidate": "2",
        "Weight": 10,
        "Step": "2/4 analysis",
        "Verdict": "Running",
        "Ready": "3/3 + 1/1",
        "Model": "penguins/1 → 2",
        "URI": "models:/penguins@champion",
        "Message": "waiting for evidence",
    }


def shown() -> Iterator[tuple[str, dict[str, Any]]]:
    """What people will copy."""
    for path in sorted((ROOT / "examples").glob("**/*.yaml")):
        for item in yaml.safe_load_all(path.read_text()):
            if item and item["kind"] == "ModelDeployment":
                yield path.name, item
    notes = (ROOT / "charts/sluice/templates/NOTES.txt").read_text()
    yield "NOTES.txt", yaml.safe_load(notes.partition("<<END\n")[2].partition("\nEND\n")[0])


@pytest.mark.parametrize("item", [pytest.param(item, id=name) for name, item in shown()])
def test_what_people_will_copy_is_accepted(item: dict[str, Any], server: Any, namespace: str, objects: str) -> None:
    item["metadata"]["namespace"] = namespace
    answer = server.call("POST", objects, item, dryRun="All", fieldValidation="Strict")
    assert answer.ok, answer.message


def test_kubectl_knows_the_short_name_and_says_what_is_wrong(kubectl: Any, namespace: str, stored: str) -> None:
    shown = kubectl("get", "md", "--namespace", namespace)
    assert shown.stdout.split()[:3] == ["NAME", "STRATEGY", "STABLE"]
    assert stored.rsplit("/", 1)[1] in shown.stdout
    assert stored.rsplit("/", 1)[1] in kubectl("get", "sluice", "--namespace", namespace).stdout

    def apply(body: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        arguments = ("apply", "--dry-run=server", "--namespace", namespace, "--filename", "-")
        result: subprocess.CompletedProcess[str] = kubectl(*arguments, text=json.dumps(body))
        return result

    assert "modeldeployment.sluice.dev/penguins created (server dry run)" in apply(deployment()).stdout
    assert 'unknown field "spec.strategy.bigBang"' in apply(deployment(strategy={"bigBang": {}})).stderr
    assert "spec.strategy.abTest.primary: Required value" in apply(deployment(strategy={"abTest": {}})).stderr
    assert "spec.replicas in body should be greater than or equal to 0" in apply(deployment(replicas=-1)).stderr
