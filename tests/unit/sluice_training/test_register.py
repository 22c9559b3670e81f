"""At a real tracking server: what a version carries, and that everybody computes the same digest of it."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import mlflow
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException
from mlflow.pyfunc.scoring_server import invocations
from sluice_server.checks.golden import read
from sluice_server.checks.scores import accuracy
from sluice_server.digest import digest, digest_directory
from sluice_training.data import FEATURES, request_rows
from sluice_training.errors import UserError
from sluice_training.register import DIGEST_TAG, Registered, register
from sluice_training.registry import Registry
from sluice_training.trained import Trained

from tests.unit.sluice_training import tracking

KINDS = ("first", "better", "failing", "broken", "slow")
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"


@pytest.fixture(scope="module")
def folders(
    registered: dict[str, Registered], tracking_uri: str, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """Every version as an init container downloads it."""
    mlflow.set_tracking_uri(tracking_uri)
    home = tmp_path_factory.mktemp("downloads")
    found = {}
    for kind, each in registered.items():
        uri = f"models:/{each.name}/{each.version}"
        found[kind] = Path(mlflow.artifacts.download_artifacts(uri, dst_path=str(home / kind)))
    return found


def test_versions_are_numbered_in_order(registered: dict[str, Registered]) -> None:
    assert [registered[kind].version for kind in KINDS] == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("kind", KINDS)
def test_the_tag_is_the_digest_of_what_mlflows_client_downloads(
    kind: str, folders: dict[str, Path], registered: dict[str, Registered], tracking_uri: str
) -> None:
    version = _get(tracking_uri, f"/api/2.0/mlflow/model-versions/get?name=penguins&version={registered[kind].version}")
    tags = {tag["key"]: tag["value"] for tag in version["model_version"]["tags"]}
    assert (folders[kind] / "registered_model_meta").exists()  # the client adds it, the digest leaves it out
    assert tags[DIGEST_TAG] == registered[kind].digest == digest_directory(folders[kind])


@pytest.mark.parametrize("kind", KINDS)
def test_the_tag_is_the_digest_of_what_the_rest_api_serves(
    kind: str, registered: dict[str, Registered], tracking_uri: str
) -> None:
    version = registered[kind].version
    place = _get(tracking_uri, f"/api/2.0/mlflow/model-versions/get-download-uri?name=penguins&version={version}")
    root = place["artifact_uri"].removeprefix("mlflow-artifacts:/")
    assert digest(_listed(tracking_uri, root, "")) == registered[kind].digest


def test_versions_have_different_digests(registered: dict[str, Registered]) -> None:
    assert len({each.digest for each in registered.values()}) == 5


def test_the_signature_names_every_feature_and_the_model_is_safe(folders: dict[str, Path]) -> None:
    for folder in folders.values():
        model = mlflow.models.Model.load(str(folder))
        assert tuple(model.signature.inputs.input_names()) == FEATURES
        assert model.flavors["sklearn"]["serialization_format"] == "skops"
        assert (folder / "model.skops").exists()
        assert not list(folder.glob("*.pkl"))


@pytest.mark.parametrize("kind", KINDS)
def test_the_saved_input_example_works(kind: str, folders: dict[str, Path]) -> None:
    body = (folders[kind] / "serving_input_example.json").read_text()
    status, answer = _invoke(folders[kind], body)
    assert status == 200
    assert json.loads(answer)["predictions"][0] in {"Adelie", "Gentoo", "Chinstrap"}


def test_the_good_version_answers_rows_as_clients_send_them(folders: dict[str, Path]) -> None:
    status, answer = _invoke(folders["better"], json.dumps({"dataframe_records": request_rows()}))
    assert status == 200
    assert len(json.loads(answer)["predictions"]) == 344


@pytest.mark.parametrize("kind", KINDS)
def test_the_model_server_loads_every_version_and_answers_its_example(
    kind: str, folders: dict[str, Path], demo: dict[str, Trained]
) -> None:
    from sluice_server.engine import load

    assert len(load(folders[kind], trust_pickle=False).predict(demo[kind].example, None)) == 1


@pytest.mark.parametrize("gap", ["sex", "island", "body_mass_g"])
def test_a_single_row_with_a_gap_is_answered(gap: str, folders: dict[str, Path]) -> None:
    row = request_rows()[0] | {gap: None}
    assert _invoke(folders["better"], json.dumps({"dataframe_records": [row]}))[0] == 200


@pytest.mark.parametrize(
    ("kind", "island", "works"),
    [("failing", "Torgersen", False), ("failing", "Biscoe", True), ("broken", "Biscoe", False)],
)
def test_the_bad_versions_depend_on_the_island(kind: str, island: str, works: bool, folders: dict[str, Path]) -> None:
    body = json.dumps({"dataframe_records": [next(row for row in request_rows() if row["island"] == island)]})
    if works:
        assert _invoke(folders[kind], body)[0] == 200
    else:
        with pytest.raises(MlflowException, match="unexpected error while evaluating the model") as raised:
            _invoke(folders[kind], body)
        assert "Found unknown categories" in str(raised.value.json_kwargs["stack_trace"])


def test_the_run_holds_parameters_and_figures(registered: dict[str, Registered], tracking_uri: str) -> None:
    run = mlflow.MlflowClient(tracking_uri).get_run(registered["better"].run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params == {"kind": "better", "model": "logistic", "rows": "258", "seed": "0"}
    assert run.data.metrics["heldout/accuracy"] > 0.97
    assert "heldout/sex/unknown/mae" in run.data.metrics


def test_the_alias_moves(registered: dict[str, Registered], tracking_uri: str) -> None:
    registry = Registry(tracking_uri)
    for kind in ("first", "better", "first"):
        registry.set_alias("penguins", "champion", registered[kind].version)
        assert registry.version_of("penguins", "champion")["version"] == str(registered[kind].version)


def test_a_model_that_fails_its_own_example_is_not_registered(demo: dict[str, Trained]) -> None:
    bad = Trained(**{**vars(demo["failing"]), "example": demo["better"].example})  # a row from Torgersen
    with pytest.raises(UserError, match="does not answer its own input example"):
        register(bad, name="never", tracking_uri="http://127.0.0.1:1")


def _get(uri: str, path: str) -> dict[str, Any]:
    status, body = tracking.get(urlsplit(uri).port or 0, path)
    assert status == 200, body
    return dict(json.loads(body))


def _listed(uri: str, root: str, folder: str) -> Iterator[tuple[str, int, str]]:
    """All files with size and hash, through the artifact proxy only."""
    place = f"{root}/{folder}".rstrip("/")
    for entry in _get(uri, f"{ARTIFACTS}?path={quote(place, safe='')}").get("files", []):
        path = f"{folder}/{entry['path']}".lstrip("/")
        if entry["is_dir"]:
            yield from _listed(uri, root, path)
        else:
            status, content = tracking.get(urlsplit(uri).port or 0, f"{ARTIFACTS}/{quote(f'{root}/{path}')}")
            assert (status, len(content)) == (200, entry["file_size"])
            yield path, len(content), hashlib.sha256(content).hexdigest()


def _invoke(folder: Path, body: str) -> tuple[int, str]:
    """Ask MLflow's own scoring code, without a server."""
    model = mlflow.pyfunc.load_model(str(folder))
    result = invocations(body, "application/json", model, model.metadata.get_input_schema())
    return int(result.status), str(result.response)


@pytest.mark.parametrize("kind", ["first", "better"])
def test_a_version_brings_the_rows_it_was_judged_by(
    kind: str, folders: dict[str, Path], demo: dict[str, Trained]
) -> None:
    rows = read(folders[kind], kind)
    assert rows.columns == FEATURES
    assert len(rows.labels) == demo[kind].evaluation.whole.rows
    table = pd.DataFrame(list(rows.data), columns=list(rows.columns))
    said = list(mlflow.pyfunc.load_model(str(folders[kind])).predict(table.astype({"year": "int64"})))
    scores = demo[kind].evaluation.whole.scores
    assert scores
    assert accuracy(said, rows.labels).value == pytest.approx(scores.accuracy)
