"""The Open Inference Protocol V2 in JSON: what `POST /v2/models/NAME/infer` takes and answers.

Inputs are tensors. For a model with named columns each is one column, of shape [rows] or [rows, 1]; its values are then
read as MLflow reads a table, so that a request means here what it means at `/invocations`. For a model that takes a
tensor it is that tensor, whatever its name. A missing value is `null` (or NaN), in FP and BYTES; integers and booleans
have none, so such a column is sent as FP64.

Not here yet: the binary extension, gRPC, columns of arrays or objects. An answer's BYTES are texts; what is neither
number nor text is written as JSON.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from contextlib import suppress
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.types import DataType
from mlflow.utils.proto_json_utils import cast_df_types_according_to_schema

from sluice_server.errors import BadRequestError
from sluice_server.protocols.mlflow import decode, dumps, with_optional_columns

DATATYPES = {
    "BOOL": np.dtype(bool),
    **{f"{kind}{bits}": np.dtype(f"{kind.lower()}{bits}") for kind in ("INT", "UINT") for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": np.dtype(f"float{bits}") for bits in (16, 32, 64)},
    "BYTES": np.dtype(object),
}
_NAMES = {dtype: name for name, dtype in DATATYPES.items()}
_KINDS = {"b": "b", "i": "iu", "u": "iu", "f": "fiu"}  # what numpy makes of JSON that a kind of datatype accepts
_OF_COLUMNS = {
    DataType.boolean: "BOOL",
    DataType.integer: "INT32",
    DataType.long: "INT64",
    DataType.float: "FP32",
    DataType.double: "FP64",
}
_SHAPE = "The body must be a JSON object with inputs, a list of tensors"
_NUMBERS_AND_MISSING = {int, float, type(None)}
_TEXTS_AND_MISSING = {str, type(None)}
_LARGEST_RANK = 32
# The names where the signature has none.
INPUT, OUTPUT = "input", "predictions"


class Request(NamedTuple):
    """What the model is asked; `outputs` are the names of those wanted, all if empty."""

    id: str | None
    data: Any
    params: dict[str, Any]
    outputs: tuple[str, ...]


def parse(body: bytes, schema: Any, params: Iterable[str] = ()) -> Request:
    """Reads a request; `schema` is the model's input schema or None, `params` the names its signature has for them.

    Raises:
        BadRequestError: it is no such request, or does not fit the schema.
    """
    asked = decode(body, _SHAPE)
    identity, inputs = asked.get("id"), asked.get("inputs")
    if not isinstance(identity, str | None):
        raise BadRequestError("The id must be a text.")
    if not isinstance(inputs, list) or not inputs:
        raise BadRequestError(f"{_SHAPE}; it has none.")
    given = _object(asked.get("parameters"), "parameters")
    tensors: dict[str, np.ndarray] = {}
    for item in inputs:
        name, tensor = _tensor(item)
        if name in tensors:
            raise BadRequestError(f"Two inputs have the name '{name}': give each its own.")
        tensors[name] = tensor
    try:
        data = with_optional_columns(_data(tensors, schema), schema)
    except MlflowException as error:
        raise BadRequestError(error.message, code=error.error_code) from error
    known = {name: given[name] for name in params if name in given}
    return Request(identity, data, known, tuple(_wanted(asked.get("outputs"))))


def render(predictions: Any, request: Request, *, model: str, version: str, schema: Any = None) -> bytes:
    """The answer's body; `schema` is the model's output schema, which may have names for the outputs.

    Raises:
        BadRequestError: an output is wanted that the model does not have.
    """
    outputs = {name: _described(name, np.asarray(value)) for name, value in _outputs(predictions, schema).items()}
    if unknown := [name for name in request.outputs if name not in outputs]:
        raise BadRequestError(f"The model has no output '{unknown[0]}': ask for {', '.join(outputs)}.")
    answer = {
        "model_name": model,
        "model_version": version,
        **({} if request.id is None else {"id": request.id}),
        "outputs": [outputs[name] for name in request.outputs or outputs],
    }
    return dumps(answer)


def metadata(model: str, version: str, inputs: Any, outputs: Any) -> dict[str, Any]:
    """What a model takes and answers, from the schemas of its signature (None: it says nothing)."""
    return {
        "name": model,
        "versions": [version],
        "platform": "mlflow",
        "inputs": _tensors_of(inputs, INPUT),
        "outputs": _tensors_of(outputs, OUTPUT),
    }


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict | None):
        raise BadRequestError(f"The {what} must be a JSON object.")
    return value or {}


def _wanted(outputs: Any) -> Iterable[str]:
    if not isinstance(outputs, list | None):
        raise BadRequestError("The outputs must be a list of objects with a name each.")
    for output in outputs or ():
        if not isinstance(output, dict) or not isinstance(output.get("name"), str):
            raise BadRequestError("The outputs must be a list of objects with a name each.")
        yield output["name"]


def _tensor(item: Any) -> tuple[str, np.ndarray]:
    if not isinstance(item, dict) or not isinstance(name := item.get("name"), str):
        raise BadRequestError("Each input must be an object with name, shape, datatype and data.")
    datatype, shape = item.get("datatype"), item.get("shape")
    if not isinstance(datatype, str) or datatype not in DATATYPES:
        raise BadRequestError(
            f"Input '{name}' has the unknown datatype {datatype!r}: write one of {', '.join(DATATYPES)}."
        )
    if not isinstance(shape, list) or not all(type(size) is int and size >= 0 for size in shape):
        raise BadRequestError(f"The shape of input '{name}' must be a list of whole numbers, for example [2, 3].")
    if len(shape) > _LARGEST_RANK:
        raise BadRequestError(f"The shape of input '{name}' has more than {_LARGEST_RANK} dimensions.")
    if "binary_data_size" in _object(item.get("parameters"), f"parameters of input '{name}'"):
        raise BadRequestError(
            f"Input '{name}' has binary data, which this server does not read yet: send its data as JSON "
            "(tritonclient: set_data_from_numpy(…, binary_data=False))."
        )
    if not isinstance(data := item.get("data"), list):
        raise BadRequestError(f"Input '{name}' has no data: send a list.")
    values = _texts(name, data) if datatype == "BYTES" else _numbers(name, datatype, data)
    if values.size != math.prod(shape):
        raise BadRequestError(
            f"Input '{name}' has {values.size} values, but its shape {shape} holds {math.prod(shape)}: correct one."
        )
    return name, values.reshape(shape)


def _numbers(name: str, datatype: str, data: list[Any]) -> np.ndarray:
    dtype = DATATYPES[datatype]
    try:
        values = np.asarray(data)
    except (ValueError, OverflowError):
        raise BadRequestError(
            f"The data of input '{name}' is ragged: every row must be as long as the first."
        ) from None
    if values.dtype.kind == "O" and dtype.kind == "f" and set(map(type, values.ravel())) <= _NUMBERS_AND_MISSING:
        with suppress(OverflowError):
            values = values.astype(np.float64)
    if dtype.kind == "u" and values.dtype.kind == "f":  # numpy makes floats of numbers on both sides of 2**63
        exact = np.asarray(data, dtype=object)
        if set(map(type, exact.ravel())) == {int} and exact.min() >= 0:
            values = exact.astype(np.uint64)
    if values.size and values.dtype.kind not in _KINDS[dtype.kind]:
        raise BadRequestError(
            f"Input '{name}' has values that are not {datatype}"
            + (": a column with missing values is sent as FP64." if None in values.ravel().tolist() else ".")
        )
    with np.errstate(over="ignore"):
        fitting = values.astype(dtype)
    if not _is_same(values, fitting):
        raise BadRequestError(f"Input '{name}' has values beyond the range of {datatype}: use a larger datatype.")
    return fitting


def _is_same(values: np.ndarray, fitting: np.ndarray) -> bool:
    """Whether nothing was lost but precision."""
    if fitting.dtype.kind == "f":
        return bool(fitting.dtype.itemsize == 8 or (np.isinf(values) == np.isinf(fitting)).all())
    return fitting.dtype == values.dtype or bool((values == fitting).all())


def _texts(name: str, data: list[Any]) -> np.ndarray:
    flat, types = data, set(map(type, data))
    while list in types:
        if len(types) > 1:
            raise BadRequestError(f"The data of input '{name}' is ragged: every row must be as long as the first.")
        flat = list(chain.from_iterable(flat))
        types = set(map(type, flat))
    if not types <= _TEXTS_AND_MISSING:
        raise BadRequestError(f"Input '{name}' has values that are no texts: BYTES are JSON strings, or null.")
    values = np.empty(len(flat), dtype=object)
    values[:] = flat
    return values


def _data(tensors: dict[str, np.ndarray], schema: Any) -> Any:
    """What MLflow's enforcement of the signature takes."""
    if schema is None or not schema.inputs:
        return next(iter(tensors.values())) if len(tensors) == 1 else _frame(tensors)
    if schema.is_tensor_spec():
        if schema.has_input_names():
            specs = {spec.name: spec.type for spec in schema.inputs}
            return {name: _safely(tensor, specs.get(name, tensor.dtype)) for name, tensor in tensors.items()}
        return _safely(_only(tensors), schema.inputs[0].type)
    if schema.has_input_names():
        names = set(schema.input_names())
        table = _frame({name: tensor for name, tensor in tensors.items() if name in names})
    else:
        table = pd.DataFrame(_only(tensors))
    return cast_df_types_according_to_schema(table, schema)


