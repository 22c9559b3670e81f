"""What a new version must accept and answer to take another's place, by MLflow's signatures."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.models.utils import _enforce_schema
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec
from sluice_server.checks.answer import FAILED, PASSED, CantTellError
from sluice_server.checks.signature import SignatureSettings, check, incompatible
from sluice_server.errors import BadRequestError
from sluice_server.protocols.mlflow import parse

A, B = ColSpec("double", "a"), ColSpec("string", "b")
ANSWER = (ColSpec("string"),)
OPTIONAL_B = ColSpec("string", "b", required=False)


def columns(*inputs: Any, outputs: Any = ANSWER, params: Any = None) -> ModelSignature:
    return ModelSignature(
        inputs=Schema(list(inputs)), outputs=Schema(list(outputs)) if outputs else None,
        params=ParamSchema(list(params)) if params else None,
    )  # fmt: skip


def tensor(kind: str, *shape: int) -> ModelSignature:
    return columns(TensorSpec(np.dtype(kind), shape))


STABLE = columns(A, B)
T = ParamSpec("t", DataType.double, 1.0)
# what changes, candidate, stable, and the words; none: it fits
CASES: list[tuple[str, ModelSignature, ModelSignature, str | None]] = [
    ("nothing", columns(A, B), STABLE, None),
    ("the order", columns(B, A), STABLE, None),
    ("a column fewer", columns(A), STABLE, None),
    ("a new optional column", columns(A, B, ColSpec("long", "c", required=False)), STABLE, None),
    ("a new required column", columns(A, B, ColSpec("long", "c")), STABLE, "input c is new and required"),
    ("an optional column becomes required", columns(A, B), columns(A, OPTIONAL_B), "input b may be left out"),
    ("a required column becomes optional", columns(A, OPTIONAL_B), STABLE, None),
    ("a wider type", columns(A), columns(ColSpec("long", "a")), None),
    ("a narrower type", columns(ColSpec("long", "a")), columns(A), "input a is long where stable has double"),
    ("another type", columns(A, ColSpec("double", "b")), STABLE, "input b is double where stable has string"),
    ("names are gone", columns(ColSpec("double"), ColSpec("string")), STABLE, "the input has names for one"),
    ("one unnamed column more", columns(ColSpec("double"), ColSpec("double")), columns(ColSpec("double")), "2 columns"),
    ("a tensor of a table", tensor("float64", -1, 3), STABLE, "the input is a tensor for one of the versions"),
    ("the same tensor", tensor("float64", -1, 3), tensor("float64", -1, 3), None),
    ("a freer shape", tensor("float64", -1, -1), tensor("float64", -1, 3), None),
    ("another shape", tensor("float64", -1, 4), tensor("float64", -1, 3), "has the shape (-1, 4)"),
    ("a narrower tensor", tensor("float32", -1, 3), tensor("float64", -1, 3), "is float32 where stable has float64"),
    ("another answer", columns(A, B, outputs=[ColSpec("double")]), STABLE, "is read as string by stable's clients"),
    ("a narrower answer", columns(A, outputs=[ColSpec("long", "y")]), columns(A, outputs=[ColSpec("double", "y")]),
     None),
    ("an answer is gone", columns(A, outputs=[ColSpec("long", "x")]), columns(A, outputs=[ColSpec("long", "y")]),
     "output y is gone"),
    ("one more answer", columns(A, outputs=[ColSpec("long", "y"), ColSpec("long", "z")]),
     columns(A, outputs=[ColSpec("long", "y")]), None),
    ("the answer has no signature", columns(A, B, outputs=None), STABLE, None),
    ("the same parameter", columns(A, params=[T]), columns(A, params=[T]), None),
    ("a parameter is gone", columns(A), columns(A, params=[T]), "parameter t is gone"),
    ("another parameter", columns(A, params=[ParamSpec("t", DataType.string, "1")]), columns(A, params=[T]),
     "parameter t has another type"),
    ("a new parameter", columns(A, params=[T]), columns(A), None),
]  # fmt: skip


@pytest.mark.parametrize(("what", "candidate", "stable", "words"), CASES, ids=[case[0] for case in CASES])
def test_each_change_fits_or_is_named(
    what: str, candidate: ModelSignature, stable: ModelSignature, words: str | None
) -> None:
    found = list(incompatible(candidate, stable))
    assert bool(found) == bool(words), found
    assert words is None or any(words in one for one in found)


KINDS = ["integer", "long", "float", "double", "string", "boolean"]
VALUES: dict[str, Any] = {"integer": 7, "long": 7, "float": 0.5, "double": 0.5, "string": "x", "boolean": True}
# The server fills what is left out with a NaN of 64 bits or None, which only these can hold.
columns_ = st.one_of(
    st.tuples(st.sampled_from(KINDS), st.just(True)),
    st.tuples(st.sampled_from(["double", "string"]), st.just(False)),
)
specs = st.dictionaries(st.sampled_from("abc"), columns_, min_size=1)


@given(specs, specs)
@settings(max_examples=100, deadline=None)
def test_what_is_called_compatible_is_accepted_from_a_request(
    candidate: dict[str, tuple[str, bool]], stable: dict[str, tuple[str, bool]]
) -> None:
    """The oracle is what the server and MLflow do with a request before a prediction."""
    new, old = (
        Schema([ColSpec(kind, name, required=required) for name, (kind, required) in spec.items()])
        for spec in (candidate, stable)
    )
    whole = {name: VALUES[kind] for name, (kind, _) in stable.items()}
    least = {name: VALUES[kind] for name, (kind, required) in stable.items() if required}
    taken = all(_accepts(new, row) for row in (whole, least) if row)
    fits = not list(incompatible(ModelSignature(inputs=new), ModelSignature(inputs=old)))
    same_types = all(name not in stable or stable[name][0] == kind for name, (kind, _) in candidate.items())
    assert taken or not fits
    assert fits or not taken or not same_types or not least


def _accepts(schema: Schema, row: dict[str, Any]) -> bool:
    try:
        asked = parse(json.dumps({"dataframe_records": [row]}).encode(), "application/json", schema)
        _enforce_schema(asked.data, schema)
    except (MlflowException, BadRequestError):
        return False
    return True


def test_models_are_compared_by_their_files(classifier_dir: Path, tensor_dir: Path, tmp_path: Path) -> None:
    places = {}
    for role, source in (("candidate", tensor_dir), ("stable", classifier_dir)):
        places[role] = tmp_path / role
        shutil.copytree(source, places[role])
    settings = SignatureSettings(candidate_dir=places["candidate"], stable_dir=places["stable"])
    answer = check(settings)
    assert answer.code == FAILED
    assert "the input is a tensor for one of the versions and a table for the other" in answer.sentence
    same = SignatureSettings(candidate_dir=places["stable"], stable_dir=places["stable"])
    assert check(same).code == PASSED


def test_a_version_without_a_signature_is_not_judged(classifier_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "stable"
    shutil.copytree(classifier_dir, folder)
    text = (folder / "MLmodel").read_text()
    head, _, rest = text.partition("signature:")
    after = "\n".join(line for line in rest.splitlines()[1:] if not line.startswith(" "))
    (folder / "MLmodel").write_text(head + after)
    with pytest.raises(CantTellError, match="the stable version has no signature"):
        check(SignatureSettings(candidate_dir=classifier_dir, stable_dir=folder))
    with pytest.raises(CantTellError, match="can't be read"):
        check(SignatureSettings(candidate_dir=tmp_path / "nothing", stable_dir=folder))
