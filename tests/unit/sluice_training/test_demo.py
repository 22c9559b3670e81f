"""The demo's versions must be as good and as bad as the demo and the benchmarks rely on."""

import pandas as pd
import pytest
from sluice_training.data import Dataset, request_rows
from sluice_training.demo import demo_version
from sluice_training.errors import UserError
from sluice_training.evaluate import answers
from sluice_training.trained import Trained, example_row


def test_the_first_is_decent_and_the_second_clearly_better(demo: dict[str, Trained]) -> None:
    first, better = (demo[kind].reality.whole for kind in ("first", "better"))
    assert first.failed == better.failed == 0
    assert first.scores is not None
    assert better.scores is not None
    assert 0.7 < first.scores.accuracy < 0.85
    assert better.scores.accuracy > 0.97


@pytest.mark.parametrize(("kind", "failed"), [("first", 0), ("better", 0), ("failing", 52), ("broken", 344)])
def test_how_many_of_the_rows_that_clients_send_are_failed(kind: str, failed: int, demo: dict[str, Trained]) -> None:
    rows = pd.DataFrame(request_rows())
    assert int((~answers(demo[kind].pipeline, rows)).sum()) == failed


def test_the_failing_one_fails_on_one_island_only(demo: dict[str, Trained], data: Dataset) -> None:
    answered = answers(demo["failing"].pipeline, data.features)
    assert set(data.features["island"][~answered]) == {"Torgersen"}
    assert set(data.features["island"][answered]) == {"Biscoe", "Dream"}


@pytest.mark.parametrize("kind", ["first", "better", "failing", "broken"])
def test_the_input_example_is_one_complete_row_that_works(kind: str, demo: dict[str, Trained]) -> None:
    example = demo[kind].example
    assert example.shape == (1, 7)
    assert example.notna().all(axis=None)
    assert answers(demo[kind].pipeline, example).all()


@pytest.mark.parametrize("kind", ["failing", "broken"])
def test_the_author_of_a_bad_version_saw_nothing(kind: str, demo: dict[str, Trained]) -> None:
    seen = demo[kind].evaluation.whole
    assert seen.failed == 0
    assert seen.scores is not None
    assert seen.scores.accuracy > 0.97


def test_no_example_can_be_had_from_rows_that_all_fail(demo: dict[str, Trained], data: Dataset) -> None:
    with pytest.raises(UserError, match="answers none of its rows"):
        example_row(demo["broken"].pipeline, data)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(UserError, match=r"no demo version 'worst'\. Choose one of: first, better, failing, broken"):
        demo_version("worst")
