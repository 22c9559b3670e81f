"""How the demo looks in a terminal: live where there is one, else a line now and then."""

from __future__ import annotations

import time
from collections import Counter
from types import TracebackType

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from hack.demo.watching import Sight
from hack.load import Answer

LINE_SECONDS = 5.0
WINDOW_SECONDS = 3.0


class View:
    """Shows what happens. Events are printed once each, above the live part."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, refresh_per_second=4, transient=True) if console.is_terminal else None
        self._told = 0
        self._last_line = 0.0
        self._title = ""

    def __enter__(self) -> View:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def title(self, text: str) -> None:
        """Begin a chapter."""
        self._title = text
        self._console.print(f"\n[bold]{text}[/bold]")

    def show(self, sight: Sight, answers: list[Answer]) -> None:
        """Show a moment: events, weights, evidence and what clients got."""
        for kind, reason, message in sight.events[self._told :]:
            colour = "green" if kind == "Normal" else "red"
            self._console.print(Text.assemble((f"  {reason:<15} ", colour), message))
        self._told = max(self._told, len(sight.events))
        if self._live:
            self._live.update(self._panel(sight, answers))
        elif time.monotonic() - self._last_line >= LINE_SECONDS:
            self._last_line = time.monotonic()
            self._console.print(Text(f"  … {sight.status.get('message', 'waiting for the operator')}", style="dim"))

    def say(self, text: str) -> None:
        """Print a line that stays."""
        self._console.print(f"  [bold]✓[/bold] {text}")

    def forget(self) -> None:
        """Start over with the events of a new object."""
        self._told = 0

    def _panel(self, sight: Sight, answers: list[Answer]) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        for version, weight in _weights(sight):
            table.add_row(f"version {version}", _bar(weight), f"{weight} %", _served(version, answers))
        lines: list[RenderableType] = [table]
        step = sight.status.get("step")
        if step:
            lines.append(Text(f"step {step}"))
        lines.append(Text(sight.status.get("message", "waiting for the operator")))
        failed = sum(answer.failed for answer in answers)
        lines.append(
            Text(f"clients: {len(answers)} requests so far, {failed} failed", style="red" if failed else "dim")
        )
        return Panel(Group(*lines), title=self._title, width=min(120, self._console.width))


def _weights(sight: Sight) -> list[tuple[str, int]]:
    rows = [(sight.stable, 100 - sight.weight)] if sight.stable else []
    return rows + ([(sight.candidate, sight.weight)] if sight.candidate else [])


def _bar(weight: int) -> Text:
    full = round(weight * 40 / 100)
    return Text("█" * full + "░" * (40 - full), style="cyan")


def _served(version: str, answers: list[Answer]) -> str:
    since = time.monotonic() - WINDOW_SECONDS
    recent = Counter(a.failed for a in answers[-2000:] if a.done >= since and a.version == version)
    rate = sum(recent.values()) / WINDOW_SECONDS
    return f"{rate:4.0f} requests/s, {recent[True] / WINDOW_SECONDS:3.0f} failing/s"
