"""`python -m sluice_server.checks.signature`: whether a new version takes the place of another, by their signatures.

It must accept every request that the other accepts, as MLflow's own checks before a prediction do, and answer in the
same form. Column by column: what was optional stays so, types may only get wider, nothing new is required.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from mlflow.models import Model
from mlflow.types import DataType
from pydantic_settings import BaseSettings, SettingsConfigDict

from sluice_server.checks.answer import FAILED, PASSED, Answer, CantTellError, answered

# What MLflow converts without a loss before a prediction: a value of the key fits a column of these types.
WIDER = {
    DataType.integer: {DataType.long, DataType.double},
    DataType.long: {DataType.double},
    DataType.float: {DataType.double},
}
MOST_SAID = 5


class SignatureSettings(BaseSettings):
    """Where the files of both versions are."""

    model_config = SettingsConfigDict(env_prefix="SLUICE_", frozen=True, protected_namespaces=())

    candidate_dir: Path
    stable_dir: Path


def check(settings: SignatureSettings) -> Answer:
    """Compares the signatures.

    Raises:
        CantTellError: a version has none.
    """
    candidate, stable = _signature(settings.candidate_dir), _signature(settings.stable_dir)
    problems = list(incompatible(candidate, stable))
    if problems:
        more = f" and {len(problems) - MOST_SAID} more" if len(problems) > MOST_SAID else ""
        return Answer(FAILED, f"{'; '.join(problems[:MOST_SAID])}{more}")
    return Answer(PASSED, "it accepts what stable accepts, and answers in the same form")


def incompatible(candidate: Any, stable: Any) -> Iterator[str]:
    """Says of two MLflow signatures, a few words each, why the candidate can't take stable's place."""
    yield from _inputs(candidate.inputs, stable.inputs)
    if candidate.outputs is not None and stable.outputs is not None:
        yield from _outputs(candidate.outputs, stable.outputs)
    yield from _params(candidate.params, stable.params)


def _inputs(candidate: Any, stable: Any) -> Iterator[str]:
    if form := _other_form(candidate, stable):
        yield f"the input {form}"
        return
    if not stable.has_input_names() and len(candidate.inputs) != len(stable.inputs):
        yield f"the input has {len(candidate.inputs)} columns, stable's has {len(stable.inputs)}"
        return
    known = _by_name(stable)
    for name, wanted in _by_name(candidate).items():
        given = known.get(name)
        if given is None:
            if wanted.required:
                yield f"input {name} is new and required"
        elif wanted.required and not given.required:
            yield f"input {name} may be left out for stable and is required now"
        elif why := _narrower(wanted, given):
            yield f"input {name} {why}"


def _outputs(candidate: Any, stable: Any) -> Iterator[str]:
    """Whoever reads stable's answers must be able to read the candidate's."""
    if form := _other_form(candidate, stable):
        yield f"the output {form}"
        return
    if not stable.has_input_names() and len(candidate.inputs) != len(stable.inputs):
        yield f"the output has {len(candidate.inputs)} columns, stable's has {len(stable.inputs)}"
        return
    given = _by_name(candidate)
    for name, known in _by_name(stable).items():
        if name not in given:
            yield f"output {name} is gone"
        elif why := _narrower(known, given[name]):
            yield f"output {name} is read as {_type(known)} by stable's clients and {why}"


def _params(candidate: Any, stable: Any) -> Iterator[str]:
    """Params are optional always; one that is not known any more would be ignored in silence."""
    given = {param.name: param for param in candidate.params} if candidate else {}
    for known in stable.params if stable else ():
        if known.name not in given:
            yield f"parameter {known.name} is gone"
        elif (given[known.name].dtype, given[known.name].shape) != (known.dtype, known.shape):
            yield f"parameter {known.name} has another type"


def _other_form(candidate: Any, stable: Any) -> str | None:
    """Tables, tensors, and columns with names or without are different requests."""
    if bool(candidate.is_tensor_spec()) != bool(stable.is_tensor_spec()):
        return "is a tensor for one of the versions and a table for the other"
    if bool(candidate.has_input_names()) != bool(stable.has_input_names()):
        return "has names for one of the versions and none for the other"
    return None


def _narrower(wanted: Any, given: Any) -> str | None:
    """Says why a value of one type does not fit where another is wanted; None if it does."""
    if hasattr(wanted, "shape"):
        if not np.can_cast(given.type, wanted.type, casting="safe"):
            return f"is {wanted.type} where stable has {given.type}"
        fits = len(wanted.shape) == len(given.shape) and all(
            want in (-1, have) for want, have in zip(wanted.shape, given.shape, strict=True)
        )
        return None if fits else f"has the shape {wanted.shape} where stable has {given.shape}"
    if wanted.type == given.type or wanted.type in WIDER.get(given.type, ()):
        return None
    return f"is {_type(wanted)} where stable has {_type(given)}"


def _type(column: Any) -> str:
    return str(getattr(column.type, "name", column.type))


def _by_name(schema: Any) -> dict[Any, Any]:
    return dict(zip(schema.input_names(), schema.inputs, strict=True))


def _signature(folder: Path) -> Any:
    try:
        signature = Model.load(str(folder / "MLmodel")).signature
    except Exception as error:
        raise CantTellError(f"MLmodel of the {folder.name} version can't be read: {error}") from error
    if signature is None or signature.inputs is None:
        raise CantTellError(
            f"the {folder.name} version has no signature, so nothing says what it accepts: log it with one"
        )
    return signature


if __name__ == "__main__":
    sys.exit(answered(lambda: check(SignatureSettings())))
