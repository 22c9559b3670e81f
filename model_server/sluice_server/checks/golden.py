"""The golden set: rows that a version was judged by when it was made, with their labels, as a file among its own.

It belongs to the files of the model, so the digest covers it and nobody changes it later. MLflow knows evaluation data
only as a note on a run, by name and digest; its input example has no labels.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sluice_server.checks.answer import CantTellError

FOLDER = "golden"
FILE = "golden.json"


@dataclass(frozen=True)
class GoldenRows:
    """Rows as `dataframe_split` has them: `data` is one list of values a row, `labels` has one label for each."""

    columns: tuple[str, ...]
    data: tuple[tuple[Any, ...], ...]
    labels: tuple[Any, ...]

    def first(self, rows: int) -> "GoldenRows":
        """Only so many rows."""
        return GoldenRows(self.columns, self.data[:rows], self.labels[:rows])

    def write(self, folder: Path) -> Path:
        """Writes the file into a folder; returns where."""
        file = folder / FILE
        split = {"columns": self.columns, "data": self.data}
        file.write_text(json.dumps({"dataframe_split": split, "labels": self.labels}, allow_nan=False))
        return file


def read(model: Path, what: str) -> GoldenRows:
    """Reads the golden set of a model, which `what` names in sentences.

    Raises:
        CantTellError: there is none, or not one that can be read.
    """
    file = model / FOLDER / FILE
    if not file.is_file():
        raise CantTellError(
            f"{what} has no golden set: add {FOLDER}/{FILE} to its files when it is logged "
            "(docs/training.md, 'The golden set')"
        )
    try:
        content = json.loads(file.read_bytes())
        split, labels = content["dataframe_split"], content["labels"]
        rows = GoldenRows(tuple(split["columns"]), tuple(tuple(row) for row in split["data"]), tuple(labels))
    except (ValueError, KeyError, TypeError) as error:
        raise CantTellError(
            f"{FOLDER}/{FILE} of {what} can't be read ({type(error).__name__}: {error}): write "
            '{"dataframe_split": {"columns": […], "data": [[…], …]}, "labels": […]}'
        ) from error
    if not rows.labels or len(rows.labels) != len(rows.data):
        raise CantTellError(
            f"{FOLDER}/{FILE} of {what} has {len(rows.data)} rows and {len(rows.labels)} labels: "
            "it needs one label for each row, and at least one row"
        )
    return rows
