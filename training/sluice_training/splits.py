"""Set rows aside that no model sees before it is judged by them."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
from sklearn.model_selection import train_test_split

from sluice_training.data import Dataset

HELD_OUT_SHARE = 0.25


@dataclass(frozen=True)
class Split:
    """Rows to learn from, and rows to judge by."""

    train: Dataset
    held_out: Dataset


def split(data: Dataset, *, seed: int = 0) -> Split:
    """Hold out a quarter of the rows, with the same share of every species in both parts."""
    train, held_out = train_test_split(
        data.features.index, test_size=HELD_OUT_SHARE, stratify=data.species, random_state=seed
    )
    return Split(train=_take(data, train), held_out=_take(data, held_out))


def _take(data: Dataset, index: pd.Index[int]) -> Dataset:
    ordered = index.sort_values()
    return Dataset(data.features.loc[ordered], data.species.loc[ordered])
