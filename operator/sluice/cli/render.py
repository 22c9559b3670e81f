"""How a view looks in a terminal: a tree, plain where there is none."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import TextIO

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from sluice.cli import words
from sluice.cli.advice import Advice
from sluice.cli.pairs import PairsView, details
from sluice.cli.states import Tone
from sluice.cli.steps import COMING, CURRENT, DONE
from sluice.cli.variants import VariantView
from sluice.cli.view import ArmView, EvidenceView, PodView, RevisionView, TestView, UnitsView, View

STYLES = {Tone.GOOD: "green", Tone.BUSY: "cyan", Tone.WAITS: "yellow", Tone.BAD: "bold red"}
MARKS = {Tone.GOOD: "✓", Tone.BUSY: "▶", Tone.WAITS: "‖", Tone.BAD: "✗"}
STEP_STYLES = {DONE: "green", CURRENT: "bold cyan", COMING: "dim"}
BAR = 20
# Nobody wraps lines in a pipe: grep and logs want whole sentences.
PIPE_WIDTH = 1000
INDENT = 10


def console(stream: TextIO) -> Console:
    """Return a console; in a pipe without colours and without line breaks of ours. rich heeds NO_COLOR and COLUMNS."""
    width = None if stream.isatty() or "COLUMNS" in os.environ else PIPE_WIDTH
    return Console(file=stream, highlight=False, markup=False, width=width)


def write(stream: TextIO, content: RenderableType) -> None:
    """Print something; no line ends in blanks, and nothing in colour where nobody sees it."""
    terminal = console(stream)
    if terminal.is_terminal:
        terminal.print(content)
        return
    with terminal.capture() as captured:
        terminal.print(content)
    stream.write("\n".join(line.rstrip() for line in captured.get().splitlines()) + "\n")
    stream.flush()


def screen(view: View, advice: Sequence[Advice]) -> RenderableType:
    """Return everything there is to see of a ModelDeployment."""
    parts: list[RenderableType] = [_tree(view)]
    if view.steps:
        parts += [Text(), _row("Steps", _steps(view))]
    if view.evidence:
        parts.append(_row("Evidence", _evidence(view.evidence)))
    if view.message:
        parts.append(_row("Why", Text(view.message)))
    if view.last_action:
        parts.append(_row("Asked", Text(view.last_action)))
    if advice:
        parts += [Text("You can", style="bold"), Lines(tuple(advice))]
    return Group(*parts)


def to_json(value: object) -> str:
    """Write a view for scripts."""
    return json.dumps(_camel(value), indent=2, ensure_ascii=False)


def _tree(view: View) -> RenderableType:
    head = Text.assemble(
        (view.name, "bold"), "  ", (f"{MARKS[view.tone]} {view.state}", STYLES[view.tone]),
        ("  " + " · ".join(filter(None, (view.strategy, view.uri, f"namespace {view.namespace}", view.age))), "dim"),
    )  # fmt: skip
    if not view.seen and view.revisions and view.state != "Being deleted":
        head.append("  the operator has not seen the last change yet", "yellow")
    tree = Tree(head, guide_style="dim")
    for revision in view.revisions:
        branch = tree.add(_revision(revision))
        for pod in revision.pods:
            branch.add(_pod(pod))
    if view.hidden:
        tree.add(Text(f"and {view.hidden} older ones", style="dim"))
    return tree


def _revision(one: RevisionView) -> Text:
    weight = "" if one.weight is None else f"{one.weight} %"
    style = {"stable": "green", "candidate": "cyan", "rejected": "red"}.get(one.role, "dim")
    line = Text.assemble((f"{one.role:<10}", style), (f"{one.version:<14}", "bold"), (f"{one.revision}  ", "dim"))
    if weight:
        line.append(f"{weight:>5}  ")
    if one.pods:
        line.append(f"{one.ready}/{len(one.pods)} pods ready  ")
    return line.append(one.note, "" if one.role in ("rejected", "tested") else "dim")


def _pod(pod: PodView) -> Text:
    line = Text.assemble((pod.name, "dim"), "  ", (pod.state, STYLES[pod.tone]), f"  {pod.age}")
    if pod.restarts:
        line.append(f"  {pod.restarts} restart{'s' if pod.restarts > 1 else ''}", "yellow")
    return line.append(f"  {pod.trouble}" if pod.trouble else "", STYLES[pod.tone] if pod.tone is Tone.BAD else "")


def _row(title: str, content: RenderableType) -> RenderableType:
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(width=INDENT - 2, style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row(title, content)
    return table


def _steps(view: View) -> Text:
    line = Text()
    for number, step in enumerate(view.steps):
        line.append(" · " if number else "", "dim").append(step.text, STEP_STYLES.get(step.state, "dim"))
    return line


def _evidence(seen: EvidenceView) -> RenderableType:
    parts: list[RenderableType] = [_pairs(seen.pairs) if seen.pairs else _counts(seen)]
    if seen.test:
        parts = [_test(seen.test), Text(seen.test.statement), Text(f"guards, by {seen.test.counts}:", "dim"), *parts]
    if seen.shadow:
        parts.append(Text(f"in the shadow {seen.shadow}", "dim"))
    shares = (("proof of harm", seen.harm, "red"), ("proof of safety", seen.safe, "green"))
    for title, share, colour in shares:
        if share is not None:
            parts.append(_bar(title, share, colour))
    parts += [_variant(one) for one in seen.variants]
    if seen.metrics:
        parts.append(Text(f"tolerated: {'; '.join(seen.metrics)}", style="dim"))
    return Group(*parts)


def _variant(one: VariantView) -> Text:
    line = Text.assemble((f"{one.name} {one.version}", "bold"), "  ")
    if one.dropped:
        return line.append(f"dropped: {one.dropped}", "red")
    line.append(one.statement)
    shares = (
        f"{title} {words.whole(share)}"
        for title, share in (("harm", one.harm), ("safe", one.safe))
        if share is not None
    )
    return line.append(f"  {', '.join(shares)} of a proof", "dim")


def _counts(seen: EvidenceView) -> RenderableType:
    counts = _grid(5)
    counts.add_row("", seen.units, "errors", "rate", f"errors at {seen.weight} %", style="dim")
    counts.add_row("stable", *_arm(seen.stable))
    counts.add_row("candidate", *_arm(seen.candidate))
    return counts


def _pairs(seen: PairsView) -> RenderableType:
    counts = _grid(6)
    counts.add_row("", "requests", "different", "candidate failed", "stable failed", "both failed", style="dim")
    numbers = (seen.joined, seen.different, seen.candidate_failed, seen.stable_failed, seen.both_failed)
    counts.add_row("answered by both", *(str(number) for number in numbers))
    return Group(counts, *([Text(seen.statement)] if seen.statement else []), differing(seen))


def differing(seen: PairsView) -> RenderableType:
    """Return in what the answers of both versions differ."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for what, how in details(seen):
        table.add_row(what, Text(how))
    return table


