"""The quick client: real answers from a real server, and clear sentences for everything else."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from sluice_training.errors import UserError
from sluice_training.register import Registered
from sluice_training.registry import Registry, check_alias, check_name


@pytest.mark.usefixtures("registered")
def test_a_healthy_server_is_alive(tracking_uri: str) -> None:
    Registry(tracking_uri).check_alive()


@pytest.mark.parametrize(
    ("name", "version", "sentence"),
    [
        ("penguins", 99, "refused .status 404.: Model Version .name=penguins, version=99. not found"),
        ("walrus", 1, "refused .status 404.: Model Version .name=walrus, version=1. not found"),
    ],
)
def test_what_is_not_there_cannot_get_an_alias(
    name: str, version: int, sentence: str, registered: dict[str, Registered], tracking_uri: str
) -> None:
    assert registered
    with pytest.raises(UserError, match=sentence):
        Registry(tracking_uri).set_alias(name, "champion", version)


@pytest.mark.parametrize(
    ("name", "alias", "sentence"),
    [
        ("penguins", "nobody", "status 400.: Registered model alias nobody not found"),
        ("walrus", "champion", "status 404.: Registered Model with name=walrus not found"),
    ],
)
@pytest.mark.usefixtures("registered")
def test_an_alias_that_is_not_there(name: str, alias: str, sentence: str, tracking_uri: str) -> None:
    with pytest.raises(UserError, match=sentence):
        Registry(tracking_uri).version_of(name, alias)


@pytest.mark.parametrize("alias", ["champion", "a", "Blue-2_x", "v", "v1a", "latest2", "x" * 255])
def test_good_aliases(alias: str) -> None:
    assert check_alias(alias) == alias


@pytest.mark.parametrize("alias", ["", " ", "a b", "a/b", "a@b", "é", "a\n", "x" * 256])
def test_bad_aliases(alias: str) -> None:
    with pytest.raises(UserError, match="is not an alias: use 1 to 255 letters"):
        check_alias(alias)


@pytest.mark.parametrize("alias", ["latest", "LATEST", "v1", "V22"])
def test_reserved_aliases(alias: str) -> None:
    with pytest.raises(UserError, match="is reserved by MLflow"):
        check_alias(alias)


@pytest.mark.parametrize("name", ["", "  ", "a/b", "a:b"])
def test_bad_names(name: str) -> None:
    with pytest.raises(UserError, match="cannot name a model"):
        check_name(name)


@pytest.mark.parametrize(
    "uri",
    ["", "mlflow", "sqlite:///x.db", "file:/tmp", "http://", "http://h:99999", "http://h:x", "http://[", "ftp://h"],
)
def test_what_is_no_address(uri: str) -> None:
    with pytest.raises(UserError, match="is not the address of an MLflow tracking server"):
        Registry(uri)


def test_nobody_listens() -> None:
    with pytest.raises(UserError, match=r"No MLflow tracking server answers at http://127\.0\.0\.1:1 \(.*refused"):
        Registry("http://127.0.0.1:1").check_alive()


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (503, b"busy", "not a healthy MLflow tracking server .status 503."),
        (404, b"", "not a healthy MLflow tracking server .status 404."),
    ],
)
def test_something_else_listens(status: int, body: bytes, sentence: str) -> None:
    with _answering(status, body) as (uri, _), pytest.raises(UserError, match=sentence):
        Registry(uri).check_alive()


@pytest.mark.parametrize(
    ("status", "body", "sentence"),
    [
        (200, b"<html>", "status 200.: <html>"),
        (200, b"[]", "status 200.: "),
        (500, b"", "status 500.: no reason given"),
        (403, b"Invalid Host header", "status 403.: Invalid Host header"),
        (400, b'{"message": "no"}', "status 400.: no"),
    ],
)
def test_answers_that_are_none(status: int, body: bytes, sentence: str) -> None:
    with _answering(status, body) as (uri, _), pytest.raises(UserError, match=sentence):
        Registry(uri).set_alias("penguins", "champion", 1)


def test_it_sends_what_mlflow_expects_below_a_prefix_with_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "me")
    monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", "secret")
    with _answering(200, b"{}") as (uri, seen):
        Registry(f"{uri}/base").set_alias("penguins", "champion", 3)
    (request,) = seen
    assert request["line"] == "POST /base/api/2.0/mlflow/registered-models/alias"
    assert request["body"] == {"name": "penguins", "alias": "champion", "version": "3"}
    assert request["authorization"] == "Basic bWU6c2VjcmV0"


@contextmanager
def _answering(status: int, body: bytes) -> Iterator[tuple[str, list[dict[str, object]]]]:
    """A server that says the same to everyone, and the requests it got."""
    seen: list[dict[str, object]] = []

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            line = f"{self.command} {self.path}"
            seen.append(
                {"line": line, "body": json.loads(sent or b"null"), "authorization": self.headers["Authorization"]}
            )
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = _answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
