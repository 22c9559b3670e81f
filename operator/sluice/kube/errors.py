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


class ForbiddenError(RefusedError):
    """The operator's role does not allow it."""


class NotLeadingError(KubeError):
    """Another operator may lead: this one writes nothing, and its process is about to end."""


class UnavailableError(KubeError):
    """The API server can't be reached, is overloaded or broken: try again later.

    Attributes:
        retry_after: seconds that the API server wants us to wait at least.
    """

    retry_after: float = 0.0


class TooNewError(UnavailableError):
    """The API server's cache has not got as far as the version that was asked for."""


def from_status(status: int, message: str) -> KubeError:
    """Return the error for an HTTP status code."""
    if status == 404:
        return NotFoundError(message)
    if status == 403:
        return ForbiddenError(message)
    if status == 409:
        return ConflictError(message)
    if status == 504:
        return TooNewError(message)
    if status == 429 or status >= 500:
        return UnavailableError(message)
    return RefusedError(message)
