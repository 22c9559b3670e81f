"""`kubectl sluice status NAME -w`: live in a terminal, a line for each change in a pipe."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from sluice.cli import view
from sluice.cli.errors import Exit
from sluice.cli.feed import Feed
from sluice.cli.reading import Snapshot
from sluice.cli.render import console
from sluice.cli.session import Session

Picture = Callable[[Session, Snapshot], RenderableType]


def run(session: Session, picture: Picture) -> int:
    """Show it until ctrl-C."""
    feed = Feed(session.api, session.namespace, session.name)
    terminal = console(session.out)
    try:
        if terminal.is_terminal:
            with Live(console=terminal, auto_refresh=False, vertical_overflow="crop") as live:
                for seen in feed.snapshots():
                    live.update(_with_trouble(picture(session, seen), feed.trouble), refresh=True)
        else:
            _lines(session, feed)
    except KeyboardInterrupt:
        return Exit.DONE
    return Exit.DONE


def line(one: view.View) -> str:
    """Say in one line how it is."""
    candidate = one.revision("candidate")
    weight = f" · {candidate.version} {candidate.weight} %" if candidate and candidate.weight is not None else ""
    step = f" · step {one.step}" if one.step else ""
    return f"{one.state}{weight}{step} · {one.message}"


def _lines(session: Session, feed: Feed) -> None:
    last = ""
    for seen in feed.snapshots():
        said = line(view.build(seen.raw, seen.pods, seen.now))
        if feed.trouble:
            said = f"(the API server does not answer: {feed.trouble}) {said}"
        if said != last:
            last = said
            session.say(f"{seen.now:%H:%M:%S}  {said}")


def _with_trouble(shown: RenderableType, trouble: str) -> RenderableType:
    if not trouble:
        return shown
    return Group(Text(f"What follows is old, the API server does not answer: {trouble}", style="bold red"), shown)
