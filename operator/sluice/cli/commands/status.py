"""`kubectl sluice status NAME`: how it is, why, and what you can do."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import RenderableType

from sluice.cli import reading, view
from sluice.cli.advice import Advice, advise
from sluice.cli.commands import wait, watch
from sluice.cli.reading import Snapshot
from sluice.cli.render import screen, to_json, write
from sluice.cli.session import Session


def run(session: Session) -> int:
    """Show a ModelDeployment once, or again and again."""
    if session.options.wait:
        return wait.run(session)
    if session.options.watch:
        return watch.run(session, picture)
    seen = reading.snapshot(session.api, session.namespace, session.name)
    shown, advice = look(session, seen)
    if session.json:
        session.say(to_json({"modelDeployment": shown, "youCan": list(advice)}))
    else:
        write(session.out, screen(shown, advice))
    return 0


def look(session: Session, seen: Snapshot) -> tuple[view.View, Sequence[Advice]]:
    """Return what there is to see, and what can be done."""
    shown = view.build(seen.raw, seen.pods, seen.now)
    return shown, advise(shown, seen.raw, session.flags)


def picture(session: Session, seen: Snapshot) -> RenderableType:
    """Return it as it looks."""
    return screen(*look(session, seen))
