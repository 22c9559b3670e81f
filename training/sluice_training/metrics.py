"""Figures of merit of a classifier, from the labels, the predicted labels and the predicted probabilities.

Written out here (numpy only) so that a reader sees each formula; the tests compare them with sklearn's.
With K classes each class in turn is "positive" against the rest, and the mean over the classes is taken (macro, each
class counts the same). For the class k, TP, FP, FN and TN are the counts of true and false positives and negatives.

A figure that is not defined on the given rows (for example the AUC where only one class occurs) is NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Scores:
    """All figures for one set of rows. Shares lie in 0..1; `log_loss` is in nats; lower is better for the last two.

    accuracy: share of rows with the right label.
    balanced_accuracy: mean recall of the classes that occur (a rare class counts as much as a common one).
    sensitivity: mean over the classes of TP / (TP + FN). With macro averaging this is the balanced accuracy; it stands
        under both names because readers look for both.
    specificity: mean over the classes of TN / (TN + FP).
    precision: mean over the classes of TP / (TP + FP); 0 for a class that was never predicted.
    f1: mean over the classes of 2·TP / (2·TP + FP + FN).
    auc_roc: mean over the classes of the probability that a random positive row is ranked above a random negative one
        (Hanley and McNeil 1982), ties count one half.
    log_loss: mean of −ln p(true class).
    mae: mean absolute error of the probabilities, mean over rows and classes of |onehot − p|. (MAE is a figure for
        numbers; for a classifier this says how far its probabilities are from the truth.)
    """

    accuracy: float
    balanced_accuracy: float
    sensitivity: float
    specificity: float
    precision: float
    f1: float
    auc_roc: float
    log_loss: float
    mae: float


NAMES: tuple[str, ...] = tuple(field.name for field in fields(Scores))


def score(truth: Sequence[str], predicted: Sequence[str], probabilities: Floats, classes: Sequence[str]) -> Scores:
    """Compute all figures.

    Args:
        truth: true labels, one per row; at least one.
        predicted: predicted labels, one per row.
        probabilities: shape (rows, classes), each row sums to 1, columns in the order of `classes`.
        classes: all labels the model knows, sorted.
    """
    onehot = _onehot(truth, classes)
    guess = _onehot(predicted, classes)
    tp, fp = (onehot * guess).sum(0), ((1 - onehot) * guess).sum(0)
    fn, tn = (onehot * (1 - guess)).sum(0), ((1 - onehot) * (1 - guess)).sum(0)
    seen = (tp + fp + fn) > 0
    recall = _mean(_ratio(tp, tp + fn))
    return Scores(
        accuracy=float(tp.sum() / len(onehot)),
        balanced_accuracy=recall,
        sensitivity=recall,
        specificity=_mean(_ratio(tn, tn + fp)),
        precision=_mean(np.where(tp + fp > 0, _ratio(tp, tp + fp), 0.0)[seen]),
        f1=_mean(_ratio(2 * tp, 2 * tp + fp + fn)),
        auc_roc=_auc(onehot, probabilities),
        log_loss=_log_loss(onehot, probabilities),
        mae=float(np.abs(onehot - probabilities).mean()),
    )


@dataclass(frozen=True)
class Spread:
    """Mean and sample standard deviation (n − 1) of each figure over folds; both in the units of the figure."""

    mean: Scores
    deviation: Scores


def spread(folds: Sequence[Scores]) -> Spread:
    """Summarise the scores of at least two folds."""
    table = np.array([astuple(fold) for fold in folds], dtype=np.float64)
    return Spread(mean=Scores(*map(float, table.mean(0))), deviation=Scores(*map(float, table.std(0, ddof=1))))


def _onehot(labels: Sequence[str], classes: Sequence[str]) -> Floats:
    grid = np.asarray(labels, dtype=object)[:, None] == np.asarray(classes, dtype=object)[None, :]
    return np.asarray(grid, dtype=np.float64)


def _ratio(part: Floats, whole: Floats) -> Floats:
    """Divide; NaN where there is nothing to divide by."""
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)


def _mean(values: Floats) -> float:
    """Mean of the defined values; NaN if none is."""
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else float("nan")


def _auc(onehot: Floats, probabilities: Floats) -> float:
    """Macro one-vs-rest AUC by ranks (the Mann-Whitney U statistic divided by positives × negatives)."""
    positives = onehot.sum(0)
    negatives = len(onehot) - positives
    ranks = rankdata(probabilities, axis=0)
    u = (ranks * onehot).sum(0) - positives * (positives + 1) / 2
    return _mean(_ratio(u, positives * negatives))


def _log_loss(onehot: Floats, probabilities: Floats) -> float:
    tiny = float(np.finfo(np.float64).eps)
    return float(np.log(1 / np.clip((onehot * probabilities).sum(1), tiny, 1.0)).mean())
