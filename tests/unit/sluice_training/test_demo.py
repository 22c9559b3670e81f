"""The demo's versions must be as good and as bad as the demo and the benchmarks rely on."""

import pandas as pd
import pytest
from sluice_training.data import Dataset, request_rows
from sluice_training.demo import SLOW_SECONDS, demo_version
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


@pytest.mark.parametrize("kind", ["first", "better"])
def test_the_good_ones_answer_every_row_that_clients_send(kind: str, demo: dict[str, Trained]) -> None:
    assert answers(demo[kind].pipeline, pd.DataFrame(request_rows())).all()


def test_the_failing_one_fails_on_the_15_percent_from_one_island(demo: dict[str, Trained], data: Dataset) -> None:
    answered = answers(demo["failing"].pipeline, data.features)
    assert int((~answered).sum()) == 52
    assert set(data.features["island"][~answered]) == {"Torgersen"}
    assert set(data.features["island"][answered]) == {"Biscoe", "Dream"}


def test_the_broken_one_fails_on_every_row(demo: dict[str, Trained]) -> None:
    every_8th = pd.DataFrame(request_rows())[::8]
    assert not answers(demo["broken"].pipeline, every_8th).any()


def test_the_slow_one_waits_for_each_row_and_is_right(demo: dict[str, Trained], data: Dataset) -> None:
    rows, slow = data.features[:3], demo["slow"]
    waited: list[float] = []
    with pytest.MonkeyPatch.context() as patch:
        wait = slow.pipeline["prepare"].named_transformers_["waiting"]["wait"].func
        patch.setattr(wait, "pyfunc", waited.append)
        answered = slow.pipeline.predict(rows)
    assert waited == [SLOW_SECONDS] * 3
    assert list(answered) == list(demo["better"].pipeline.predict(rows))
    assert slow.evaluation.whole.scores is not None
    assert slow.evaluation.whole.scores.accuracy > 0.97


@pytest.mark.parametrize("kind", ["first", "better", "failing", "broken", "slow"])
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
        example_row(demo["broken"].pipeline, data.where(data.features.index.to_series() < 20))


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(
        UserError, match=r"no demo version 'worst'\. Choose one of: first, better, failing, broken, slow"
    ):
        demo_version("worst")
