"""What can go wrong with the Kubernetes API, as the controller tells it apart."""

from __future__ import annotations


class KubeError(Exception):
    """A request failed; the message is one sentence."""


class ConflictError(KubeError):
    """Somebody else wrote in the meantime: look again."""


class NotFoundError(KubeError):
    """The object, or its kind, is not there."""


class RefusedError(KubeError):
    """The API server does not accept it; trying the same again will not help."""


class UnavailableError(KubeError):
    """The API server can't be reached, is overloaded or broken: try again later."""


def from_status(status: int, message: str) -> KubeError:
    """Return the error for an HTTP status code."""
    if status == 404:
        return NotFoundError(message)
    if status == 409:
        return ConflictError(message)
    if status == 429 or status >= 500:
        return UnavailableError(message)
    return RefusedError(message)