def _test(seen: TestView) -> RenderableType:
    counts = _grid(5)
    counts.add_row("", seen.unit, "that count", seen.metric, "seen elsewhere too", style="dim")
    counts.add_row("stable", *_units(seen.stable))
    counts.add_row("candidate", *_units(seen.candidate))
    return counts


def _units(seen: UnitsView) -> tuple[str, ...]:
    mean = "–" if seen.mean is None else f"{seen.mean:.4g}"
    return str(seen.units), str(seen.matured), mean, str(seen.crossed)


def _grid(columns: int) -> Table:
    grid = Table.grid(padding=(0, 3, 0, 0))
    grid.add_column()
    for _ in range(columns - 1):
        grid.add_column(justify="right")
    return grid


def _arm(arm: ArmView) -> tuple[str, ...]:
    here = f"{arm.errors_at_weight} of {arm.requests_at_weight}"
    return str(arm.requests), str(arm.errors), words.rate(arm.errors, arm.requests), here


def _bar(title: str, share: float, colour: str) -> Text:
    full = max(0, min(BAR, int(share * BAR)))
    return Text.assemble(f"{title:<16}", ("█" * full, colour), ("░" * (BAR - full), "dim"), f" {words.whole(share)}")


@dataclass(frozen=True)
class Lines:
    """Commands to paste: none is ever broken by us; what it does stands behind it, or above where that is too far."""

    advice: tuple[Advice, ...]

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Lay them out for the width there is."""
        longest = max(len(one.command) for one in self.advice)
        beside = all(longest + len(one.why) + 7 <= options.max_width for one in self.advice if one.command)
        for one in self.advice:
            if not one.command:
                yield Text(f"  {one.why}")
            elif beside:
                yield Text.assemble("  ", (f"{one.command:<{longest}}", "bold"), (f"   # {one.why}", "dim"))
            else:
                yield Text(f"  # {one.why}", style="dim")
                yield Text(f"  {one.command}", style="bold", no_wrap=True, overflow="ignore")


@dataclass(frozen=True)
class Columns:
    """A table as kubectl prints them: only what goes beyond the end of the line is cut."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str | Text, ...], ...]
    right: tuple[str, ...] = ()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Lay it out for the width there is."""
        every = (self.headings, *self.rows)
        widths = [max(len(row[number]) for row in every) for number in range(len(self.headings))]
        for row in every:
            line = Text(no_wrap=True)
            for cell, width, heading in zip(row, widths, self.headings, strict=True):
                space = " " * (width - len(cell))
                line.append(space if heading in self.right else "").append(cell)
                line.append("" if heading in self.right else space).append("   ")
            line.rstrip()
            line.truncate(options.max_width, overflow="ellipsis")
            yield line


def table(headings: Sequence[str], rows: Iterable[Sequence[str | Text]], right: Sequence[str] = ()) -> RenderableType:
    """Return a table; the columns in `right` are flush right."""
    return Columns(tuple(headings), tuple(tuple(row) for row in rows), tuple(right))


def _camel(value: object) -> object:
    if hasattr(value, "__dataclass_fields__"):
        return _camel(asdict(value))  # type: ignore[call-overload]
    if isinstance(value, dict):
        return {_name(key): _camel(item) for key, item in value.items()}
    return [_camel(item) for item in value] if isinstance(value, list | tuple) else value


def _name(key: str) -> str:
    first, *rest = key.split("_")
    return first + "".join(part.title() for part in rest)
