import json
import math

from sluice_training.data import CATEGORIES, FEATURES, NUMBERS, Dataset, request_rows
from sluice_training.splits import Split


def test_the_whole_real_data_set_is_there(data: Dataset) -> None:
    assert len(data) == 344
    assert tuple(data.features.columns) == FEATURES
    assert data.species.value_counts().to_dict() == {"Adelie": 152, "Gentoo": 124, "Chinstrap": 68}


def test_it_has_missing_numbers_and_categories(data: Dataset) -> None:
    missing = data.features.isna().sum().to_dict()
    assert missing == dict.fromkeys(NUMBERS, 2) | {"sex": 11, "island": 0, "year": 0}
    assert {str(data.features[name].dtype) for name in NUMBERS} == {"float64"}
    assert {str(data.features[name].dtype) for name in CATEGORIES} == {"object"}


def test_the_split_is_a_partition_with_equal_shares(data: Dataset, parts: Split) -> None:
    train, held_out = set(parts.train.features.index), set(parts.held_out.features.index)
    assert not train & held_out
    assert train | held_out == set(data.features.index)
    assert len(held_out) == 86
    shares = parts.train.species.value_counts(normalize=True)
    difference = parts.held_out.species.value_counts(normalize=True).sub(shares)
    assert difference.abs().max() < 0.01


def test_labels_stay_with_their_rows(data: Dataset, parts: Split) -> None:
    for part in (parts.train, parts.held_out):
        assert part.species.equals(data.species.loc[part.features.index])


def test_request_rows_are_json_with_null_for_missing() -> None:
    rows = request_rows()
    assert len(rows) == 344
    assert json.loads(json.dumps(rows, allow_nan=False)) == rows
    assert sum(row["sex"] is None for row in rows) == 11
    assert sum(row["bill_length_mm"] is None for row in rows) == 2
    assert not any(isinstance(value, float) and math.isnan(value) for row in rows for value in row.values())
    assert {type(row["year"]) for row in rows} == {int}


def test_request_rows_are_the_data_in_a_mixed_repeatable_order(data: Dataset) -> None:
    rows = request_rows()
    assert rows == request_rows()
    assert rows != request_rows(seed=1)
    key = json.dumps
    plain = data.features.astype(object).where(data.features.notna(), None)
    assert sorted(map(key, rows)) == sorted(map(key, plain.to_dict("records")))
    for start in range(0, 300, 50):  # every stretch of 50 rows has birds of all islands
        assert {row["island"] for row in rows[start : start + 50]} == {"Biscoe", "Dream", "Torgersen"}
