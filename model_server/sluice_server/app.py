"""The Flask application: who is asked what, and what every answer carries."""

import logging
import time

from flask import Flask, Response, g, request
from mlflow.version import VERSION
from werkzeug.exceptions import HTTPException

from sluice_server import comparing, durations, exposures, feedback, metrics, routes_v2, sender, users
from sluice_server.engine import Engine
from sluice_server.errors import OverloadedError, RequestError
from sluice_server.experiments import Experiments
from sluice_server.gate import Gate
from sluice_server.protocols import mlflow as protocol
from sluice_server.sender import Sender
from sluice_server.settings import Settings

RETRY_AFTER_SECONDS = "1"
_MLFLOW_CODES = {
    404: "ENDPOINT_NOT_FOUND",
    405: "ENDPOINT_NOT_FOUND",
    413: "REQUEST_LIMIT_EXCEEDED",
}

log = logging.getLogger(__name__)


def create_app(engine: Engine, settings: Settings) -> Flask:
    """The application for a model that has answered its warm-up: it is ready from its first request on."""
    app = Flask("sluice_server", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    gate = Gate(slots=settings.threads, queue=settings.max_queue, patience=settings.queue_timeout_seconds)
    metrics.create_series()
    durations.create_series()
    users.create_series()
    sender.create_series(comparing.CHANNEL.fates)
    sender.create_series(exposures.CHANNEL.fates)
    _add_health(app)
    _add_answers(app, settings)

    @app.post("/invocations")
    def invocations() -> Response:
        body = request.get_data(cache=False)
        with gate.slot():
            asked = protocol.parse(body, request.headers.get("Content-Type"), engine.input_schema)
            g.predictions = engine.predict(asked.data, asked.params)
            answer = protocol.render(g.predictions)
        return Response(answer, mimetype="application/json")

    routes_v2.add(app, engine, settings, gate)
    feedback.add(app, settings)
    return app


def _add_health(app: Flask) -> None:
    """MLflow's health endpoints and Kubernetes's. A draining server stays ready: leaving it is the gateway's part."""

    def healthy() -> Response:
        return Response("\n", mimetype="application/json")

    for path in ("/ping", "/health", "/healthz", "/readyz"):
        app.add_url_rule(path, path, healthy)
    app.add_url_rule("/version", "/version", lambda: Response(VERSION, mimetype="application/json"))


def _add_answers(app: Flask, settings: Settings) -> None:
    """Counting, comparing, headers and errors, the same for every endpoint."""
    compared = Sender(settings.collector_url, comparing.CHANNEL) if settings.collector_url else None
    experiments = Experiments(settings)
    app.extensions[sender.EXTENSION] = (*([compared] if compared else ()), *experiments.senders)

    @app.before_request
    def begin() -> None:
        if request.path == "/invocations" or routes_v2.is_prediction(request.path):
            g.began = durations.begun()
            g.assignment = _assignment(settings)
            metrics.begin(g.assignment)
            g.asked = None if _drawn(settings) else experiments.begin(g.assignment, request.headers)

    @app.after_request
    def finish(response: Response) -> Response:
        if (assignment := g.pop("assignment", None)) is not None:
            metrics.finish(assignment, response.status_code)
            seconds = durations.answered(assignment, response.status_code, began=g.began)
            if asked := g.pop("asked", None):
                experiments.answered(asked, request.headers, status=response.status_code, seconds=seconds)
            # Only a route's word counts for what is compared.
            if compared and not _drawn(settings) and (answer := _compared(assignment, response.status_code)):
                compared.offer(answer)
        response.headers["x-sluice-revision"] = settings.revision
        response.headers["x-sluice-model-version"] = settings.model_version
        if (identity := request.headers.get("x-request-id")) is not None:
            response.headers["x-request-id"] = identity
        return response

    @app.errorhandler(RequestError)
    def refused(error: RequestError) -> Response:
        if error.status == 500:
            log.error("request %s failed", request.headers.get("x-request-id", "-"), exc_info=error)
        response = _error(error.status, error.code, error.message)
        if isinstance(error, OverloadedError):
            response.headers["Retry-After"] = RETRY_AFTER_SECONDS
        return response

    @app.errorhandler(HTTPException)
    def unknown(error: HTTPException) -> Response:
        status = error.code or 500
        response = _error(status, _MLFLOW_CODES.get(status, "BAD_REQUEST"), error.description or error.name)
        for name, value in error.get_headers():
            if name == "Allow":
                response.headers[name] = value
        return response

    @app.errorhandler(Exception)
    def unexpected(error: Exception) -> Response:
        log.error("request %s failed", request.headers.get("x-request-id", "-"), exc_info=error)
        return _error(500, "INTERNAL_ERROR", "The server failed on this request; its log says why.")


def _assignment(settings: Settings) -> str:
    """Who chose this revision for the present request; two ports tell by themselves, whatever a client says."""
    if _drawn(settings):
        return "random"
    copied = request.environ.get("SERVER_PORT") == str(settings.mirror_port)
    return "mirror" if copied else metrics.assignment_of(request.headers.get("x-sluice-assignment"))


def _drawn(settings: Settings) -> bool:
    """Whether the present request came through the Service of all versions, which leads anywhere."""
    return request.environ.get("SERVER_PORT") == str(settings.shared_port)


def _compared(assignment: str, status: int) -> comparing.Answer | None:
    """What is told of the present request's answer, if it is one of those that are compared."""
    side = {"random": comparing.STABLE, "mirror": comparing.CANDIDATE}.get(assignment)
    identity = request.headers.get("x-request-id")
    comparison = comparing.asked(request.headers.get(comparing.HEADER), identity)
    if side is None or comparison is None or identity is None:
        return None
    return comparing.Answer(comparison, identity, side, status, time.monotonic() - g.began, g.get("predictions"))


def _error(status: int, code: str, message: str) -> Response:
    of_v2 = request.path.startswith(routes_v2.PREFIX)
    body = protocol.dumps({"error": message} if of_v2 else {"error_code": code, "message": message})
    return Response(body, status=status, mimetype="application/json")
