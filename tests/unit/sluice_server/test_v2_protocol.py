"""The Open Inference Protocol V2: a request means what the same rows mean to MLflow, and every mistake is explained."""

import json
import math
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import sluice_server
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from mlflow.types import ColSpec, DataType, Schema, TensorSpec
from sluice_server.app import create_app
from sluice_server.engine import Engine, load
from sluice_server.errors import BadRequestError
from sluice_server.protocols import v2
from sluice_server.settings import Settings

from tests.unit.sluice_server import models

NAMED: dict[str, Any] = {"model_name": "penguins", "model_version": "7", "revision": "6d8f"}
COLUMNS = ["length", "mass", "island"]
ROWS: list[list[Any]] = [[39.1, None, "Dream"], [50.0, 5700.0, "Biscoe"], [46.5, 4500.0, "Torgersen"]]


def tensor(name: str, datatype: str, data: list[Any], shape: list[int] | None = None, **more: Any) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape or [len(data)], "data": data} | more


def columns(rows: list[list[Any]] = ROWS) -> list[dict[str, Any]]:
    length, mass, island = (list(column) for column in zip(*rows, strict=True))
    return [tensor("length", "FP64", length), tensor("mass", "FP64", mass), tensor("island", "BYTES", island)]


def said(answer: Any) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(answer.data)
    return body


@pytest.fixture(scope="module")
def client(classifier: Engine) -> FlaskClient:
    return create_app(classifier, Settings(**NAMED)).test_client()


@pytest.fixture(scope="module")
def tensors(tensor_dir: Path) -> FlaskClient:
    return create_app(load(tensor_dir, trust_pickle=False), Settings(**NAMED)).test_client()


def infer(client: FlaskClient, *inputs: Any, path: str = "/v2/models/penguins/infer", **more: Any) -> Any:
    return client.post(path, json={"inputs": list(inputs)} | more)


def test_the_server_and_its_model_say_that_they_live(client: FlaskClient) -> None:
    for path in ("/v2", "/v2/"):
        assert said(client.get(path)) == {"name": "sluice", "version": sluice_server.__version__, "extensions": []}
    assert said(client.get("/v2/health/live")) == {"live": True}
    assert said(client.get("/v2/health/ready")) == {"ready": True, "live": True}
    for version in ("", "/versions/7"):
        assert said(client.get(f"/v2/models/penguins{version}/ready")) == {"name": "penguins", "ready": True}


def test_the_version_is_the_projects() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())["project"]
    assert sluice_server.__version__ == project["version"]


@pytest.mark.parametrize("version", ["", "/versions/7"])
def test_the_metadata_are_those_of_the_signature(client: FlaskClient, version: str) -> None:
    assert said(client.get(f"/v2/models/penguins{version}")) == {
        "name": "penguins",
        "versions": ["7"],
        "platform": "mlflow",
        "inputs": [
            {"name": "length", "datatype": "FP64", "shape": [-1]},
            {"name": "mass", "datatype": "FP64", "shape": [-1]},
            {"name": "island", "datatype": "BYTES", "shape": [-1]},
        ],
        "outputs": [{"name": "predictions", "datatype": "BYTES", "shape": [-1]}],
    }


def test_the_metadata_of_a_tensor(tensors: FlaskClient) -> None:
    about = said(tensors.get("/v2/models/penguins"))
    assert about["inputs"] == [{"name": "input", "datatype": "FP64", "shape": [-1, 3]}]
    assert about["outputs"] == [{"name": "predictions", "datatype": "FP64", "shape": [-1]}]


def test_a_model_without_a_signature_says_nothing() -> None:
    assert v2.metadata("m", "1", None, None)["inputs"] == []


@pytest.mark.parametrize("version", ["", "/versions/7"])
def test_rows_are_answered_like_at_invocations(client: FlaskClient, version: str) -> None:
    expected = said(client.post("/invocations", json={"dataframe_split": {"columns": COLUMNS, "data": ROWS}}))
    answer = infer(client, *columns(), id="r-1", path=f"/v2/models/penguins{version}/infer")
    assert answer.status_code == 200, answer.data
    assert answer.content_type == "application/json"
    assert said(answer) == {
        "model_name": "penguins",
        "model_version": "7",
        "id": "r-1",
        "outputs": [tensor("predictions", "BYTES", expected["predictions"])],
    }
    assert (answer.headers["x-sluice-revision"], answer.headers["x-sluice-model-version"]) == ("6d8f", "7")


