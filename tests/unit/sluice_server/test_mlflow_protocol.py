"""A body means here what it means to MLflow's own server, which answers the same bodies as the oracle."""

import json
import math
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import numpy as np
import pandas as pd
import pytest
from mlflow.exceptions import MlflowException
from mlflow.pyfunc import scoring_server
from sluice_server.engine import Engine, load
from sluice_server.errors import RequestError
from sluice_server.protocols.mlflow import parse, render

from tests.unit.sluice_server import models

GOOD = {"length": 39.1, "mass": 3750.0, "island": "Dream"}
SPLIT = {"columns": ["length", "mass", "island"], "data": [[39.1, 3750.0, "Dream"], [50.0, 5700.0, "Biscoe"]]}
JSON = "application/json"

BODIES: dict[str, tuple[Any, str]] = {
    "split": ({"dataframe_split": SPLIT}, JSON),
    "split with index": ({"dataframe_split": {**SPLIT, "index": [7, 3]}}, JSON),
    "split without columns": ({"dataframe_split": {"data": SPLIT["data"]}}, JSON),
    "split with another field": ({"dataframe_split": {**SPLIT, "dtype": "f"}}, JSON),
    "split without data": ({"dataframe_split": {"columns": ["length"]}}, JSON),
    "split as a list": ({"dataframe_split": [GOOD]}, JSON),
    "split with ragged rows": ({"dataframe_split": {**SPLIT, "data": [[1.0], [1.0, 2.0, "Dream", 3]]}}, JSON),
    "records": ({"dataframe_records": [GOOD, GOOD]}, JSON),
    "records in another order": ({"dataframe_records": [dict(reversed(GOOD.items()))]}, JSON),
    "records with an extra column": ({"dataframe_records": [GOOD | {"year": 2007}]}, JSON),
    "records with null": ({"dataframe_records": [GOOD | {"mass": None}]}, JSON),
    "records with NaN": ('{"dataframe_records": [{"length": NaN, "mass": 1, "island": "Dream"}]}', JSON),
    "records without a required column": ({"dataframe_records": [{"length": 1.0, "mass": 2.0}]}, JSON),
    "records with an integer": ({"dataframe_records": [GOOD | {"mass": 3750}]}, JSON),
    "records with a number as text": ({"dataframe_records": [GOOD | {"mass": "3750"}]}, JSON),
    "records with words for a number": ({"dataframe_records": [GOOD | {"mass": "heavy"}]}, JSON),
    "records with a number for text": ({"dataframe_records": [GOOD | {"island": 5}]}, JSON),
    "records with a list for a number": ({"dataframe_records": [GOOD | {"mass": [1]}]}, JSON),
    "records as an object": ({"dataframe_records": GOOD}, JSON),
    "no records": ({"dataframe_records": []}, JSON),
    "records of numbers": ({"dataframe_records": [1, 2]}, JSON),
    "instances": ({"instances": [GOOD, GOOD]}, JSON),
    "instances without a required column": ({"instances": [{"length": 1.0, "mass": 2.0}]}, JSON),
    "instances of unequal length": ({"instances": [GOOD, {"length": 1.0}]}, JSON),
    "instances as rows": ({"instances": SPLIT["data"]}, JSON),
    "inputs": ({"inputs": {"length": [39.1], "mass": [3750.0], "island": ["Dream"]}}, JSON),
    "inputs as scalars": ({"inputs": GOOD}, JSON),
    "inputs as scalars without a column": ({"inputs": {"length": 1.0, "mass": 2.0}}, JSON),
    "inputs as records": ({"inputs": [GOOD]}, JSON),
    "inputs that are no data": ({"inputs": "Dream"}, JSON),
    "params": ({"dataframe_records": [GOOD], "params": {"temperature": 0.5}}, JSON),
    "params that are unknown": ({"dataframe_records": [GOOD], "params": {"colour": 1}}, JSON),
    "params of a wrong type": ({"dataframe_records": [GOOD], "params": {"temperature": "hot"}}, JSON),
    "params that are no object": ({"dataframe_records": [GOOD], "params": [1]}, JSON),
    "unknown keys beside the data": ({"dataframe_records": [GOOD], "id": 5}, JSON),
    "two forms": ({"dataframe_records": [GOOD], "instances": [GOOD]}, JSON),
    "no form": ({"rows": [GOOD]}, JSON),
    "an empty object": ({}, JSON),
    "a list": ([GOOD], JSON),
    "a number": (5, JSON),
    "no JSON": ("{", JSON),
    "nothing": ("", JSON),
    "no UTF-8": (b'{"dataframe_records": "\xff"}', JSON),
    "charset": ({"dataframe_records": [GOOD]}, "application/json; charset=UTF-8"),
    "another charset": ({"dataframe_records": [GOOD]}, "application/json; charset=latin-1"),
    "another parameter": ({"dataframe_records": [GOOD]}, "application/json; profile=x"),
    "another type": ({"dataframe_records": [GOOD]}, "application/xml"),
    "csv": ("length,mass,island\n39.1,3750,Dream\n50,,Biscoe\n", "text/csv"),
    "csv with charset": ("length,mass,island\n39.1,3750,Dream\n", "text/csv; charset=utf-8"),
    "csv without a required column": ("length,mass\n39.1,3750\n", "text/csv"),
    "csv with words for a number": ("length,mass,island\n39.1,heavy,Dream\n", "text/csv"),
    "csv of nothing": ("", "text/csv"),
    "csv that is no UTF-8": (b"length,mass,island\n1,2,\xff\n", "text/csv"),
}
TENSORS: dict[str, tuple[Any, str]] = {
    "inputs": ({"inputs": [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]}, JSON),
    "inputs of integers": ({"inputs": [[1, 2, 3]]}, JSON),
    "inputs of a wrong shape": ({"inputs": [[1.0, 2.0]]}, JSON),
    "inputs of text": ({"inputs": [["a", "b", "c"]]}, JSON),
    "ragged inputs": ({"inputs": [[1.0, 2.0, 3.0], [4.0]]}, JSON),
    "instances": ({"instances": [[1.0, 2.0, 3.0]]}, JSON),
    "a frame": ({"dataframe_split": {"data": [[1.0, 2.0, 3.0]]}}, JSON),
    "objects": ({"instances": [{"a": 1.0}]}, JSON),
}


