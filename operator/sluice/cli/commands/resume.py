"""`kubectl sluice resume NAME`: go on."""

from __future__ import annotations

from sluice.cli.pausing import set_paused
from sluice.cli.session import Session


def run(session: Session) -> int:
    """Ask for it."""
    return set_paused(session, False)
