"""The Flask application."""

import logging

from flask import Flask, Response, request
from pydantic import ValidationError
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from sluice_collector.experiments import routes
from sluice_collector.experiments.ledger import Experiments
from sluice_collector.experiments.retention import Retention
from sluice_collector.ledger import Ledger
from sluice_collector.metrics import Metrics, Stored
from sluice_collector.protocol import MOST_ANSWERS, MOST_BYTES, Batch, sentence, shown

RETRY_AFTER_SECONDS = "1"

log = logging.getLogger(__name__)


def create_app(ledger: Ledger, experiments: Experiments, retention: Retention, metrics: Metrics) -> Flask:
    """The application; it answers before its database does, and says so."""
    app = Flask("sluice_collector", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MOST_BYTES
    _add_comparisons(app, ledger, metrics)
    routes.add(app, experiments, retention, metrics)
    _add_health(app, ledger, retention, metrics)
    _add_errors(app, metrics)
    return app


def _add_comparisons(app: Flask, ledger: Ledger, metrics: Metrics) -> None:
    @app.post("/v1/answers")
    def record() -> dict[str, int]:
        batch = Batch.model_validate_json(request.get_data(cache=False))
        done = ledger.record([received.answer() for received in batch.answers])
        metrics.recorded(done)
        metrics.dropped(ledger.trim(), "full")
        return {"accepted": done.accepted, "duplicates": done.duplicates}

    @app.get("/v1/comparisons/<namespace>/<record>")
    def counts(namespace: str, record: str) -> Response:
        body = shown(ledger.counts(f"{namespace}/{record}")).model_dump_json(by_alias=True)
        return Response(body, mimetype="application/json")


def _add_health(app: Flask, ledger: Ledger, retention: Retention, metrics: Metrics) -> None:
    @app.get("/healthz")
    def alive() -> Response:
        return Response("ok\n", mimetype="text/plain")

    @app.get("/readyz")
    def ready() -> Response:
        ledger.waiting()
        return Response("ok\n", mimetype="text/plain")

    @app.get("/metrics")
    def page() -> Response:
        stored = Stored(waiting=ledger.waiting(), experiment_rows=retention.rows(), outcomes=retention.waiting())
        return Response(metrics.page(stored), content_type="text/plain; version=0.0.4; charset=utf-8")


def _add_errors(app: Flask, metrics: Metrics) -> None:
    @app.errorhandler(ValidationError)
    def malformed(error: ValidationError) -> tuple[dict[str, str], int]:
        metrics.refused("malformed")
        return {"error": sentence(error)}, 400

    @app.errorhandler(RequestEntityTooLarge)
    def too_large(_: RequestEntityTooLarge) -> tuple[dict[str, str], int]:
        metrics.refused("too_large")
        megabytes = MOST_BYTES // 1024**2
        what = request.path.rpartition("/")[2]
        return {"error": f"The body is larger than {megabytes} MiB: send at most {MOST_ANSWERS} {what} in a call."}, 413

    @app.errorhandler(HTTPException)
    def unknown(error: HTTPException) -> tuple[dict[str, str], int]:
        return {"error": error.description or error.name}, error.code or 500

    @app.errorhandler(SQLAlchemyError)
    def away(error: SQLAlchemyError) -> tuple[dict[str, str], int, dict[str, str]]:
        metrics.database_failed()
        log.error("%s: the database failed: %s", request.path, _cause(error))
        sent = {"error": "The database does not answer: send it again, nothing of it is counted twice."}
        return sent, 503, {"Retry-After": RETRY_AFTER_SECONDS}


def _cause(error: SQLAlchemyError) -> str:
    """The driver's own words, which hold no values; SQLAlchemy's add the statement."""
    return str(getattr(error, "orig", None) or type(error).__name__).strip().partition("\n")[0]
