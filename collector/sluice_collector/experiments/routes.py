"""The three calls of A/B tests."""

from flask import Flask, Response, request

from sluice_collector.experiments.ledger import Experiments
from sluice_collector.experiments.protocol import ExposureBatch, OutcomeBatch, Question, shown
from sluice_collector.experiments.retention import Retention
from sluice_collector.metrics import Metrics


def add(app: Flask, experiments: Experiments, retention: Retention, metrics: Metrics) -> None:
    """Let the application answer them."""

    @app.post("/v1/exposures")
    def expose() -> dict[str, int]:
        batch = ExposureBatch.model_validate_json(request.get_data(cache=False))
        done = experiments.expose([received.exposure() for received in batch.exposures])
        metrics.exposed(done)
        metrics.given_up(retention.trim())
        return {"accepted": done.accepted, "duplicates": done.duplicates}

    @app.post("/v1/outcomes")
    def feed() -> dict[str, int]:
        batch = OutcomeBatch.model_validate_json(request.get_data(cache=False))
        done = experiments.feed([received.outcome() for received in batch.outcomes])
        metrics.fed(done)
        metrics.given_up(retention.trim())
        return {"accepted": done.accepted, "duplicates": done.duplicates, "unknown": done.unknown}

    @app.get("/v1/experiments/<namespace>/<record>")
    def results(namespace: str, record: str) -> Response:
        asked = Question.model_validate(request.args.to_dict())
        found = experiments.results(f"{namespace}/{record}", asked.metric, asked.aggregate, asked.window)
        return Response(shown(found).model_dump_json(by_alias=True), mimetype="application/json")
