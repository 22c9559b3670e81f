"""`kubectl sluice explain NAME [ROLLOUT]`: every decision, who or what made it, and from what."""

from __future__ import annotations

from datetime import timedelta

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from sluice.cli import reading, records, words
from sluice.cli.records import DecisionView, RolloutView
from sluice.cli.render import differing, to_json, write
from sluice.cli.session import Session


def run(session: Session) -> int:
    """Tell one rollout."""
    found = reading.records(session.api, session.namespace, session.name)
    if not found:
        reading.model_deployment(session.api, session.namespace, session.name)
        session.warn(f"No rollout of {session.name} is on record yet.")
        return 0
    record = records.find(found, session.options.record)
    shown, decided = records.rollout(record), records.decisions(record)
    if session.json:
        session.say(to_json({"rollout": shown, "decisions": decided}))
    else:
        write(session.out, story(shown, decided))
    return 0


def story(shown: RolloutView, decided: tuple[DecisionView, ...]) -> RenderableType:
    """Return the rollout as a story."""
    length = f" after {words.span(timedelta(seconds=shown.seconds))}" if shown.seconds is not None else ""
    strategy = f"{shown.strategy} of {shown.unit}" if shown.unit else shown.strategy
    head = Text.assemble(
        (f"Rollout {shown.number}: {shown.stable} → {shown.candidate}", "bold"),
        f" (revision {shown.revision}, {strategy}, record {shown.record})",
    )
    outcome = Text(f"{shown.outcome}{length}" + (f": {shown.cause}" if shown.cause else ""), style="bold")
    lines: list[RenderableType] = [head, outcome, Text(shown.message)] if shown.message else [head, outcome]
    lines += [Text(variant) for variant in shown.variants]
    if shown.pairs:
        lines += [Text(f"In the shadow: {shown.pairs.statement or 'no pair yet'}"), differing(shown.pairs)]
    lines.append(Text(f"Decisions ({records.clock(shown.started)[:10]}, UTC):", style="dim"))
    table = Table.grid(padding=(0, 2, 0, 0))
    for number, one in enumerate(decided):
        if number and one.number > decided[number - 1].number + 1:
            left_out = one.number - decided[number - 1].number - 1
            table.add_row("…", f"{left_out} decisions were left out of the record for want of room", style="dim")
        table.add_row(records.clock(one.at)[11:], _decision(one))
        table.add_row("", Text(_made(one), style="dim"))
    return Group(*lines, table)


def _decision(one: DecisionView) -> Text:
    style = "bold red" if one.warning else "bold"
    line = Text.assemble((one.reason, style), f"  {one.message}")
    return line.append(f"  (asked for by {one.actor})") if one.actor else line


def _made(one: DecisionView) -> str:
    after = " · ".join(filter(None, (f"then {one.weight} %", one.step, one.verdict)))
    return f"rule {one.rule} · {one.inputs} · {after}"
