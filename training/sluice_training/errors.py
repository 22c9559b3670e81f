"""What goes wrong for reasons that the person at the keyboard can mend."""

from __future__ import annotations


class UserError(Exception):
    """Holds one sentence that says what is wrong and what to do; shown as it is, without a trace."""
