import io

import pytest
from rich.console import Console
from sluice_training.errors import UserError
from sluice_training.evaluate import Evaluation, evaluate
from sluice_training.pipelines import build
from sluice_training.splits import Split
from sluice_training.tables import evaluation_table
from sluice_training.trained import Trained, figures
from sluice_training.validate import score_pipeline


@pytest.fixture(scope="module")
def judged(parts: Split) -> Evaluation:
    fitted = build("tree").fit(parts.train.features, parts.train.species)
    return evaluate(fitted, parts.held_out)


def test_segments_of_a_column_cover_all_rows(judged: Evaluation) -> None:
    for column in ("island", "sex", "year"):
        segments = [each for each in judged.segments if each.column == column]
        assert sum(each.rows for each in segments) == judged.whole.rows == 86
        right = sum(each.rows * each.scores.accuracy for each in segments if each.scores)
        assert judged.whole.scores is not None
        assert right == pytest.approx(86 * judged.whole.scores.accuracy)


def test_rows_with_a_missing_value_are_a_segment(judged: Evaluation) -> None:
    assert [each.value for each in judged.segments if each.column == "sex"] == ["female", "male", "unknown"]


def test_a_segment_is_scored_on_its_own_rows(parts: Split) -> None:
    fitted = build("tree").fit(parts.train.features, parts.train.species)
    (dream,) = [each for each in evaluate(fitted, parts.held_out, by=["island"]).segments if each.value == "Dream"]
    assert dream.scores == score_pipeline(fitted, parts.held_out.where(parts.held_out.features["island"] == "Dream"))


def test_failed_rows_are_counted_and_not_scored(demo: dict[str, Trained]) -> None:
    islands = {each.value: each for each in demo["failing"].reality.segments if each.column == "island"}
    assert islands["Torgersen"].failed == islands["Torgersen"].rows == 13
    assert islands["Torgersen"].scores is None
    assert islands["Biscoe"].failed == islands["Dream"].failed == 0


def test_the_table_and_the_figures_leave_out_what_is_undefined(demo: dict[str, Trained]) -> None:
    console = Console(width=160, file=io.StringIO(), record=True)
    console.print(evaluation_table(demo["failing"].reality, model="failing"))
    line = next(line for line in console.export_text().splitlines() if "Torgersen" in line)
    assert line.count("–") == 9
    names = dict(figures(demo["better"].reality))
    assert "heldout/sex/unknown/accuracy" in names
    assert "heldout/island/Torgersen/accuracy" in names
    assert "heldout/island/Torgersen/auc_roc" not in names  # one species only


def test_an_unknown_column_is_refused(parts: Split) -> None:
    with pytest.raises(UserError, match=r"no column 'age' to form segments by\. Choose from: island"):
        evaluate(build("baseline").fit(parts.train.features, parts.train.species), parts.held_out, by=["age"])
