"""What is taken for the id of a request."""

from typing import Final

HEADER: Final = "x-request-id"
LONGEST: Final = 128


def identity(text: str | None) -> str | None:
    """Return the id, None if it is missing or nothing that the collector takes: 1 to 128 visible characters."""
    if not text or len(text) > LONGEST or not text.isascii() or not text.isprintable() or " " in text:
        return None
    return text
