"""What can go wrong for the person at the keyboard: a sentence, what to do about it, and an exit code."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes; CI tells a bad model from a bad cluster by them."""

    DONE = 0
    FAILED = 1
    WAITS_FOR_A_PERSON = 2
    TIMEOUT = 3
    ERROR = 4
    INTERRUPTED = 130


class CliError(Exception):
    """Something to tell the user instead of a traceback.

    Args:
        message: what is wrong.
        hint: what can be done about it; may have several lines.
        code: the exit code.
    """

    def __init__(self, message: str, hint: str = "", code: Exit = Exit.ERROR) -> None:
        super().__init__(message)
        self.message, self.hint, self.code = message, hint, code


class ApiError(CliError):
    """The API server, or kubectl on the way to it, said no.

    `reason` is the API's own word, such as NotFound, Forbidden or Conflict, or Unreachable or Kubeconfig.
    """

    def __init__(self, reason: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.reason = reason

    @property
    def passing(self) -> bool:
        """Whether the same may work a moment later."""
        return self.reason in PASSING


PASSING = frozenset(
    {"Unreachable", "ServiceUnavailable", "TooManyRequests", "InternalError", "Timeout", "ServerTimeout", "Gone",
     "Expired"}
)  # fmt: skip
