"""The paths of the Open Inference Protocol V2, with and without a version in them."""

from functools import partial

from flask import Flask, Response, g, request

from sluice_server import __version__
from sluice_server.engine import Engine
from sluice_server.errors import BadRequestError, NotFoundError
from sluice_server.gate import Gate
from sluice_server.protocols import v2
from sluice_server.protocols.mlflow import dumps
from sluice_server.settings import Settings

PREFIX = "/v2"


def is_prediction(path: str) -> bool:
    """Whether a request to this path asks for predictions, and counts."""
    return path.startswith(f"{PREFIX}/models/") and path.endswith("/infer")


def add(app: Flask, engine: Engine, settings: Settings, gate: Gate) -> None:
    """Adds all of them; there is one model, of one version."""
    model, version = settings.model_name, settings.model_version
    about = dumps(v2.metadata(model, version, engine.input_schema, engine.output_schema))

    def check(name: str, asked: str | None) -> None:
        if name != model:
            raise NotFoundError(f"There is no model '{name}' here: ask for '{model}'.")
        if asked not in (None, version):
            raise NotFoundError(
                f"This server has version '{version}' of '{model}', not '{asked}': leave the version out to get what "
                "is served."
            )

    def metadata(name: str, asked: str | None = None) -> Response:
        check(name, asked)
        return _answer(about)

    def ready(name: str, asked: str | None = None) -> Response:
        check(name, asked)
        return _answer(dumps({"name": model, "ready": True}))

    def infer(name: str, asked: str | None = None) -> Response:
        body = request.get_data(cache=False)
        check(name, asked)
        if "Inference-Header-Content-Length" in request.headers:
            raise BadRequestError(
                "The request has binary data, which this server does not read yet: send all data as JSON "
                "(tritonclient: set_data_from_numpy(…, binary_data=False))."
            )
        with gate.slot():
            wanted = v2.parse(body, engine.input_schema, engine.param_names)
            g.predictions = predictions = engine.predict(wanted.data, wanted.params)
            answer = v2.render(predictions, wanted, model=model, version=version, schema=engine.output_schema)
        return _answer(answer)

    for path in ("/models/<name>", "/models/<name>/versions/<asked>"):
        app.add_url_rule(f"{PREFIX}{path}", f"{path} metadata", metadata)
        app.add_url_rule(f"{PREFIX}{path}/ready", f"{path} ready", ready)
        app.add_url_rule(f"{PREFIX}{path}/infer", f"{path} infer", infer, methods=["POST"])
    for path, body in {
        "": {"name": "sluice", "version": __version__, "extensions": []},
        "/health/live": {"live": True},
        "/health/ready": {"ready": True, "live": True},
    }.items():
        said = partial(_answer, dumps(body))
        app.add_url_rule(f"{PREFIX}{path}", f"{PREFIX}{path}", said, strict_slashes=False)


def _answer(body: bytes) -> Response:
    return Response(body, mimetype="application/json")