def to_bytes(body: Any) -> bytes:
    if isinstance(body, bytes):
        return body
    return (body if isinstance(body, str) else json.dumps(body)).encode()


def ours(engine: Engine, body: bytes, content_type: str) -> tuple[int, Any]:
    try:
        request = parse(body, content_type, engine.input_schema)
        return 200, json.loads(render(engine.predict(request.data, request.params)))
    except RequestError as error:
        return (error.status, None) if error.message and "Traceback" not in error.message else (0, error.message)


def oracle(model: Any, body: bytes, content_type: str) -> tuple[int, Any]:
    try:
        answer = scoring_server.invocations(body, content_type, model, model.metadata.get_input_schema())
    except MlflowException as error:
        return error.get_http_status_code(), None
    return answer.status, json.loads(answer.response) if answer.status == 200 else None


@pytest.fixture(scope="module")
def tolerant_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return models.save(models.classifier(), tmp_path_factory.mktemp("models") / "tolerant")


@pytest.fixture(scope="module")
def tolerant(tolerant_dir: Path) -> Engine:
    return load(tolerant_dir, trust_pickle=False)


@pytest.fixture(scope="module")
def tolerant_oracle(tolerant_dir: Path) -> Any:
    return mlflow.pyfunc.load_model(str(tolerant_dir))


@pytest.fixture(scope="module")
def tensor_oracle(tensor_dir: Path) -> Any:
    return mlflow.pyfunc.load_model(str(tensor_dir))


@pytest.fixture(scope="module")
def tensor_engine(tensor_dir: Path) -> Engine:
    return load(tensor_dir, trust_pickle=False)


