"""Each figure against sklearn's, on drawn labels and probabilities; specificity by hand."""

import math
from dataclasses import astuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics as oracle
from sluice_training.metrics import NAMES, Floats, Scores, score, spread

CLASSES = ["a", "b", "c"]


@st.composite
def predictions(draw: st.DrawFn) -> tuple[list[str], list[str], Floats]:
    """Labels of all three classes, any predictions, probabilities with many ties."""
    rows = draw(st.integers(3, 30))
    rest = st.lists(st.sampled_from(CLASSES), min_size=rows - 3, max_size=rows - 3)
    truth = CLASSES + draw(rest)
    predicted = draw(st.lists(st.sampled_from(CLASSES), min_size=rows, max_size=rows))
    weights = draw(hnp.arrays(np.float64, (rows, 3), elements=st.integers(1, 6).map(float)))
    return truth, predicted, weights / weights.sum(axis=1, keepdims=True)


@settings(deadline=None, max_examples=60)
@given(predictions())
def test_all_figures_agree_with_sklearn(drawn: tuple[list[str], list[str], Floats]) -> None:
    truth, predicted, probabilities = drawn
    mine = score(truth, predicted, probabilities, CLASSES)
    macro = {"average": "macro", "zero_division": 0.0}
    onehot = np.array([[label == each for each in CLASSES] for label in truth], dtype=float)
    expected = Scores(
        accuracy=oracle.accuracy_score(truth, predicted),
        balanced_accuracy=oracle.balanced_accuracy_score(truth, predicted),
        sensitivity=oracle.recall_score(truth, predicted, **macro),
        specificity=_specificity(truth, predicted),
        precision=oracle.precision_score(truth, predicted, **macro),
        f1=oracle.f1_score(truth, predicted, **macro),
        auc_roc=oracle.roc_auc_score(truth, probabilities, multi_class="ovr", average="macro", labels=CLASSES),
        log_loss=oracle.log_loss(truth, probabilities, labels=CLASSES),
        mae=oracle.mean_absolute_error(onehot, probabilities),
    )
    for name, got, wanted in zip(NAMES, astuple(mine), astuple(expected), strict=True):
        assert got == pytest.approx(wanted, abs=1e-12), name


@settings(deadline=None, max_examples=60)
@given(predictions())
def test_every_share_lies_between_0_and_1(drawn: tuple[list[str], list[str], Floats]) -> None:
    figures = astuple(score(*drawn, CLASSES))
    assert all(0 <= value <= 1 for name, value in zip(NAMES, figures, strict=True) if name != "log_loss")
    assert figures[NAMES.index("log_loss")] >= 0


def test_specificity_by_hand() -> None:
    # a: 1 of 3 others is called a → 2/3; b: 0 of 2 → 1; c: 1 of 3 → 2/3
    truth, predicted = ["a", "b", "b", "c"], ["c", "b", "a", "c"]
    assert score(truth, predicted, _certain(predicted), CLASSES).specificity == pytest.approx((2 / 3 + 1 + 2 / 3) / 3)


def test_perfect_answers() -> None:
    truth = ["a", "b", "c", "a"]
    assert score(truth, truth, _certain(truth), CLASSES) == Scores(1, 1, 1, 1, 1, 1, 1, 0, 0)


def test_certain_and_wrong_is_expensive_but_finite() -> None:
    scores = score(["a", "b"], ["b", "a"], _certain(["b", "a"]), CLASSES)
    assert scores.log_loss == pytest.approx(-math.log(np.finfo(np.float64).eps))
    assert scores.mae == pytest.approx(2 / 3)


def test_where_one_class_occurs_there_is_no_auc_and_classes_that_play_no_part_do_not_count() -> None:
    truth, predicted = ["a", "a"], ["a", "b"]
    scores = score(truth, predicted, _certain(predicted), CLASSES)
    assert math.isnan(scores.auc_roc)
    assert scores.sensitivity == scores.balanced_accuracy == 0.5  # of a, the only class there is to find
    assert scores.precision == oracle.precision_score(truth, predicted, average="macro", zero_division=0.0) == 0.5
    assert scores.f1 == pytest.approx(oracle.f1_score(truth, predicted, average="macro", zero_division=0.0))


def test_spread_is_mean_and_sample_deviation() -> None:
    both = spread([Scores(*[low] * 9) for low in (0.2, 0.4, 0.9)])
    assert both.mean.accuracy == pytest.approx(0.5)
    assert both.deviation.mae == pytest.approx(np.std([0.2, 0.4, 0.9], ddof=1))


def _certain(labels: list[str]) -> Floats:
    return np.array([[float(label == each) for each in CLASSES] for label in labels])


def _specificity(truth: list[str], predicted: list[str]) -> float:
    per_class = []
    for each in CLASSES:
        others = [guess for label, guess in zip(truth, predicted, strict=True) if label != each]
        per_class.append(sum(guess != each for guess in others) / len(others))
    return sum(per_class) / len(per_class)
