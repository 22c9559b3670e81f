"""Answers other than 200, with MLflow's error codes."""


class RequestError(Exception):
    """A request that gets an error answer instead of predictions."""

    status = 500
    code = "INTERNAL_ERROR"

    def __init__(self, message: str, *, status: int | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.status = status or self.status
        self.code = code or self.code


class BadRequestError(RequestError):
    """The client has to change the request."""

    status = 400
    code = "BAD_REQUEST"


class NotFoundError(RequestError):
    """The client asks for a model or version that is not here."""

    status = 404
    code = "RESOURCE_DOES_NOT_EXIST"


class ModelFaultError(RequestError):
    """The model failed on a request that fits its signature; the cause goes to the log, not to the client."""


class OverloadedError(RequestError):
    """Too many requests wait; a later attempt, or another pod, may succeed."""

    status = 503
    code = "TEMPORARILY_UNAVAILABLE"


class NoExperimentError(RequestError):
    """Outcomes are fed back, and nobody counts them."""

    status = 409
    code = "INVALID_STATE"


class NotInstalledError(RequestError):
    """What is asked for needs a part of Sluice that is not there; the same request will fail again."""

    status = 501
    code = "NOT_IMPLEMENTED"
