"""Candidate models: each is ONE sklearn Pipeline that takes rows as a client sends them.

Imputers, encoders and scalers are part of the pipeline, so they are fitted on the training rows of each fold only (no
leakage), and what is served is exactly what was judged. Only sklearn's own classes are used, no functions of our own:
skops can then save the model so that loading it runs no code of its author.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sluice_training.data import CATEGORIES, NUMBERS, YEAR
from sluice_training.errors import UserError

OnUnknown = Literal["ignore", "error"]
WAITING = "waiting"


@dataclass(frozen=True)
class Candidate:
    """A model by name, with a sentence for people and a function that builds it from a seed."""

    name: str
    summary: str
    estimator: Callable[[int], ClassifierMixin]


def preprocessing(
    numbers: Sequence[str] = (*NUMBERS, YEAR),
    categories: Sequence[str] = CATEGORIES,
    *,
    on_unknown: OnUnknown = "ignore",
    waits: bool = False,
) -> ColumnTransformer:
    """Fill gaps, scale numbers and one-hot encode categories; columns that are not named are dropped.

    Args:
        numbers: numeric columns: the median of the training rows fills a gap.
        categories: text columns: the most frequent value of the training rows fills a gap.
        on_unknown: what a category does that no training row had: `ignore` encodes it as all zeros, `error` makes
            `predict` raise ValueError.
        waits: it can be made to wait for each row (`slow_down`), as one that asks a service for what it does not have.
    """
    parts = []
    if numbers:
        steps = [("impute", SimpleImputer(strategy="median")), ("scale", StandardScaler())]
        parts.append(("numbers", Pipeline(steps), list(numbers)))
    if categories:
        parts.append(("categories", _categories(on_unknown), list(categories)))
    if waits:
        parts.append((WAITING, _waiting(), [YEAR]))
    return ColumnTransformer(parts, remainder="drop", verbose_feature_names_out=False)


def build(name: str, *, seed: int = 0, prepare: ColumnTransformer | None = None) -> Pipeline:
    """Build an unfitted pipeline by the name of its model.

    Raises:
        UserError: no candidate has this name.
    """
    model = candidate(name).estimator(seed)
    return Pipeline([("prepare", prepare if prepare is not None else preprocessing()), ("model", model)])


def candidate(name: str) -> Candidate:
    """Find a candidate by name.

    Raises:
        UserError: there is none; the sentence lists those there are.
    """
    if name not in CANDIDATES:
        raise UserError(f"There is no model '{name}'. Choose one of: {', '.join(CANDIDATES)}.")
    return CANDIDATES[name]


def slow_down(pipeline: Pipeline, seconds: float) -> None:
    """Make a fitted pipeline whose preprocessing `waits` wait so long for each row that it is given."""
    pipeline["prepare"].named_transformers_[WAITING]["seconds"].feature_range = (seconds, seconds)


def _waiting() -> Pipeline:
    """A column that costs time and adds nothing: it becomes seconds, these pass, and zeros remain.

    No processor is used, so other pods on a small machine do not notice. It waits no time until `slow_down`.
    """
    # Without any excluded argument it would keep a compiled function once it was called, which skops cannot save.
    wait = np.vectorize(time.sleep, otypes=[float], excluded={1})
    return Pipeline(
        [
            ("impute", SimpleImputer(strategy="median")),
            ("seconds", MinMaxScaler((0.0, 1e-9), clip=True)),
            ("wait", FunctionTransformer(wait)),
            ("forget", SimpleImputer(strategy="constant", fill_value=0.0, keep_empty_features=True)),
        ]
    )


def _categories(on_unknown: OnUnknown) -> Pipeline:
    """Fill gaps (CSV readers write a missing text as NaN, JSON readers as None: each needs its own imputer), encode."""
    return Pipeline(
        [
            ("impute_nan", SimpleImputer(missing_values=np.nan, strategy="most_frequent")),
            ("impute_none", SimpleImputer(missing_values=None, strategy="most_frequent")),
            ("encode", OneHotEncoder(handle_unknown=on_unknown, sparse_output=False)),
        ]
    )


def _baseline(seed: int) -> ClassifierMixin:
    return DummyClassifier(strategy="prior", random_state=seed)


def _logistic(seed: int) -> ClassifierMixin:
    return LogisticRegression(max_iter=1000, random_state=seed)


def _tree(seed: int) -> ClassifierMixin:
    return DecisionTreeClassifier(max_depth=4, random_state=seed)


def _forest(seed: int) -> ClassifierMixin:
    return RandomForestClassifier(n_estimators=60, n_jobs=1, random_state=seed)


def _boosting(seed: int) -> ClassifierMixin:
    return HistGradientBoostingClassifier(max_iter=40, random_state=seed)


def _neighbours(_seed: int) -> ClassifierMixin:
    return KNeighborsClassifier(n_neighbors=7, algorithm="brute")


CANDIDATES: Mapping[str, Candidate] = MappingProxyType(
    {
        each.name: each
        for each in (
            Candidate("baseline", "always answers the shares of the classes: what every model must beat", _baseline),
            Candidate("logistic", "logistic regression, all features", _logistic),
            Candidate("tree", "decision tree of depth 4: can be read by a person", _tree),
            Candidate("forest", "random forest of 60 trees", _forest),
            Candidate("boosting", "histogram gradient boosting, 40 rounds", _boosting),
            Candidate("neighbours", "the 7 nearest neighbours", _neighbours),
        )
    }
)
