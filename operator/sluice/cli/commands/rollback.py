"""`kubectl sluice rollback NAME`: go back to an earlier revision."""

from __future__ import annotations

from sluice.cli import picking
from sluice.cli.asking import ask
from sluice.cli.session import Session


def run(session: Session) -> int:
    """Ask for it."""
    return ask(session, "rollback", lambda raw: picking.to_roll_back_to(raw, session.options.to))
