import io

import numpy as np
import pytest
from rich.console import Console
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sluice_training.errors import UserError
from sluice_training.pipelines import build
from sluice_training.splits import Split
from sluice_training.tables import validation_table
from sluice_training.validate import validate


def test_the_folds_agree_with_sklearn(parts: Split) -> None:
    (mine,) = validate(["tree"], parts.train, folds=5, seed=3)
    folds = StratifiedKFold(n_splits=5, shuffle=True, random_state=3)
    theirs = cross_val_score(build("tree", seed=3), parts.train.features, parts.train.species, cv=folds)
    np.testing.assert_allclose([fold.accuracy for fold in mine.folds], theirs)


def test_the_table_says_mean_and_deviation_of_every_model(parts: Split) -> None:
    results = list(validate(["baseline", "logistic"], parts.train, folds=3))
    console = Console(width=160, file=io.StringIO(), record=True)
    console.print(validation_table(results, folds=3, rows=len(parts.train)))
    text = console.export_text()
    best = results[1].spread
    assert f"{best.mean.accuracy:.3f} ±{best.deviation.accuracy:.3f}" in text
    for word in ("baseline", "logistic", "sensitivity", "specificity", "auc roc", "mae ↓", "3-fold", "258 rows"):
        assert word in text


@pytest.mark.parametrize("folds", [-1, 0, 1, 52])
def test_impossible_folds_are_refused(folds: int, parts: Split) -> None:
    with pytest.raises(UserError, match=rf"{folds} folds are not possible here: give a number from 2 to 51"):
        next(validate(["baseline"], parts.train, folds=folds))
