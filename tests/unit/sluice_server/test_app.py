"""What every answer carries, whatever happened."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask.testing import FlaskClient
from sluice_server.app import create_app
from sluice_server.engine import Engine
from sluice_server.metrics import assignment_of, outcome_of
from sluice_server.settings import Settings
from werkzeug.test import TestResponse

from tests.unit.sluice_server.running import FAILING_ROW, GOOD_ROW


@pytest.fixture(scope="module")
def client(classifier: Engine) -> FlaskClient:
    settings = Settings(revision="6d8f", model_version="7", max_body_bytes=1000)
    return create_app(classifier, settings).test_client()


def predict(client: FlaskClient, row: dict[str, Any], **headers: str) -> TestResponse:
    return client.post("/invocations", json={"dataframe_records": [row]}, headers=headers)


def said(answer: TestResponse) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(answer.data)
    return body


@pytest.mark.parametrize("path", ["/ping", "/health", "/healthz", "/readyz"])
def test_a_server_that_listens_is_healthy(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.data) == (200, b"\n")


def test_the_version_is_mlflows(client: FlaskClient) -> None:
    import mlflow

    assert client.get("/version").text == mlflow.__version__


def test_a_prediction(client: FlaskClient) -> None:
    answer = predict(client, GOOD_ROW)
    assert (answer.status_code, answer.json) == (200, {"predictions": ["Adelie"]})
    assert answer.content_type == "application/json"


def test_a_fault_of_the_model_is_a_sentence_for_the_client_and_a_trace_for_the_log(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    answer = predict(client, FAILING_ROW, **{"x-request-id": "r-5"})
    assert answer.status_code == 500
    assert answer.json == {
        "error_code": "INTERNAL_ERROR",
        "message": "The model failed on this request; the server's log says why.",
    }
    assert "r-5" in caplog.text
    assert "Atlantis" in caplog.text
    assert "Traceback" in caplog.text


def test_an_answer_that_json_cannot_express_is_500(classifier: Engine, caplog: pytest.LogCaptureFixture) -> None:
    class Odd:
        input_schema = output_schema = None
        param_names = ()

        def predict(self, data: object, params: object) -> object:
            return [object()]

    odd: Any = Odd()
    answer = predict(create_app(odd, Settings()).test_client(), GOOD_ROW)
    assert (answer.status_code, said(answer)["error_code"]) == (500, "INTERNAL_ERROR")
    assert "not JSON serializable" in caplog.text


def test_a_server_with_too_much_to_do_says_when_to_come_back() -> None:
    begun, release = threading.Event(), threading.Event()

    class Slow:
        input_schema = output_schema = None
        param_names = ()

        def predict(self, data: object, params: object) -> list[int]:
            begun.set()
            release.wait(60)
            return [1]

    slow: Any = Slow()
    app = create_app(slow, Settings(threads=1, max_queue=0))
    with ThreadPoolExecutor() as pool:
        first = pool.submit(lambda: predict(app.test_client(), GOOD_ROW))
        begun.wait(60)
        refused = predict(app.test_client(), GOOD_ROW)
        release.set()
        assert first.result(60).status_code == 200
    assert (refused.status_code, said(refused)["error_code"]) == (503, "TEMPORARILY_UNAVAILABLE")
    assert refused.headers["Retry-After"] == "1"
    assert app.test_client().get("/readyz").status_code == 200


@pytest.mark.parametrize(
    ("asked", "options", "status", "code"),
    [
        ("POST /invocations", {"data": b"{", "content_type": "application/json"}, 400, "BAD_REQUEST"),
        ("POST /invocations", {"json": {"dataframe_records": [{}]}}, 400, "INVALID_PARAMETER_VALUE"),
        ("POST /invocations", {"data": b"{}"}, 415, "UNSUPPORTED_MEDIA_TYPE"),
        ("POST /invocations", {"data": b"x" * 1001}, 413, "REQUEST_LIMIT_EXCEEDED"),
        ("GET /invocations", {}, 405, "ENDPOINT_NOT_FOUND"),
        ("GET /nothing", {}, 404, "ENDPOINT_NOT_FOUND"),
    ],
)
def test_every_error_has_a_code_and_a_message(
    client: FlaskClient, asked: str, options: dict[str, Any], status: int, code: str
) -> None:
    method, path = asked.split()
    answer = client.open(path, method=method, **options)
    assert (answer.status_code, said(answer)["error_code"]) == (status, code)
    assert said(answer)["message"]
    assert answer.headers["x-sluice-revision"] == "6d8f"


@pytest.mark.parametrize("row", [GOOD_ROW, FAILING_ROW, {}])
def test_every_answer_names_revision_version_and_request(client: FlaskClient, row: dict[str, Any]) -> None:
    headers = predict(client, row, **{"x-request-id": "r-6"}).headers
    assert headers["x-sluice-revision"] == "6d8f"
    assert headers["x-sluice-model-version"] == "7"
    assert headers["x-request-id"] == "r-6"


def test_without_a_request_id_there_is_none(client: FlaskClient) -> None:
    assert "x-request-id" not in predict(client, GOOD_ROW).headers


def test_a_method_that_is_not_allowed_says_which_are(client: FlaskClient) -> None:
    assert "POST" in client.get("/invocations").headers["Allow"]


@pytest.mark.parametrize(
    ("header", "assignment"),
    [("random", "random"), ("mirror", "mirror"), (None, "direct"), ("Random", "direct"), ("x\u00e4", "direct")],
)
def test_an_unknown_assignment_counts_as_direct(header: str | None, assignment: str) -> None:
    assert assignment_of(header) == assignment


@pytest.mark.parametrize(
    ("status", "outcome"), [(200, "ok"), (304, "ok"), (400, "client_error"), (499, "client_error"), (503, "error")]
)
def test_outcomes_are_classes_of_statuses(status: int, outcome: str) -> None:
    assert outcome_of(status) == outcome