@pytest.mark.parametrize("name", BODIES)
def test_a_table_is_answered_like_by_mlflow(name: str, tolerant: Engine, tolerant_oracle: Any) -> None:
    body, content_type = BODIES[name]
    expected = oracle(tolerant_oracle, to_bytes(body), content_type)
    assert ours(tolerant, to_bytes(body), content_type) == expected


def test_deep_nesting_is_the_clients_fault_where_mlflow_crashes(tolerant: Engine) -> None:
    assert ours(tolerant, b"[" * 100_000, JSON)[0] == 400


@pytest.mark.parametrize("name", TENSORS)
def test_a_tensor_is_answered_like_by_mlflow(name: str, tensor_engine: Engine, tensor_oracle: Any) -> None:
    body, content_type = TENSORS[name]
    expected = oracle(tensor_oracle, to_bytes(body), content_type)
    assert ours(tensor_engine, to_bytes(body), content_type) == expected


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_records": [{"island": "Dream"}]},
        {"dataframe_split": {"columns": ["island"], "data": [["Dream"], ["Biscoe"]]}},
        {"instances": [{"island": "Dream"}]},
        {"inputs": {"island": ["Dream", "Biscoe"]}},
        {"inputs": [{"island": "Dream"}]},
        {"inputs": {"island": "Dream"}},
    ],
)
def test_an_optional_column_may_be_left_out_in_every_form(body: Any, tolerant: Engine) -> None:
    assert ours(tolerant, to_bytes(body), JSON)[0] == 200


def test_a_fault_of_the_model_is_500_where_mlflow_says_400(classifier: Engine, classifier_dir: Path) -> None:
    body = to_bytes({"dataframe_records": [GOOD | {"island": "Atlantis"}]})
    assert ours(classifier, body, JSON)[0] == 500
    assert oracle(mlflow.pyfunc.load_model(str(classifier_dir)), body, JSON)[0] == 400


@pytest.mark.parametrize("content_type", [None, "", "multipart/form-data"])
def test_a_missing_content_type_is_415(classifier: Engine, content_type: str | None) -> None:
    with pytest.raises(RequestError) as caught:
        parse(b"{}", content_type, classifier.input_schema)
    assert (caught.value.status, caught.value.code) == (415, "UNSUPPORTED_MEDIA_TYPE")


VALUES: dict[str, Any] = {
    "array": np.array([1.5, 2.5]),
    "integers": np.array([1, 2]),
    "matrix": np.array([[0.25, 0.75]]),
    "float32": np.array([0.1], dtype=np.float32),
    "booleans": np.array([True, False]),
    "texts": np.array(["a", "ä"]),
    "objects": np.array(["a", None, 1, b"bytes"], dtype=object),
    "dates": np.array(["2020-01-01"], dtype="datetime64[s]"),
    "list": [1, "a", None, {"x": [1.0]}],
    "scalar": np.float64(1.5),
    "numpy text": [np.str_("a")],
    "frame": pd.DataFrame({"x": [1, 2], "y": ["a", "b"]}),
    "frame with numbers as names": pd.DataFrame([[1.0, 2.0]]),
    "frame with times": pd.DataFrame({"t": pd.to_datetime(["2020-01-02 03:04:05.678"])}),
    "series": pd.Series([1.0, 2.0], name="y"),
    "series without a name": pd.Series([1.0, 2.0]),
}


@pytest.mark.parametrize("name", VALUES)
def test_predictions_are_written_like_by_mlflow(name: str) -> None:
    from io import StringIO

    expected = StringIO()
    scoring_server.predictions_to_json(VALUES[name], expected)
    assert json.loads(render(VALUES[name])) == json.loads(expected.getvalue())


@pytest.mark.parametrize(
    "value",
    [
        np.array([math.nan]),
        np.array([math.inf]),
        np.array([None]),
        [math.nan],
        [pd.NA],
        [pd.NaT],
        np.array([np.float32("nan")]),
    ],
)
def test_what_json_has_no_number_for_is_null(value: Any) -> None:
    assert render(value) == b'{"predictions":[null]}'


def test_what_json_cannot_express_is_an_error() -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        render([object()])
