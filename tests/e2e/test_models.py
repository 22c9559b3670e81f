"""Where models come from and how they are asked, on the real cluster: real MLflow, real gateway."""

from __future__ import annotations

import json
from typing import Any
from urllib.request import Request, urlopen

from sluice_training.data import request_rows

from hack.stack.install import MODEL
from tests.e2e.subject import Subject, is_true

BETTER = 2


def ask(url: str, body: Any = None) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the answer's JSON and headers."""
    data = None if body is None else json.dumps(body).encode()
    with urlopen(Request(url, data, {"Content-Type": "application/json"}), timeout=30) as response:
        return json.load(response), dict(response.headers)


def tensors(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows as inputs of the Open Inference Protocol, a column each."""
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    kinds = {name: "BYTES" if any(isinstance(v, str) for v in column) else "FP64" for name, column in columns.items()}
    return [{"name": n, "shape": [len(rows)], "datatype": kinds[n], "data": column} for n, column in columns.items()]


def test_the_open_inference_protocol_answers_through_the_gateway(subject: Subject) -> None:
    subject.install(BETTER)
    rows = [dict(row) for row in request_rows()[:20]]
    base = f"{subject.stack.gateway_url}/{subject.namespace}"
    expected, _ = ask(f"{base}/invocations", {"dataframe_records": rows})
    answer, headers = ask(f"{base}/v2/models/{MODEL}/infer", {"id": "r-1", "inputs": tensors(rows)})
    assert answer["outputs"][0]["data"] == expected["predictions"]
    assert (answer["model_name"], answer["model_version"], answer["id"]) == (MODEL, str(BETTER), "r-1")
    assert headers["x-sluice-revision"] == subject.status()["stable"]["name"]
    about, _ = ask(f"{base}/v2/models/{MODEL}/versions/{BETTER}")
    assert {column["name"] for column in about["inputs"]} == set(rows[0])
    assert ask(f"{base}/v2/health/ready")[0]["ready"] is True


def test_what_a_run_has_logged_is_served(subject: Subject) -> None:
    api = f"{subject.stack.mlflow_url}/api/2.0/mlflow"
    version = ask(f"{api}/model-versions/get?name={MODEL}&version={BETTER}")[0]["model_version"]
    run = ask(f"{api}/runs/get?run_id={version['run_id']}")[0]["run"]["info"]
    found = {"experiment_ids": [run["experiment_id"]], "filter": f"source_run_id = '{version['run_id']}'"}
    logged = ask(f"{api}/logged-models/search", found)[0]["models"][0]["info"]
    subject.apply(model={"uri": f"runs:/{version['run_id']}/{logged['name']}"})
    status = subject.until(lambda status: is_true(status, "Ready"), "the run's model serves")
    subject.until(lambda _: subject.answers(), "the gateway answers for it")
    stable = status["stable"]
    assert stable["source"] == logged["artifact_uri"]
    assert (stable["modelName"], stable["modelVersion"]) == (logged["name"], version["run_id"][:8])
    tags = {tag["key"]: tag["value"] for tag in version["tags"]}
    assert stable["digest"] == tags["sluice.dev/digest"], "the operator computes what the training computed"


def test_a_folder_of_an_artifact_store_is_served_by_its_digest(subject: Subject) -> None:
    api = f"{subject.stack.mlflow_url}/api/2.0/mlflow"
    version = ask(f"{api}/model-versions/get?name={MODEL}&version={BETTER}")[0]["model_version"]
    (digest,) = [tag["value"] for tag in version["tags"] if tag["key"] == "sluice.dev/digest"]
    folder = ask(f"{api}/model-versions/get-download-uri?name={MODEL}&version={BETTER}")[0]["artifact_uri"]
    assert folder.startswith("mlflow-artifacts:/")
    subject.apply(model={"uri": folder, "digest": digest})
    status = subject.until(lambda status: is_true(status, "Ready"), "the folder's model serves")
    assert (status["stable"]["source"], status["stable"]["digest"]) == (folder, digest)
    assert subject.answers()


def test_a_bucket_without_credentials_says_where_they_belong(subject: Subject) -> None:
    subject.apply(model={"uri": "s3://bucket/penguins", "digest": "sha256:" + "0a" * 32})
    status = subject.until(lambda status: "server.envFrom" in status.get("message", ""), "the store refuses")
    assert status["rollout"]["revision"]["source"] == "s3://bucket/penguins"
