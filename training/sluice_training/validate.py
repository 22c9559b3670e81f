"""Compare candidate models by stratified k-fold cross-validation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import Pipeline

from sluice_training.data import Dataset
from sluice_training.errors import UserError
from sluice_training.metrics import Scores, Spread, score, spread
from sluice_training.pipelines import build


@dataclass(frozen=True)
class Validation:
    """How one model did over all folds."""

    model: str
    folds: tuple[Scores, ...]

    @property
    def spread(self) -> Spread:
        """Mean and standard deviation over the folds."""
        return spread(self.folds)


def validate(names: Sequence[str], data: Dataset, *, folds: int = 10, seed: int = 0) -> Iterator[Validation]:
    """Cross-validate the models one after the other; all see the same folds.

    Raises:
        UserError: an unknown model, or a number of folds that the data cannot fill.
    """
    pipelines = {name: build(name, seed=seed) for name in names}
    check_folds(folds, data)
    for name, pipeline in pipelines.items():
        yield Validation(name, cross_validate(pipeline, data, folds=folds, seed=seed))


def check_folds(folds: int, data: Dataset) -> None:
    """Refuse fewer than 2 folds, and more folds than the rarest species has rows.

    Raises:
        UserError: with the range that is possible.
    """
    most = int(data.species.value_counts().min())
    if not 2 <= folds <= most:
        raise UserError(f"{folds} folds are not possible here: give a number from 2 to {most}.")


def cross_validate(pipeline: Pipeline, data: Dataset, *, folds: int, seed: int) -> tuple[Scores, ...]:
    """Fit a fresh copy of the pipeline on all folds but one, score it on that one; once per fold."""
    splitter = StratifiedKFold(n_splits=folds, shuffle=True, random_state=seed)
    results = []
    for learn, judge in splitter.split(data.features, data.species):
        fitted = clone(pipeline).fit(data.features.iloc[learn], data.species.iloc[learn])
        results.append(score_pipeline(fitted, Dataset(data.features.iloc[judge], data.species.iloc[judge])))
    return tuple(results)


def score_pipeline(fitted: Pipeline, data: Dataset) -> Scores:
    """Score a fitted pipeline on rows; what it raises on a row comes through."""
    probabilities = np.asarray(fitted.predict_proba(data.features), dtype=np.float64)
    return score(list(data.species), list(fitted.predict(data.features)), probabilities, list(fitted.classes_))
