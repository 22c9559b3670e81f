"""`kubectl sluice abort NAME`: roll the candidate back."""

from __future__ import annotations

from sluice.cli import picking
from sluice.cli.asking import ask
from sluice.cli.session import Session


def run(session: Session) -> int:
    """Ask for it."""
    return ask(session, "abort", lambda raw: picking.candidate(raw, "abort", session.options.revision))
