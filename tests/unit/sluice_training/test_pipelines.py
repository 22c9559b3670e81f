import numpy as np
import pandas as pd
import pytest
import skops.io
from sluice_server.trusted_types import TRUSTED_TYPES
from sluice_training.data import FEATURES, Dataset
from sluice_training.errors import UserError
from sluice_training.evaluate import answers
from sluice_training.pipelines import CANDIDATES, build, preprocessing
from sluice_training.splits import Split

NOTHING_KNOWN = pd.DataFrame([dict.fromkeys(FEATURES)]).astype({"year": "float64"})


@pytest.mark.parametrize("name", CANDIDATES)
def test_every_candidate_learns_is_saved_safely_and_answers_every_row(name: str, data: Dataset, parts: Split) -> None:
    fitted = build(name).fit(parts.train.features, parts.train.species)
    saved = skops.io.dumps(fitted)
    assert set(skops.io.get_untrusted_types(data=saved)) <= set(TRUSTED_TYPES)
    loaded = skops.io.loads(saved, trusted=list(TRUSTED_TYPES))
    assert answers(loaded, data.features).all()
    assert list(loaded.predict(data.features)) == list(fitted.predict(data.features))
    np.testing.assert_array_equal(loaded.predict_proba(data.features), fitted.predict_proba(data.features))
    right = fitted.score(parts.held_out.features, parts.held_out.species)
    assert right > 0.9 if name != "baseline" else right < 0.5


def test_a_missing_text_is_the_same_whether_none_or_nan(data: Dataset, parts: Split) -> None:
    fitted = build("logistic").fit(parts.train.features, parts.train.species)
    gaps = data.features[data.features["sex"].isna()]
    as_json = gaps.assign(sex=pd.Series([None] * len(gaps), index=gaps.index, dtype=object))
    np.testing.assert_array_equal(fitted.predict_proba(as_json), fitted.predict_proba(gaps))


def test_a_row_that_says_nothing_is_answered(parts: Split) -> None:
    fitted = build("logistic").fit(parts.train.features, parts.train.species)
    assert fitted.predict(NOTHING_KNOWN)[0] in {"Adelie", "Gentoo", "Chinstrap"}


@pytest.mark.parametrize(("on_unknown", "answered"), [("ignore", True), ("error", False)])
def test_an_unknown_category_is_ignored_or_refused(on_unknown: str, answered: bool, parts: Split) -> None:
    prepare = preprocessing(on_unknown="error" if on_unknown == "error" else "ignore")
    fitted = build("logistic", prepare=prepare).fit(parts.train.features, parts.train.species)
    elsewhere = parts.held_out.features.head(1).assign(island="Anvers")
    assert bool(answers(fitted, elsewhere).all()) is answered


def test_imputation_learns_from_the_training_rows_only(parts: Split) -> None:
    prepare = preprocessing(["body_mass_g"], []).fit(parts.train.features)
    median = prepare.named_transformers_["numbers"].named_steps["impute"].statistics_[0]
    assert median == parts.train.features["body_mass_g"].median()


def test_the_same_seed_gives_the_same_model(parts: Split) -> None:
    one, two = (build("forest", seed=7).fit(parts.train.features, parts.train.species) for _ in range(2))
    np.testing.assert_array_equal(
        one.predict_proba(parts.held_out.features), two.predict_proba(parts.held_out.features)
    )


def test_an_unknown_name_is_refused_with_the_names_there_are() -> None:
    with pytest.raises(UserError, match=r"no model 'svm'\. Choose one of: baseline, logistic, tree"):
        build("svm")
