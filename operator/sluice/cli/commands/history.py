"""`kubectl sluice history NAME`: the rollouts so far, from their records."""

from __future__ import annotations

from datetime import timedelta

from rich.text import Text

from sluice.cli import reading, records, words
from sluice.cli.commands import explain
from sluice.cli.kubectl import Object
from sluice.cli.records import RolloutView
from sluice.cli.render import table, to_json, write
from sluice.cli.session import Session

HEADINGS = ("#", "STARTED (UTC)", "FROM", "TO", "OUTCOME", "CAUSE", "DURATION", "REQUESTS", "ERRORS", "MESSAGE")
COLOURS = {"Promoted": "green", "RolledBack": "red", "InProgress": "cyan"}


def run(session: Session) -> int:
    """Print one line for each rollout, or tell one of them."""
    if session.options.record:
        return explain.run(session)
    found = [records.rollout(one) for one in read(session)]
    if session.json:
        session.say(to_json(found))
    elif found:
        rows = [_row(session, one) for one in found]
        write(session.out, table(HEADINGS, rows, right=("#", "DURATION", "REQUESTS", "ERRORS")))
        session.warn(f"Every decision of one: kubectl sluice explain {session.name} NUMBER -n {session.namespace}")
    else:
        session.warn(f"No rollout of {session.name} is on record yet.")
    return 0


def read(session: Session) -> list[Object]:
    """Return the records; without any, the ModelDeployment must at least exist.

    Raises:
        CliError: there is no such ModelDeployment, and there was none.
    """
    found = reading.records(session.api, session.namespace, session.name)
    if not found:
        reading.model_deployment(session.api, session.namespace, session.name)
    return found


def _row(session: Session, one: RolloutView) -> tuple[str | Text, ...]:
    started = words.moment(one.started)
    running = session.now() - started if started else timedelta()
    length = timedelta(seconds=one.seconds) if one.seconds is not None else running
    return (
        one.number, records.clock(one.started), one.stable, one.candidate,
        Text(one.outcome, style=COLOURS.get(one.outcome, "")), one.cause or "–", words.span(length),
        str(one.requests), str(one.errors), one.message,
    )  # fmt: skip