@pytest.mark.parametrize(
    "inputs",
    [
        [dict(column, shape=[3, 1]) for column in columns()],
        [dict(column, shape=[3, 1], data=[[value] for value in column["data"]]) for column in columns()],
        list(reversed(columns())),
        [*columns(), tensor("year", "INT64", [2007, 2008, 2009])],
        [dict(column, parameters={"content_type": "np"}) for column in columns()],
    ],
    ids=["flat", "nested", "another order", "an extra column", "parameters"],
)
def test_the_same_rows_in_another_form(client: FlaskClient, inputs: list[dict[str, Any]]) -> None:
    assert said(infer(client, *inputs))["outputs"] == said(infer(client, *columns()))["outputs"]


def test_an_optional_column_may_be_left_out_and_values_may_be_nan(client: FlaskClient) -> None:
    expected = said(infer(client, tensor("length", "FP64", [None]), tensor("island", "BYTES", ["Dream"])))["outputs"]
    assert expected == said(infer(client, tensor("island", "BYTES", ["Dream"])))["outputs"]
    nan = '{"inputs": [{"name": "length", "datatype": "FP64", "shape": [1], "data": [NaN]}, '
    nan += '{"name": "island", "datatype": "BYTES", "shape": [1], "data": ["Dream"]}]}'
    assert said(client.post("/v2/models/penguins/infer", data=nan))["outputs"] == expected


def test_integers_are_as_good_as_in_json(client: FlaskClient) -> None:
    inputs = [tensor("mass", "INT32", [3750]), tensor("length", "FP32", [39.5]), tensor("island", "BYTES", ["Dream"])]
    rows = [{"mass": 3750, "length": 39.5, "island": "Dream"}]
    expected = said(client.post("/invocations", json={"dataframe_records": rows}))["predictions"]
    assert said(infer(client, *inputs))["outputs"][0]["data"] == expected


def test_params_of_the_signature_are_passed_on_and_others_ignored(client: FlaskClient) -> None:
    assert infer(client, *columns(), parameters={"temperature": 0.5, "binary_data_output": False}).status_code == 200
    refused = infer(client, *columns(), parameters={"temperature": "hot"})
    assert (refused.status_code, "temperature" in said(refused)["error"]) == (400, True)


def test_only_the_outputs_asked_for(client: FlaskClient) -> None:
    names = [output["name"] for output in said(infer(client, *columns(), outputs=[{"name": "predictions"}]))["outputs"]]
    assert names == ["predictions"]
    refused = infer(client, *columns(), outputs=[{"name": "probability"}])
    assert refused.status_code == 400
    assert said(refused) == {"error": "The model has no output 'probability': ask for predictions."}


@pytest.mark.parametrize("name", ["input", "x", "anything"])
@pytest.mark.parametrize("datatype", ["FP64", "FP32", "INT32", "UINT8"])
def test_a_tensor_is_answered_whatever_its_name_and_upcast(tensors: FlaskClient, name: str, datatype: str) -> None:
    answer = said(infer(tensors, tensor(name, datatype, [1, 2, 3, 4, 5, 6], [2, 3])))
    (output,) = answer["outputs"]
    assert (output["name"], output["datatype"], output["shape"]) == ("predictions", "FP64", [2])
    assert output["data"] == pytest.approx([6, 15])


@pytest.mark.parametrize("path", ["", "/ready", "/infer"])
@pytest.mark.parametrize("model", ["whales", "penguins/versions/8"])
def test_another_model_or_version_is_404_and_says_what_is_here(client: FlaskClient, model: str, path: str) -> None:
    method = "POST" if path == "/infer" else "GET"
    answer = client.open(f"/v2/models/{model}{path}", method=method, json={"inputs": columns()})
    assert answer.status_code == 404
    assert list(said(answer)) == ["error"]
    assert "'penguins'" in said(answer)["error"]


def test_every_error_of_this_protocol_has_its_form(client: FlaskClient) -> None:
    assert (client.get("/v2/nothing").status_code, list(said(client.get("/v2/nothing")))) == (404, ["error"])
    assert client.get("/v2/models/penguins/infer").status_code == 405
    failed = infer(client, *columns([[39.1, 1.0, "Atlantis"]]))
    assert (failed.status_code, "Traceback" in said(failed)["error"]) == (500, False)


def wrong(**changes: Any) -> list[dict[str, Any]]:
    return [tensor("length", "FP64", [1.0, 2.0]) | changes]


