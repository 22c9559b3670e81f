"""MLflow's scoring protocol: what `POST /invocations` takes and answers.

Parsing uses MLflow's own functions, so that a body means here what it means to `mlflow models serve`. Deliberate
differences, each covered by a test against MLflow's server:

- A fault of the model is 500 without a stack trace (MLflow: 400 with the trace).
- NaN and infinity are `null` in answers (MLflow writes bare `NaN`, which is not JSON). In requests they are accepted.
- A record may leave out a column that the signature calls optional (MLflow hands the model a table without it).
- A missing or unknown Content-Type is a JSON error with status 415 (MLflow: plain text, or a crash).
- No parquet (it needs pyarrow), and no bare chat or completion bodies (`messages`, `prompt`, `input`).
"""

import base64
import datetime
import json
from io import StringIO
from typing import Any, NamedTuple

import numpy as np
import orjson
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.types import DataType
from mlflow.utils.proto_json_utils import dataframe_from_parsed_json, parse_tf_serving_input

from sluice_server.errors import BadRequestError

FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")
_ONE_FORM = f"The body must be a JSON object with exactly one of {', '.join(FORMS)}"
_ORJSON = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_DATETIME
_ORJSON |= orjson.OPT_PASSTHROUGH_SUBCLASS


class Request(NamedTuple):
    """What the model is asked."""

    data: Any
    params: dict[str, Any] | None


def parse(body: bytes, content_type: str | None, schema: Any) -> Request:
    """Reads a request body; `schema` is the model's input schema, or None if it has none.

    Raises:
        BadRequestError: 415 for the wrong kind of body, 400 for one that cannot be read or does not fit the schema.
    """
    kind = _kind(content_type)
    try:
        asked = (
            Request(_from_csv(body, schema), None)
            if kind == "text/csv"
            else _from_json(decode(body, _ONE_FORM), schema)
        )
        return asked._replace(data=with_optional_columns(asked.data, schema))
    except MlflowException as error:
        raise BadRequestError(error.message, code=error.error_code) from error


def render(predictions: Any) -> bytes:
    """The answer's body.

    Raises:
        TypeError: the model returned something that JSON cannot express, or an integer beyond 64 bits.
    """
    return dumps({"predictions": plain(predictions)})


def dumps(value: Any) -> bytes:
    """Strict JSON for what models return."""
    return orjson.dumps(value, default=_other, option=_ORJSON)


def _kind(content_type: str | None) -> str:
    kind, *parameters = [part.strip() for part in (content_type or "").split(";")]
    if kind.lower() not in {"application/json", "text/csv"}:
        got = f"got '{content_type}'" if content_type else "the request has none"
        raise _unsupported(f"The Content-Type must be application/json or text/csv; {got}.")
    for parameter in filter(None, parameters):
        name, _, value = parameter.partition("=")
        if name.lower() != "charset" or value.strip('"').lower() != "utf-8":
            raise _unsupported(f"The only parameter allowed in the Content-Type is charset=utf-8; got '{parameter}'.")
    return kind.lower()


def _unsupported(message: str) -> BadRequestError:
    return BadRequestError(message, status=415, code="UNSUPPORTED_MEDIA_TYPE")


def decode(body: bytes, shape: str) -> dict[str, Any]:
    """JSON, and what Python's own json adds to it: clients that dump a DataFrame send NaN for missing values."""
    try:
        try:
            decoded = orjson.loads(body)
        except orjson.JSONDecodeError:
            decoded = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequestError(f"The body is not valid JSON: {error}.") from error
    if not isinstance(decoded, dict):
        raise BadRequestError(f"{shape}; got {type(decoded).__name__}.")
    return decoded


def _from_json(decoded: dict[str, Any], schema: Any) -> Request:
    data = {key: decoded[key] for key in FORMS if key in decoded}
    if len(data) != 1:
        raise BadRequestError(f"{_ONE_FORM}; got {', '.join(map(repr, decoded)) or 'none'}.")
    (form,) = data
    params = decoded.get("params")
    if form.startswith("dataframe_"):
        frame = dataframe_from_parsed_json(data[form], pandas_orient=form.removeprefix("dataframe_"), schema=schema)
        return Request(frame, params)
    return Request(parse_tf_serving_input(data, schema=schema), params)


def _from_csv(body: bytes, schema: Any) -> pd.DataFrame:
    types = dict(zip(schema.input_names(), schema.pandas_types(), strict=False)) if schema is not None else None
    try:
        return pd.read_csv(StringIO(body.decode()), dtype=types)
    except Exception as error:  # pandas raises nearly anything for text that is not a table
        raise BadRequestError(f"The body is not a CSV table that fits the model's signature: {error}.") from error


def with_optional_columns(data: Any, schema: Any) -> Any:
    """A missing value may be left out, also when it is missing in all rows of a request."""
    if schema is None or not schema.has_input_names():
        return data
    kinds = {name: schema.input_dict()[name].type for name in schema.optional_input_names()}
    missing = {
        name: None if np.dtype(kind.to_pandas()).kind == "O" else np.nan
        for name, kind in kinds.items()
        if isinstance(kind, DataType)
    }
    if not missing:
        return data
    if isinstance(data, pd.DataFrame):
        return data.assign(**{name: value for name, value in missing.items() if name not in data})
    if isinstance(data, dict):
        shape = np.shape(next(iter(data.values()), 0))
        return {name: np.full(shape, value) if shape else value for name, value in missing.items()} | data
    if isinstance(data, list) and all(isinstance(row, dict) for row in data):
        return [missing | row for row in data]
    return data


def plain(predictions: Any) -> Any:
    """Predictions as lists, dicts and scalars, as far as pandas and numpy are concerned."""
    if isinstance(predictions, pd.Series):
        predictions = predictions.to_frame()
    if isinstance(predictions, pd.DataFrame):
        return predictions.to_dict(orient="records")
    if isinstance(predictions, np.ndarray):
        return predictions.tolist()
    return predictions


def _other(value: Any) -> Any:
    """Types orjson does not know, or would write differently from MLflow."""
    if isinstance(value, bytes | bytearray):
        return base64.encodebytes(value).decode("ascii")
    if value is pd.NaT or value is pd.NA:
        return None
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, str):
        return str(value)
    raise TypeError
