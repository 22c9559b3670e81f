"""`kubectl sluice list`: all ModelDeployments, and which of them wants something."""

from __future__ import annotations

from rich.text import Text

from sluice.cli import names, reading, view
from sluice.cli.render import STYLES, table, to_json, write
from sluice.cli.session import Session

HEADINGS = ("NAME", "STATE", "STABLE", "CANDIDATE", "WEIGHT", "STEP", "READY", "AGE", "MESSAGE")


def run(session: Session) -> int:
    """Print one line for each."""
    everywhere = session.options.all_namespaces
    found = reading.model_deployments(session.api, None if everywhere else session.namespace)
    views = [view.build(raw, (), session.now()) for raw in found]
    if session.json:
        session.say(to_json(views))
        return 0
    if not views:
        where = "any namespace" if everywhere else f"namespace {session.namespace} (-A looks in all)"
        session.warn(f"There are no {names.KIND}s in {where}.")
        return 0
    headings = ("NAMESPACE", *HEADINGS) if everywhere else HEADINGS
    rows = [_row(one)[0 if everywhere else 1 :] for one in views]
    write(session.out, table(headings, rows, right=("WEIGHT",)))
    return 0


def _row(one: view.View) -> tuple[str | Text, ...]:
    stable, candidate = one.revision("stable"), one.revision("candidate")
    weight = candidate.weight if candidate else None
    return (
        one.namespace, one.name, Text(one.state, style=STYLES[one.tone]), stable.version if stable else "–",
        candidate.version if candidate else "–", "–" if weight is None else f"{weight} %", one.step or "–",
        one.ready or "–", one.age, one.message,
    )  # fmt: skip
