"""The Palmer penguins: 344 real birds with categories and missing values.

The rows come from the CSV file inside the installed package `palmerpenguins`; nothing is downloaded. Source of the
data: Gorman, Williams and Fraser (2014), PLoS ONE 9(3): e90081, doi:10.1371/journal.pone.0090081.

The task is to tell the species of a bird (three classes) from what a person measures in the field. Lengths are in
millimetres, the mass is in grams, the year is the year of the study (2007 to 2009).
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

import pandas as pd

TARGET = "species"
NUMBERS = ("bill_length_mm", "bill_depth_mm", "flipper_length_mm", "body_mass_g")
CATEGORIES = ("island", "sex")
YEAR = "year"
FEATURES = ("island", *NUMBERS, "sex", YEAR)
SEGMENTS = ("island", "sex", "year")

Value = str | float | int | None


@dataclass(frozen=True)
class Dataset:
    """Rows with their labels: `features` has the columns `FEATURES`, `species` the same index."""

    features: pd.DataFrame
    species: pd.Series[str]

    def __len__(self) -> int:
        return len(self.features)

    def where(self, mask: pd.Series[bool]) -> Dataset:
        """Only the rows for which the mask is true."""
        return Dataset(self.features[mask], self.species[mask])


def load() -> Dataset:
    """Read all rows from the installed package, in the order of the file."""
    path = files("palmerpenguins").joinpath("data/penguins.csv")
    with path.open("rb") as stream:
        table = pd.read_csv(stream)
    numeric = dict.fromkeys(NUMBERS, "float64")
    return Dataset(table[list(FEATURES)].astype(numeric), table[TARGET].astype(object))


def request_rows(*, seed: int = 0) -> list[dict[str, Value]]:
    """All rows as JSON-able records (a missing value is None), in a mixed but repeatable order.

    The file is sorted by species and island; a client that sent the rows in that order would meet the same kind of
    bird for seconds at a time.
    """
    return to_records(load().features.sample(frac=1.0, random_state=seed))


def to_records(features: pd.DataFrame) -> list[dict[str, Value]]:
    """Turn a table into records that `json.dumps` accepts: NaN, which is not JSON, becomes None."""
    plain = features.astype(object).where(features.notna(), None)
    return [{str(name): value for name, value in row.items()} for row in plain.to_dict("records")]
