"""Judge a fitted model on rows it has never seen, as a whole and for each segment (fairness)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from sklearn.pipeline import Pipeline

from sluice_training.data import SEGMENTS, Dataset
from sluice_training.errors import UserError
from sluice_training.metrics import Scores
from sluice_training.validate import score_pipeline

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Segment:
    """Rows that share one value of one column. `scores` is None if the model answered none of them."""

    column: str
    value: str
    rows: int
    failed: int
    scores: Scores | None


@dataclass(frozen=True)
class Evaluation:
    """The whole (its column and value are "all") and the segments in the order of their names."""

    whole: Segment
    segments: tuple[Segment, ...]


def evaluate(fitted: Pipeline, data: Dataset, *, by: Sequence[str] = SEGMENTS) -> Evaluation:
    """Score the model on all rows and on each segment.

    Rows on which the model raises are counted as failed, and the scores are those of the rows that it answered.
    A missing value forms a segment of its own: models are often worst where data is missing.

    Raises:
        UserError: a column that is not there.
    """
    check_columns(by, data)
    answered = answers(fitted, data.features)
    return Evaluation(
        whole=_segment(fitted, data, answered, "all", "all"),
        segments=tuple(part for column in by for part in _by_column(fitted, data, answered, column)),
    )


def check_columns(by: Sequence[str], data: Dataset) -> None:
    """Refuse a column that is not there.

    Raises:
        UserError: with the columns there are.
    """
    for column in by:
        if column not in data.features:
            known = ", ".join(data.features.columns)
            raise UserError(f"There is no column '{column}' to form segments by. Choose from: {known}.")


def answers(fitted: Pipeline, features: pd.DataFrame) -> pd.Series[bool]:
    """Tell for each row whether the model answers it when it comes alone, as it does in a request."""
    return pd.Series(_answers(fitted, features), index=features.index, dtype=bool)


def _answers(fitted: Pipeline, features: pd.DataFrame) -> list[bool]:
    """A table on which the model raises holds a row on which it raises: halve it until they are found."""
    try:
        fitted.predict(features)
    except ValueError:
        half = len(features) // 2
        return [*_answers(fitted, features[:half]), *_answers(fitted, features[half:])] if half else [False]
    return [True] * len(features)


def _by_column(fitted: Pipeline, data: Dataset, answered: pd.Series[bool], column: str) -> list[Segment]:
    labels = data.features[column].astype(object).where(data.features[column].notna(), UNKNOWN).astype(str)
    return [
        _segment(fitted, data.where(labels == value), answered[labels == value], column, value)
        for value in sorted(labels.unique())
    ]


def _segment(fitted: Pipeline, data: Dataset, answered: pd.Series[bool], column: str, value: str) -> Segment:
    rows, failed = len(data), int((~answered).sum())
    scores = score_pipeline(fitted, data.where(answered)) if failed < rows else None
    return Segment(column, value, rows, failed, scores)