BAD: dict[str, tuple[Any, str]] = {
    "no JSON": (b"{", "not valid JSON"),
    "a list": ([], "with inputs, a list of tensors"),
    "no inputs": ({}, "with inputs, a list of tensors"),
    "inputs of nothing": ({"inputs": []}, "with inputs, a list of tensors"),
    "inputs as an object": ({"inputs": {}}, "with inputs, a list of tensors"),
    "an input that is none": ({"inputs": [5]}, "name, shape, datatype and data"),
    "an input without a name": ({"inputs": [{"data": [1]}]}, "name, shape, datatype and data"),
    "two of one name": ({"inputs": [*columns(), *columns()]}, "give each its own"),
    "an id that is a number": ({"inputs": columns(), "id": 5}, "must be a text"),
    "parameters as a list": ({"inputs": columns(), "parameters": []}, "must be a JSON object"),
    "outputs as names": ({"inputs": columns(), "outputs": ["predictions"]}, "objects with a name"),
    "unknown datatype": ({"inputs": wrong(datatype="FP65")}, "write one of BOOL, INT8"),
    "datatype that is none": ({"inputs": wrong(datatype=["FP64"])}, "write one of BOOL, INT8"),
    "no shape": ({"inputs": wrong(shape=None)}, "list of whole numbers"),
    "negative shape": ({"inputs": wrong(shape=[-1])}, "list of whole numbers"),
    "shape with true": ({"inputs": wrong(shape=[2, True])}, "list of whole numbers"),
    "shape without end": ({"inputs": wrong(shape=[1] * 40)}, "dimensions"),
    "shape of another size": ({"inputs": wrong(shape=[3])}, "has 2 values, but its shape [3] holds 3"),
    "shape of a matrix": ({"inputs": wrong(shape=[1, 2])}, "send one input for each column"),
    "no data": ({"inputs": wrong(data=None)}, "send a list"),
    "binary data": ({"inputs": wrong(parameters={"binary_data_size": 16}, data=None)}, "binary_data=False"),
    "ragged numbers": ({"inputs": wrong(data=[[1.0], [2.0, 3.0]])}, "ragged"),
    "ragged texts": ({"inputs": [tensor("island", "BYTES", [["a"], "b"], [2])]}, "ragged"),
    "text for a number": ({"inputs": wrong(data=[1.0, "2"])}, "values that are not FP64"),
    "true for a number": ({"inputs": wrong(data=[True, False])}, "values that are not FP64"),
    "fraction for an integer": ({"inputs": wrong(datatype="INT64", data=[1.5, 2])}, "values that are not INT64"),
    "null for an integer": ({"inputs": wrong(datatype="INT64", data=[1, None])}, "missing values is sent as FP64"),
    "number for a boolean": ({"inputs": wrong(datatype="BOOL", data=[1, 0])}, "values that are not BOOL"),
    "large for INT8": ({"inputs": wrong(datatype="INT8", data=[1, 128])}, "beyond the range of INT8"),
    "negative for UINT8": ({"inputs": wrong(datatype="UINT8", data=[1, -1])}, "beyond the range of UINT8"),
    "large for FP32": ({"inputs": wrong(datatype="FP32", data=[1, 1e300])}, "beyond the range of FP32"),
    "larger than 64 bits": ({"inputs": wrong(datatype="INT64", data=[1, 2**70])}, "values that are not INT64"),
    "number for a text": ({"inputs": [tensor("island", "BYTES", ["a", 5])]}, "JSON strings, or null"),
    "columns of two lengths": ({"inputs": [tensor("length", "FP64", [1.0, 2.0]), *columns()[2:]]}, "rows"),
    "a column missing": ({"inputs": columns()[:2]}, "island"),
}


@pytest.mark.parametrize("case", BAD)
def test_every_mistake_is_400_and_explained(client: FlaskClient, case: str) -> None:
    body, words = BAD[case]
    answer = client.post("/v2/models/penguins/infer", data=body if isinstance(body, bytes) else json.dumps(body))
    assert answer.status_code == 400, answer.data
    assert words in said(answer)["error"]
    assert list(said(answer)) == ["error"]


def test_a_binary_body_is_400(client: FlaskClient) -> None:
    answer = client.post("/v2/models/penguins/infer", data=b"{}", headers={"Inference-Header-Content-Length": "2"})
    assert (answer.status_code, "binary_data=False" in said(answer)["error"]) == (400, True)


