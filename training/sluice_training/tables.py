"""Tables for people in a terminal."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import astuple

from rich.table import Table

from sluice_training.evaluate import Evaluation, Segment
from sluice_training.metrics import NAMES
from sluice_training.validate import Validation

LOWER_IS_BETTER = frozenset({"log_loss", "mae"})
_NOTE = "↓ = lower is better; all others: higher is better. mae = mean |onehot − p|."


def validation_table(results: Iterable[Validation], *, folds: int, rows: int) -> Table:
    """One line per model, mean ± standard deviation over the folds."""
    title = f"Stratified {folds}-fold cross-validation on {rows} rows, mean ± standard deviation"
    table = _table(title, ("model",))
    for result in results:
        both = result.spread
        cells = [f"{m:.3f} ±{d:.3f}" for m, d in zip(astuple(both.mean), astuple(both.deviation), strict=True)]
        table.add_row(result.model, *cells)
    return table


def evaluation_table(evaluation: Evaluation, *, model: str) -> Table:
    """The whole first, then each segment; a dash where a figure is not defined (one class only, no answer)."""
    table = _table(f"Model '{model}' on rows it has never seen", ("segment", "rows", "failed"))
    table.add_row(*_cells(evaluation.whole, "all"), end_section=True)
    for at, part in enumerate(evaluation.segments):
        last = at + 1 == len(evaluation.segments) or evaluation.segments[at + 1].column != part.column
        table.add_row(*_cells(part, f"{part.column}={part.value}"), end_section=last)
    return table


def _table(title: str, leading: tuple[str, ...]) -> Table:
    table = Table(title=title, caption=_NOTE, caption_justify="left", title_justify="left")
    for name in leading:
        table.add_column(name, justify="left" if name == leading[0] else "right", no_wrap=True)
    for name in NAMES:
        table.add_column(_heading(name), justify="right")
    return table


def _heading(name: str) -> str:
    return name.replace("_", " ") + (" ↓" if name in LOWER_IS_BETTER else "")


def _cells(part: Segment, label: str) -> list[str]:
    values = astuple(part.scores) if part.scores else (math.nan,) * len(NAMES)
    return [
        label,
        str(part.rows),
        str(part.failed),
        *("–" if math.isnan(value) else f"{value:.3f}" for value in values),
    ]