def _only(tensors: dict[str, np.ndarray]) -> np.ndarray:
    if len(tensors) > 1:
        raise BadRequestError(f"The model takes one tensor, and the request has {len(tensors)}: send one.")
    return next(iter(tensors.values()))


def _safely(tensor: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Upcast without loss; what needs more is refused by the signature."""
    return tensor.astype(dtype) if np.can_cast(tensor.dtype, dtype, "safe") else tensor


def _frame(tensors: dict[str, np.ndarray]) -> pd.DataFrame:
    columns = {}
    for name, tensor in tensors.items():
        if tensor.ndim not in (1, 2) or tensor.shape[1:] not in ((), (1,)):
            raise BadRequestError(
                f"Input '{name}' is a column, so its shape must be [rows] or [rows, 1]: send one input for each column."
            )
        columns[name] = tensor.ravel()
    if len({len(column) for column in columns.values()}) > 1:
        raise BadRequestError("The inputs have different numbers of rows: send one value per row in each.")
    return pd.DataFrame(columns)


def _outputs(predictions: Any, schema: Any) -> dict[str, Any]:
    if isinstance(predictions, pd.DataFrame):
        return {str(name): predictions[name].to_numpy() for name in predictions.columns}
    if isinstance(predictions, dict):
        return {str(name): value for name, value in predictions.items()}
    names = schema.input_names() if schema is not None and schema.has_input_names() else []
    name = names[0] if len(names) == 1 else OUTPUT
    if isinstance(predictions, list) and predictions and isinstance(predictions[0], dict | list):
        values = np.empty(len(predictions), dtype=object)
        values[:] = predictions
        return {name: _regular(predictions, values)}
    return {name: predictions}


def _regular(rows: list[Any], otherwise: np.ndarray) -> np.ndarray:
    try:
        values = np.asarray(rows)
    except ValueError:
        return otherwise
    return otherwise if values.dtype.kind == "O" else values


def _described(name: str, values: np.ndarray) -> dict[str, Any]:
    values = values if values.ndim else values.reshape(1)
    datatype = _NAMES.get(values.dtype, "BYTES")
    flat = values.ravel()
    return {
        "name": name,
        "datatype": datatype,
        "shape": list(values.shape),
        "data": flat if datatype != "BYTES" else [_text(value) for value in flat.tolist()],
    }


def _text(value: Any) -> str | None:
    if isinstance(value, str | None):
        return value
    if isinstance(value, float) and math.isnan(value):
        return None
    return dumps(value).decode().strip('"')


def _tensors_of(schema: Any, name: str) -> list[dict[str, Any]]:
    if schema is None:
        return []
    described = []
    for spec in schema.inputs:
        if schema.is_tensor_spec():
            kind, shape = _NAMES.get(np.dtype(spec.type), "BYTES"), list(spec.shape)
        else:
            kind, shape = _OF_COLUMNS.get(spec.type, "BYTES"), [-1]
        described.append({"name": spec.name or name, "datatype": kind, "shape": shape})
    return described