@pytest.mark.parametrize(
    ("shape", "words"), [([2, 2], "shape"), ([4], "shape"), ([1, 4], "shape"), ([0, 3], "has 4 values")]
)
def test_a_tensor_of_another_shape_is_refused_by_the_signature(
    tensors: FlaskClient, shape: list[int], words: str
) -> None:
    answer = infer(tensors, tensor("input", "FP64", [1, 2, 3, 4], shape))
    assert (answer.status_code, words in said(answer)["error"]) == (400, True)


def test_a_tensor_that_would_lose_precision_or_is_not_alone_is_refused(tensors: FlaskClient) -> None:
    assert infer(tensors, tensor("input", "BYTES", ["a", "b", "c"], [1, 3])).status_code == 400
    two = [tensor(name, "FP64", [1, 2, 3], [1, 3]) for name in "ab"]
    assert "takes one tensor" in said(infer(tensors, *two))["error"]


def request(*inputs: dict[str, Any]) -> bytes:
    return json.dumps({"inputs": inputs}).encode()


def test_without_a_schema_one_tensor_is_an_array_and_several_are_a_table() -> None:
    one = v2.parse(request(tensor("x", "FP32", [1, 2, 3, 4], [2, 2])), None).data
    assert (one.dtype, one.tolist()) == (np.float32, [[1, 2], [3, 4]])
    table = v2.parse(request(tensor("a", "INT64", [1, 2]), tensor("b", "BYTES", ["x", None])), None).data
    assert isinstance(table, pd.DataFrame)
    assert (str(table["a"].dtype), table["b"].tolist()) == ("int64", ["x", None])


def test_named_tensors_are_passed_by_name() -> None:
    schema = Schema([TensorSpec(np.dtype("float64"), (-1, 2), "a"), TensorSpec(np.dtype("int64"), (-1,), "b")])
    data = v2.parse(request(tensor("a", "FP32", [1, 2], [1, 2]), tensor("b", "INT8", [5])), schema).data
    assert (data["a"].dtype, data["b"].dtype) == (np.float64, np.int64)


def test_columns_without_names_are_one_matrix() -> None:
    schema = Schema([ColSpec(DataType.double), ColSpec(DataType.double)])
    table = v2.parse(request(tensor("x", "FP32", [1, 2, 3, 4], [2, 2])), schema).data
    assert (table.dtypes.tolist(), table.to_numpy().tolist()) == ([np.float64] * 2, [[1, 2], [3, 4]])


ASKED = v2.Request(None, None, {}, ())
ANSWERS: dict[str, tuple[Any, list[dict[str, Any]]]] = {
    "numbers": (np.array([1.5, math.nan]), [tensor("predictions", "FP64", [1.5, None])]),
    "float32": (np.array([0.5], np.float32), [tensor("predictions", "FP32", [0.5])]),
    "integers": (np.array([1, 2]), [tensor("predictions", "INT64", [1, 2])]),
    "booleans": (np.array([True, False]), [tensor("predictions", "BOOL", [True, False])]),
    "texts": (np.array(["a", "ä"]), [tensor("predictions", "BYTES", ["a", "ä"])]),
    "objects": (np.array(["a", None, 1], object), [tensor("predictions", "BYTES", ["a", None, "1"])]),
    "matrix": (np.array([[0.25, 0.75]]), [tensor("predictions", "FP64", [0.25, 0.75], [1, 2])]),
    "columns of it": (np.array([[1, 2], [3, 4]]).T, [tensor("predictions", "INT64", [1, 3, 2, 4], [2, 2])]),
    "dates": (np.array(["2020-01-01"], "datetime64[s]"), [tensor("predictions", "BYTES", ["2020-01-01T00:00:00"])]),
    "list": ([1, 2], [tensor("predictions", "INT64", [1, 2])]),
    "rows": ([[1, 2], [3, 4]], [tensor("predictions", "INT64", [1, 2, 3, 4], [2, 2])]),
    "ragged rows": ([[1], [2, 3]], [tensor("predictions", "BYTES", ["[1]", "[2,3]"])]),
    "objects in a list": ([{"a": 1}], [tensor("predictions", "BYTES", ['{"a":1}'])]),
    "scalar": (np.float64(1.5), [tensor("predictions", "FP64", [1.5])]),
    "series": (pd.Series([1.0]), [tensor("predictions", "FP64", [1.0])]),
    "frame": (
        pd.DataFrame({"x": [1], "y": ["a"], "z": [math.nan]}),
        [tensor("x", "INT64", [1]), tensor("y", "BYTES", ["a"]), tensor("z", "FP64", [None])],
    ),
    "named": ({"a": np.array([1.0])}, [tensor("a", "FP64", [1.0])]),
    "nothing": ([], [tensor("predictions", "FP64", [])]),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_whatever_a_model_returns_is_tensors(case: str) -> None:
    returned, outputs = ANSWERS[case]
    answer = json.loads(v2.render(returned, ASKED, model="m", version="1"))
    assert answer == {"model_name": "m", "model_version": "1", "outputs": outputs}


def test_an_output_has_the_name_of_the_signature() -> None:
    schema = Schema([ColSpec(DataType.string, "species")])
    answer = json.loads(v2.render(np.array(["a"]), ASKED, model="m", version="1", schema=schema))
    assert answer["outputs"][0]["name"] == v2.metadata("m", "1", None, schema)["outputs"][0]["name"] == "species"


def extremes(dtype: np.dtype) -> st.SearchStrategy[Any]:
    if dtype.kind == "b":
        return st.booleans()
    if dtype.kind == "f":
        width: Any = dtype.itemsize * 8
        return st.floats(width=width, allow_nan=False, allow_infinity=False)
    return st.integers(int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))


