"""How good predictions are, against labels: the share that is right, or how far off numbers are on average."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sluice_server.checks.answer import CantTellError
from sluice_server.checks.asking import NoAnswer


@dataclass(frozen=True)
class Score:
    """One figure over all rows; `unanswered` are the rows without a prediction."""

    value: float
    rows: int
    unanswered: tuple[NoAnswer, ...]


def accuracy(predictions: Sequence[Any], labels: Sequence[Any]) -> Score:
    """Share of the rows whose prediction is the label; a row without an answer is wrong."""
    unanswered = _unanswered(predictions)
    right = sum(
        not isinstance(said, NoAnswer) and plain(said) == label for said, label in zip(predictions, labels, strict=True)
    )
    return Score(right / len(labels), len(labels), unanswered)


def mean_absolute_error(predictions: Sequence[Any], labels: Sequence[Any]) -> Score:
    """Mean of |prediction − label|, in the label's unit; infinite if a row has no answer, which has no error either."""
    unanswered = _unanswered(predictions)
    if unanswered:
        return Score(float("inf"), len(labels), unanswered)
    pairs = [(_number(plain(said)), _number(label)) for said, label in zip(predictions, labels, strict=True)]
    return Score(sum(abs(said - label) for said, label in pairs) / len(pairs), len(pairs), ())


def plain(prediction: Any) -> Any:
    """The one value of a prediction; MLflow writes one of a table as a record, one of a tensor as a list.

    Raises:
        CantTellError: there are several.
    """
    if isinstance(prediction, dict) and len(prediction) == 1:
        return plain(next(iter(prediction.values())))
    if isinstance(prediction, list) and len(prediction) == 1:
        return plain(prediction[0])
    if isinstance(prediction, dict | list):
        raise CantTellError(
            f"the model answers with {len(prediction)} values for each row, and a golden set has one label for each"
        )
    return prediction


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CantTellError(f"{value!r} is no number, so no error can be told: use minAccuracy for a classifier")
    return float(value)


def _unanswered(predictions: Sequence[Any]) -> tuple[NoAnswer, ...]:
    return tuple(said for said in predictions if isinstance(said, NoAnswer))
