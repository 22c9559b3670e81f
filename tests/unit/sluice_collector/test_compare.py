"""When two answers agree."""

from __future__ import annotations

from typing import Any

import pytest
from sluice_collector.answers import Answer, dump, load
from sluice_collector.compare import compare

from tests.unit.sluice_collector.worlds import answer

WITHOUT = {"predictions": None}


def of(*predictions: Any, **fields: Any) -> Answer:
    return answer("r", "stable", *predictions, **fields)


@pytest.mark.parametrize(
    ("stable", "candidate", "verdict"),
    [
        (200, 200, "agree"),
        (200, 204, "agree"),
        (200, 500, "disagree"),
        (503, 200, "disagree"),
        (500, 503, "agree"),  # counted as a failure of both
        (200, 422, "disagree"),
        (422, 200, "disagree"),
        (422, 500, "disagree"),
        (500, 404, "disagree"),
        (422, 400, "refused"),
    ],
)
def test_statuses(stable: int, candidate: int, verdict: str) -> None:
    assert compare(of("a", status=stable), of("a", status=candidate)).verdict == verdict


@pytest.mark.parametrize(
    ("stable", "candidate", "verdict"),
    [
        (["a", "b"], ["a", "b"], "agree"),
        (["a", "b"], ["a", "c"], "disagree"),
        (["a"], ["a", "a"], "disagree"),
        ([1.0], [1.0 + 9e-7], "agree"),
        ([1.0], [1.0 + 2e-6], "disagree"),
        ([1e6], [1e6 + 0.9], "agree"),
        ([1e-9], [5e-7], "agree"),
        ([1], [1.0], "agree"),
        ([1], [True], "disagree"),
        ([True], [True], "agree"),
        (["1"], [1], "disagree"),
        ([None], [None], "agree"),
        ([None], [0.0], "disagree"),
        ([float("1e100")], [-1e100], "disagree"),
    ],
)
def test_predictions(stable: list[Any], candidate: list[Any], verdict: str) -> None:
    assert compare(of(*stable), of(*candidate)).verdict == verdict
    assert compare(of(*candidate), of(*stable)).verdict == verdict


def test_the_larger_tolerance_counts() -> None:
    assert compare(of(1.0, tolerance=0.1), of(1.05)).verdict == "agree"
    assert compare(of(1.0), of(1.05, tolerance=0.1)).verdict == "agree"
    assert compare(of(1.0, tolerance=0), of(1.0, tolerance=0)).verdict == "agree"


def test_of_digests_only_equality_is_known() -> None:
    digest, other = of(digest="a" * 64, **WITHOUT), of(digest="b" * 64, **WITHOUT)
    assert compare(digest, digest).verdict == "agree"
    assert compare(digest, other).verdict == "disagree"
    assert compare(digest, of("a")).verdict == "disagree"
    assert compare(digest, other).labels == ()
    assert compare(digest, other).deltas == ()


def test_answers_without_predictions_agree_with_nothing() -> None:
    assert compare(of(**WITHOUT), of(**WITHOUT)).verdict == "unknown"
    assert compare(of("a"), of(**WITHOUT)).verdict == "unknown"
    assert compare(of(**WITHOUT), of(status=500, **WITHOUT)).verdict == "disagree"


def test_classes_and_numbers_are_told_apart() -> None:
    found = compare(of("a", 3, True, 1.5, 2, None, "x"), of("b", 3, False, 2.0, 2.5, "a", 1.0))
    assert found.labels == (("a", "b"), ("3", "3"), ("true", "false"))
    assert found.deltas == (0.5, 0.5)


@pytest.mark.parametrize("value", [1, 1.0, True, "1", None, 2**63, 1e100, 'ü"\x00', 5e-324])
def test_answers_come_back_from_the_database_as_they_were(value: Any) -> None:
    before = of(value, seconds=0.1 + 0.2, tolerance=0.3)
    after = load(dump(before))
    assert after == before
    assert after.predictions is not None
    assert type(after.predictions[0]) is type(value)