@pytest.mark.parametrize("values", [[0, 2**63], [2**64 - 1, 1], [2**63]])
def test_large_unsigned_numbers_keep_every_bit(values: list[int]) -> None:
    assert v2.parse(request(tensor("x", "UINT64", values)), None).data.tolist() == values


@pytest.mark.parametrize("values", [[-1, 2**63], [0.5, 2**63], [0, 2**64]])
def test_numbers_that_are_no_unsigned_ones_are_refused(values: list[float]) -> None:
    with pytest.raises(BadRequestError, match="'x'"):
        v2.parse(request(tensor("x", "UINT64", values)), None)


@given(st.data(), st.sampled_from([name for name in v2.DATATYPES if name != "BYTES"]))
def test_numbers_come_out_as_they_went_in(data: st.DataObject, datatype: str) -> None:
    values = data.draw(st.lists(extremes(v2.DATATYPES[datatype]), min_size=1, max_size=5))
    read = v2.parse(request(tensor("x", datatype, values)), None).data
    assert read.dtype == v2.DATATYPES[datatype]
    (output,) = json.loads(v2.render(read, ASKED, model="m", version="1"))["outputs"]
    assert (output["datatype"], output["shape"]) == (datatype, [len(values)])
    dtype = v2.DATATYPES[datatype]  # single precision is written with as many digits as it needs
    assert np.array_equal(np.array(output["data"], dtype), np.array(values, dtype))


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists, max_leaves=8))
def test_no_data_makes_anything_but_a_tensor_or_a_sentence(data: Any) -> None:
    for datatype in v2.DATATYPES:
        with suppress(BadRequestError):
            v2.parse(request(tensor("x", datatype, data if isinstance(data, list) else [data], [1])), None)


def test_predictions_are_counted_and_the_rest_is_not(server: Any) -> None:
    from tests.unit.sluice_server.running import ask

    before = server.requests()
    with server.connect() as connection:
        for body, status in (({"inputs": columns()}, 200), ({"inputs": columns([[1, 1, "Atlantis"]])}, 500), ({}, 400)):
            answer = ask(
                connection,
                "POST",
                "/v2/models/penguins/infer",
                json.dumps(body).encode(),
                x_sluice_assignment="random",
            )
            assert answer.status == status
        for path in ("/v2/models/penguins", "/v2/health/ready"):
            assert ask(connection, "GET", path).status == 200
    after = server.requests()
    counted = {key: after[key] - before[key] for key in after if after[key] != before[key]}
    assert counted == {("random", "ok"): 1, ("random", "error"): 1, ("random", "client_error"): 1}


def test_models_of_trees_answer_too(tmp_path: Path) -> None:
    engine = load(models.save_trees(tmp_path / "trees", boosted=False), trust_pickle=False)
    client = create_app(engine, Settings(**NAMED)).test_client()
    answer = infer(client, tensor("x", "INT64", [1, 2]), tensor("y", "FP64", [0.5, 1.0]))
    assert (answer.status_code, said(answer)["outputs"][0]["shape"]) == (200, [2])
