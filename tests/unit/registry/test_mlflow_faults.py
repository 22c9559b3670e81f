"""A registry that is down, slow, or no MLflow at all: always an answer that says what to do, never an exception."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from sluice.core.observation import ResolvedModel, Unresolved
from sluice.registry.mlflow import MlflowRegistry

DIGEST = "sha256:" + "0a" * 32
VERSION: dict[str, Any] = {
    "name": "penguins",
    "version": "7",
    "status": "READY",
    "tags": [{"key": "sluice.dev/digest", "value": DIGEST}],
}
PATIENCE = 30.0

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def registry_that(handler: Handler) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def resolve(
    session: aiohttp.ClientSession, handler: Handler, *, patience: float = PATIENCE
) -> ResolvedModel | Unresolved:
    async with registry_that(handler) as address:
        return await MlflowRegistry(session, address, timeout=patience).resolve("models:/penguins@champion")


def answers(status: int, body: object) -> Handler:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=status, text=body if isinstance(body, str) else json.dumps(body))

    return handler


def describes(**changes: object) -> Handler:
    return answers(200, {"model_version": VERSION | changes})


async def silent(_: web.Request) -> web.Response:
    await asyncio.Event().wait()
    return web.Response()


async def hangs_up(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def test_the_oracle_of_these_tests_resolves(session: aiohttp.ClientSession) -> None:
    assert await resolve(session, describes()) == ResolvedModel("penguins", "7", DIGEST)


@pytest.mark.parametrize(
    ("handler", "reason", "words"),
    [
        (answers(500, "oh no"), "RegistryUnreachable", "HTTP 500"),
        (answers(500, {"error_code": "INTERNAL_ERROR", "message": "database"}), "RegistryUnreachable", "HTTP 500"),
        (answers(503, ""), "RegistryUnreachable", "HTTP 503"),
        (answers(429, ""), "RegistryUnreachable", "HTTP 429"),
        (hangs_up, "RegistryUnreachable", "broke off"),
        (answers(401, "who?"), "RegistryDenied", "credentials"),
        (answers(403, {"error_code": "PERMISSION_DENIED"}), "RegistryDenied", "credentials"),
        (answers(404, "<html>"), "RegistryInvalid", "tracking URI"),
        (answers(200, "<html>welcome</html>"), "RegistryInvalid", "tracking URI"),
        (answers(200, "[" * 100_000), "RegistryInvalid", "tracking URI"),
        (answers(200, ["a", "list"]), "RegistryInvalid", "tracking URI"),
        (answers(200, {}), "RegistryInvalid", "tracking URI"),
        (answers(200, {"model_version": "7"}), "RegistryInvalid", "tracking URI"),
        (answers(200, {"model_version": {}}), "RegistryInvalid", "tracking URI"),
        (answers(200, json.dumps({"x": "y" * 5_000_000})), "RegistryInvalid", "tracking URI"),
        (describes(name="somebody-else"), "RegistryInvalid", "tracking URI"),
        (describes(version="../7"), "RegistryInvalid", "tracking URI"),
        (describes(version=None), "RegistryInvalid", "tracking URI"),
        (describes(status="PENDING_REGISTRATION"), "VersionNotReady", "wait until it is READY"),
        (describes(status="FAILED_REGISTRATION"), "VersionNotReady", "register it again"),
        (describes(tags=[{"key": "sluice.dev/digest", "value": "sha256:0A"}]), "DigestInvalid", "64 hex"),
        (answers(404, {"error_code": "RESOURCE_DOES_NOT_EXIST"}), "ModelNotFound", "register it"),
    ],
)
async def test_every_failure_has_its_own_reason_and_says_what_to_do(
    session: aiohttp.ClientSession, handler: Handler, reason: str, words: str
) -> None:
    answer = await resolve(session, handler)
    assert isinstance(answer, Unresolved)
    assert answer.reason == reason
    assert words in answer.message
    assert "\n" not in answer.message


@pytest.mark.parametrize(
    ("handler", "reason"),
    [
        (answers(500, ""), "RegistryUnreachable"),
        (answers(429, ""), "RegistryUnreachable"),
        (hangs_up, "RegistryUnreachable"),
        (answers(403, {"error_code": "PERMISSION_DENIED"}), "RegistryDenied"),
        (answers(200, "<html>"), "RegistryInvalid"),
        (answers(405, ""), "RegistryInvalid"),
    ],
)
async def test_an_alias_that_is_not_set_says_why(session: aiohttp.ClientSession, handler: Handler, reason: str) -> None:
    async with registry_that(handler) as address:
        answer = await MlflowRegistry(session, address, timeout=PATIENCE).set_alias("penguins", "champion", "7")
    assert answer is not None
    assert answer.reason == reason


async def test_a_registry_that_does_not_answer_in_time(session: aiohttp.ClientSession) -> None:
    answer = await resolve(session, silent, patience=0.05)
    assert isinstance(answer, Unresolved)
    assert (answer.reason, "in time" in answer.message) == ("RegistryUnreachable", True)


async def test_nobody_listens_and_the_password_is_not_told(session: aiohttp.ClientSession) -> None:
    registry = MlflowRegistry(session, "http://operator:secret@127.0.0.1:1/mlflow")
    answer = await registry.resolve("models:/penguins/7")
    assert isinstance(answer, Unresolved)
    assert answer.reason == "RegistryUnreachable"
    assert "http://127.0.0.1:1/mlflow does not accept connections" in answer.message
    assert "secret" not in answer.message
    assert "operator:" not in answer.message


async def test_a_path_and_a_password_in_the_tracking_uri_are_used(session: aiohttp.ClientSession) -> None:
    seen: list[tuple[str, str | None]] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append((request.path_qs, request.headers.get("Authorization")))
        return web.json_response({"model_version": VERSION})

    async with registry_that(handler) as address:
        registry = MlflowRegistry(session, address.replace("://", "://me:pw@") + "/tracking/")
        assert isinstance(await registry.resolve("models:/penguins@champion"), ResolvedModel)
    assert seen == [("/tracking/api/2.0/mlflow/registered-models/alias?name=penguins&alias=champion", "Basic bWU6cHc=")]


@pytest.mark.parametrize(
    "uri", ["", "penguins", "models:/a", "models:/a/b", "models:/a@", "runs:/1", "file:/m", "models:/a/0"]
)
async def test_a_uri_of_another_form_is_explained_without_asking(session: aiohttp.ClientSession, uri: str) -> None:
    answer = await MlflowRegistry(session, "http://127.0.0.1:1").resolve(uri)
    assert isinstance(answer, Unresolved)
    assert answer.reason == "UriInvalid"
    assert "models:/penguins@champion" in answer.message


RUN = "runs:/0b5e6c1f/model"
AT_HOME = {"run": {"info": {"experiment_id": "0", "artifact_uri": "/mlruns/0/0b5e/artifacts"}}}


def run_of(answer: object, models: object = None) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        if request.path.endswith("logged-models/search"):
            return web.json_response({} if models is None else models)
        return web.json_response(answer)

    return handler


@pytest.mark.parametrize(
    ("handler", "reason"),
    [
        (answers(500, ""), "RegistryUnreachable"),
        (answers(200, "<html>"), "RegistryInvalid"),
        (run_of({}), "RegistryInvalid"),
        (run_of({"run": {"info": 7}}), "RegistryInvalid"),
        (run_of(AT_HOME), "StoreOutOfReach"),
        (run_of(AT_HOME, {"models": 7}), "RegistryInvalid"),
        (run_of(AT_HOME, {"models": [{}]}), "RegistryInvalid"),
        (run_of(AT_HOME, {"models": [{"info": {"artifact_uri": "s3://b/m", "status": "PENDING"}}]}), "VersionNotReady"),
        (run_of(AT_HOME, {"models": [{"info": {"artifact_uri": "s3://bucket/m"}}]}), "DigestMissing"),
        (answers(404, {"error_code": "RESOURCE_DOES_NOT_EXIST"}), "RunNotFound"),
    ],
)
async def test_a_run_that_cannot_be_pinned_is_explained(
    session: aiohttp.ClientSession, handler: Handler, reason: str
) -> None:
    async with registry_that(handler) as address:
        answer = await MlflowRegistry(session, address, timeout=PATIENCE).resolve(RUN)
    assert isinstance(answer, Unresolved)
    assert answer.reason == reason


async def test_with_a_digest_of_its_own_a_run_may_keep_its_files_in_any_store(session: aiohttp.ClientSession) -> None:
    handler = run_of(AT_HOME, {"models": [{"info": {"artifact_uri": "s3://bucket/m/artifacts"}}]})
    async with registry_that(handler) as address:
        answer = await MlflowRegistry(session, address, timeout=PATIENCE).resolve(f"{RUN}#{DIGEST}")
    assert answer == ResolvedModel("model", "0a0a0a0a", DIGEST, source="s3://bucket/m/artifacts")


async def test_a_store_is_not_asked(session: aiohttp.ClientSession) -> None:
    registry = MlflowRegistry(session, "http://127.0.0.1:1")
    uri = "s3://bucket/models/penguins"
    assert await registry.resolve(f"{uri}#{DIGEST}") == ResolvedModel("penguins", "0a0a0a0a", DIGEST, source=uri)
    answer = await registry.resolve(uri)
    assert isinstance(answer, Unresolved)
    assert (answer.reason, "sluice-train digest" in answer.message) == ("DigestMissing", True)


class Untagged:
    """An MLflow with one untagged version, whose artifact answers as a test wants."""

    def __init__(self, listing: object, artifact_uri: object = "mlflow-artifacts:/1/model") -> None:
        self.listing, self.artifact_uri = listing, artifact_uri
        self.downloads = 0

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path = request.path
        if path.endswith("registered-models/alias"):
            return web.json_response({"model_version": VERSION | {"tags": []}})
        if path.endswith("get-download-uri"):
            return web.json_response({"artifact_uri": self.artifact_uri})
        if path.endswith("mlflow-artifacts/artifacts"):
            return web.json_response(self.listing)
        self.downloads += 1
        return await self.download(request)

    async def download(self, request: web.Request) -> web.StreamResponse:
        return web.Response(body=b"content")


class BreaksOff(Untagged):
    """The download stops half-way."""

    async def download(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.abort()
        return response


class Fails(Untagged):
    """The artifact store is down."""

    async def download(self, request: web.Request) -> web.StreamResponse:
        return web.Response(status=500)


ONE_FILE = {"files": [{"path": "MLmodel", "is_dir": False, "file_size": 7}]}


@pytest.mark.parametrize(
    ("mlflow", "reason"),
    [
        (BreaksOff(ONE_FILE), "RegistryUnreachable"),
        (Fails(ONE_FILE), "RegistryUnreachable"),
        (Untagged({}), "ArtifactMissing"),
        (Untagged({"files": [{"path": "..", "is_dir": False}]}), "RegistryInvalid"),
        (Untagged({"files": [{"path": "", "is_dir": False}]}), "RegistryInvalid"),
        (Untagged({"files": ["MLmodel"]}), "RegistryInvalid"),
        (Untagged({"files": 7}), "RegistryInvalid"),
        (Untagged({"files": [{"path": "endless", "is_dir": True}]}), "DigestMissing"),
        (Untagged(ONE_FILE, "s3://bucket/model"), "DigestMissing"),
        (Untagged(ONE_FILE, "/var/lib/mlflow/model"), "DigestMissing"),
        (Untagged(ONE_FILE, "mlflow-artifacts://elsewhere:80/1/model"), "DigestMissing"),
        (Untagged(ONE_FILE, "mlflow-artifacts:/1/../../etc"), "DigestMissing"),
        (Untagged(ONE_FILE, "mlflow-artifacts:/"), "DigestMissing"),
        (Untagged(ONE_FILE, None), "DigestMissing"),
    ],
)
async def test_no_digest_is_pinned_from_an_artifact_that_cannot_be_read_whole(
    session: aiohttp.ClientSession, mlflow: Untagged, reason: str
) -> None:
    answer = await resolve(session, mlflow.answer)
    assert isinstance(answer, Unresolved), answer
    assert answer.reason == reason
    assert "penguins/7" in answer.message or reason == "RegistryUnreachable"


async def test_many_who_ask_at_once_cause_one_download(session: aiohttp.ClientSession) -> None:
    mlflow = Untagged(ONE_FILE)
    async with registry_that(mlflow.answer) as address:
        registry = MlflowRegistry(session, address, timeout=PATIENCE)
        found = await asyncio.gather(*(registry.resolve("models:/penguins@champion") for _ in range(5)))
    assert len(set(found)) == 1
    assert isinstance(found[0], ResolvedModel)
    assert mlflow.downloads == 1
