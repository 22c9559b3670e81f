"""`kubectl sluice retry NAME`: begin the step again, or try a rejected revision again."""

from __future__ import annotations

from sluice.cli import picking
from sluice.cli.asking import ask
from sluice.cli.session import Session


def run(session: Session) -> int:
    """Ask for it."""
    return ask(session, "retry", lambda raw: picking.to_retry(raw, session.options.revision))
