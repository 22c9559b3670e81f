"""`kubectl sluice promote NAME [--full]`: skip the present step, or all that are left, or promote a winner."""

from __future__ import annotations

from sluice.cli import picking
from sluice.cli.asking import ask
from sluice.cli.session import Session


def run(session: Session) -> int:
    """Ask for it."""
    action = "promote-full" if session.options.full else "promote"
    return ask(session, action, lambda raw: picking.to_promote(raw, session.options.revision))
