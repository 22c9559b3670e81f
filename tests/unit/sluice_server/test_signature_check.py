"""What a new version must accept and answer to take another's place, by MLflow's signatures."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.models.utils import _enforce_schema
from mlflow.types import ColSpec, DataType, ParamSchema, ParamSpec, Schema, TensorSpec
from sluice_server.checks.answer import FAILED, PASSED, CantTellError
from sluice_server.checks.signature import SignatureSettings, check, incompatible

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
VALUES: dict[str, Any] = {
    "integer": np.int32(7), "long": np.int64(7), "float": np.float32(0.5), "double": 0.5, "string": "x",
    "boolean": True,
}  # fmt: skip
specs = st.dictionaries(st.sampled_from("abc"), st.tuples(st.sampled_from(KINDS), st.booleans()), min_size=1)


@given(specs, specs)
def test_what_is_called_compatible_is_accepted_by_mlflow_itself(
    candidate: dict[str, tuple[str, bool]], stable: dict[str, tuple[str, bool]]
) -> None:
    """The oracle is what MLflow does with a table before a prediction."""
    new, old = (
        Schema([ColSpec(kind, name, required=required) for name, (kind, required) in spec.items()])
        for spec in (candidate, stable)
    )
    fits = not list(incompatible(ModelSignature(inputs=new), ModelSignature(inputs=old)))
    tables = [
        pd.DataFrame({name: [VALUES[kind]] for name, (kind, required) in stable.items() if required or with_optional})
        for with_optional in (True, False)
    ]
    same_types = all(name in stable and stable[name][0] == kind for name, (kind, _) in candidate.items())
    if fits:
        assert all(_accepts(new, table) for table in tables)
    elif same_types:
        assert not all(_accepts(new, table) for table in tables)


def _accepts(schema: Schema, table: pd.DataFrame) -> bool:
    try:
        _enforce_schema(table, schema)
    except MlflowException:
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
