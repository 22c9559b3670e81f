"""The result as a picture (SVG): one panel for each figure, one bar for each strategy."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.strategies.grades import touched
from benchmarks.strategies.results import Result, Row

Figured = Callable[[Row], float | None]

PANELS: Sequence[tuple[str, Figured]] = (
    ("good: failed requests", lambda row: row.good.failed),
    ("good: seconds nobody served", lambda row: row.good.downtime),
    ("good: real requests before all", lambda row: row.good.tested_before + (row.good.copies or 0)),
    (
        "good: users who switched\nwhile the split stayed",
        lambda row: row.good.flips.constant if row.good.flips else None,
    ),
    ("good: pod-seconds above steady", lambda row: row.good.pod_seconds),
    ("command to all back, s", lambda row: row.command.back_seconds),
    ("bad: users who were touched", touched),
    ("bad: decision to all back, s", lambda row: row.bad.decided_to_back),
)
COLOURS = {"recreate": "#b5523b", "blueGreen": "#3b6fb5", "canary": "#c9a227", "shadow": "#6b6b6b", "abTest": "#3b8f5a"}


def svg(result: Result) -> str:
    """Draw the result; the same result gives the same text."""
    target = io.StringIO()
    # Text stays text; names inside the file do not depend on the run.
    with rc_context({"svg.fonttype": "none", "svg.hashsalt": "sluice", "font.size": 8}):
        figure = Figure(figsize=(11, 4.6), layout="constrained")
        for axes, (title, value) in zip(figure.subplots(2, 4).flat, PANELS, strict=True):
            _panel(axes, title, [(row.strategy, value(row)) for row in result.strategies])
        figure.savefig(target, format="svg", metadata={"Date": None})
    return "\n".join(line.rstrip() for line in target.getvalue().splitlines()) + "\n"


def _panel(axes: Axes, title: str, values: Sequence[tuple[str, float | None]]) -> None:
    names = [name for name, _ in values]
    lengths = [value or 0.0 for _, value in values]
    bars = axes.barh(names, lengths, color=[COLOURS.get(name, "#999999") for name in names])
    axes.bar_label(bars, labels=[shown(value) for _, value in values], padding=3)
    axes.set_title(title, fontsize=9)
    axes.set_xlim(0, 1.3 * max(lengths, default=0.0) or 1.0)
    axes.invert_yaxis()
    axes.set_xticks([])
    for side in ("top", "right", "bottom"):
        axes.spines[side].set_visible(False)


def shown(value: float | None) -> str:
    """Return a figure as it stands beside its bar; what was not measured has none."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if isinstance(value, int) or value >= 100 else f"{value:.1f}"
