"""The client against a server that answers, refuses, breaks and stays away."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration
from sluice.kube.api import (
    CONTROLLER_REVISIONS,
    DEPLOYMENTS,
    EVENTS,
    LEASES,
    MODEL_DEPLOYMENTS,
    PODS,
    RECORDS,
    SERVICES,
)
from sluice.kube.client import Kube
from sluice.kube.errors import (
    ConflictError,
    ForbiddenError,
    KubeError,
    NotFoundError,
    RefusedError,
    TooNewError,
    UnavailableError,
)
from sluice.kube.horizon import Horizon

MANIFEST = {"kind": "Deployment", "metadata": {"name": "d", "namespace": "n", "resourceVersion": "7"}}
ROOT = "/apis/apps/v1/namespaces/n/deployments"
Answer = Callable[[], Awaitable[web.StreamResponse]]


@dataclass
class Server:
    """Notes requests and answers as it is told to."""

    status: int = 200
    body: str = "{}"
    requests: list[tuple[str, str, dict[str, str], str, Any]] = field(default_factory=list)
    broken: bool = False
    headers: dict[str, str] = field(default_factory=dict)

    async def handle(self, request: web.Request) -> web.Response:
        body = await request.text()
        kind = request.headers.get("Content-Type", "")
        self.requests.append(
            (request.method, request.path, dict(request.query), kind, json.loads(body) if body else None)
        )
        if self.broken and request.transport:
            request.transport.abort()
        return web.Response(status=self.status, text=self.body, content_type="application/json", headers=self.headers)

    @property
    def last(self) -> tuple[str, str, dict[str, str], str, Any]:
        return self.requests[-1]


@asynccontextmanager
async def answering(handle: Callable[[web.Request], Awaitable[web.StreamResponse]]) -> AsyncIterator[ApiClient]:
    """A client of a server that answers every request in this way."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    api = ApiClient(Configuration(host=f"http://127.0.0.1:{runner.addresses[0][1]}"))
    yield api
    await api.close()
    await runner.cleanup()


@pytest.fixture
async def server() -> AsyncIterator[tuple[Server, Kube]]:
    server = Server()
    async with answering(server.handle) as api:
        yield server, Kube(api)


Both = tuple[Server, Kube]


async def test_get_returns_the_object(server: Both) -> None:
    server[0].body = json.dumps(MANIFEST)
    assert await server[1].get(DEPLOYMENTS, "n", "d") == MANIFEST
    assert server[0].last[:2] == ("GET", f"{ROOT}/d")


async def test_an_object_that_is_not_there_is_none(server: Both) -> None:
    server[0].status, server[0].body = 404, '{"message": "not found"}'
    assert await server[1].get(DEPLOYMENTS, "n", "d") is None
    await server[1].delete(DEPLOYMENTS, "n", "d")


async def test_list_asks_by_label_in_the_core_group_too(server: Both) -> None:
    server[0].body = json.dumps({"items": [MANIFEST]})
    assert await server[1].list(PODS, "n", "a=b,c=d") == [MANIFEST]
    assert server[0].last[:3] == ("GET", "/api/v1/namespaces/n/pods", {"labelSelector": "a=b,c=d"})


async def test_apply_is_server_side_forced_and_as_our_manager(server: Both) -> None:
    await server[1].apply(DEPLOYMENTS, MANIFEST)
    method, path, query, kind, body = server[0].last
    assert (method, path) == ("PATCH", f"{ROOT}/d")
    assert query == {"fieldManager": "sluice", "force": "true"}
    assert kind.startswith("application/apply-patch+yaml")
    assert body == MANIFEST


async def test_a_status_is_applied_to_its_subresource_with_the_version_it_must_meet(server: Both) -> None:
    await server[1].apply_status(MODEL_DEPLOYMENTS, MANIFEST | {"status": {}})
    assert server[0].last[1].endswith("/modeldeployments/d/status")
    assert server[0].last[4]["metadata"]["resourceVersion"] == "7"


async def test_merge_create_and_delete(server: Both) -> None:
    await server[1].merge(DEPLOYMENTS, "n", "d", {"metadata": {"annotations": {"a": None}}})
    assert server[0].last[3].startswith("application/merge-patch+json")
    assert server[0].last[4] == {"metadata": {"annotations": {"a": None}}}
    await server[1].create(EVENTS, {"metadata": {"name": "e", "namespace": "n"}})
    assert server[0].last[:2] == ("POST", "/api/v1/namespaces/n/events")
    await server[1].delete(DEPLOYMENTS, "n", "d")
    assert server[0].last[:3] == ("DELETE", f"{ROOT}/d", {"propagationPolicy": "Background"})


async def test_replace_bears_the_version_it_must_meet(server: Both) -> None:
    server[0].body = json.dumps(MANIFEST)
    assert await server[1].replace(DEPLOYMENTS, MANIFEST) == MANIFEST
    assert server[0].last[:2] == ("PUT", f"{ROOT}/d")
    assert server[0].last[4]["metadata"]["resourceVersion"] == "7"


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, RefusedError), (401, RefusedError), (403, ForbiddenError), (404, NotFoundError), (409, ConflictError),
        (413, RefusedError), (422, RefusedError), (429, UnavailableError), (500, UnavailableError),
        (503, UnavailableError), (504, TooNewError),
    ],
)  # fmt: skip
async def test_errors_are_told_apart(server: Both, status: int, error: type[KubeError]) -> None:
    server[0].status, server[0].body = status, '{"message": "the reason"}'
    with pytest.raises(error, match=r"PATCH .*/deployments/d: the reason") as caught:
        await server[1].apply(DEPLOYMENTS, MANIFEST)
    assert type(caught.value) is error


async def test_a_proxy_that_answers_in_html_is_no_bug(server: Both) -> None:
    server[0].status, server[0].body = 502, "<html>bad gateway</html>"
    with pytest.raises(UnavailableError, match="bad gateway"):
        await server[1].apply(DEPLOYMENTS, MANIFEST)


@pytest.mark.parametrize("body", ["[]", '"x"', "3"])
async def test_an_answer_that_is_no_object_is_an_error(server: Both, body: str) -> None:
    server[0].body = body
    with pytest.raises(KubeError, match="no object"):
        await server[1].apply(DEPLOYMENTS, MANIFEST)


async def test_an_error_that_is_no_object_is_an_error_too(server: Both) -> None:
    server[0].status, server[0].body = 503, "[]"
    with pytest.raises(UnavailableError):
        await server[1].apply(DEPLOYMENTS, MANIFEST)


async def test_html_with_a_good_status_is_an_error(server: Both) -> None:
    server[0].body = "<html>log in</html>"
    with pytest.raises(KubeError, match="no object: <html>log in"):
        await server[1].get(DEPLOYMENTS, "n", "d")


async def test_a_connection_that_breaks_is_unavailable(server: Both) -> None:
    server[0].broken = True
    with pytest.raises(UnavailableError, match="can't be reached"):
        await server[1].apply(DEPLOYMENTS, MANIFEST)


async def test_nobody_there_is_unavailable() -> None:
    api = ApiClient(Configuration(host="http://127.0.0.1:1"))
    try:
        with pytest.raises(UnavailableError, match="can't be reached"):
            await Kube(api).get(DEPLOYMENTS, "n", "d")
    finally:
        await api.close()


async def test_a_silent_server_is_unavailable_in_time(server: Both) -> None:
    hurried = Kube(server[1]._client, timeout=0.000001)
    with pytest.raises(UnavailableError, match="can't be reached"):
        await hurried.apply(DEPLOYMENTS, MANIFEST)


async def test_pages_are_asked_for_one_after_the_other_in_all_namespaces() -> None:
    asked: list[dict[str, str]] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(dict(request.query))
        more = {"continue": "more"} if "continue" not in request.query else {}
        return web.json_response({"metadata": more, "items": [request.path]})

    async with answering(answer) as api:
        found: list[Any] = [page async for page in Kube(api).pages(MODEL_DEPLOYMENTS, size=2)]
    assert found == [["/apis/sluice.dev/v1alpha1/modeldeployments"]] * 2
    assert asked == [{"limit": "2"}, {"limit": "2", "continue": "more"}]


CONSISTENT = {"labelSelector": "a=b"}
ANY = {"labelSelector": "a=b", "resourceVersion": "0", "resourceVersionMatch": "NotOlderThan"}
CACHED = ANY | {"resourceVersion": "7"}


def seeing(server: Both) -> Kube:
    return Kube(server[1]._client, horizon=Horizon())


async def test_what_follows_from_a_spec_is_read_from_the_cache_and_never_older_than_seen(server: Both) -> None:
    kube = seeing(server)
    server[0].body = json.dumps({"items": [MANIFEST, {"metadata": {"resourceVersion": "5"}}, {"metadata": {}}]})
    await kube.list(DEPLOYMENTS, "n", "a=b")
    await kube.list(DEPLOYMENTS, "n", "a=b")
    await kube.list(SERVICES, "n", "a=b")
    assert [request[2] for request in server[0].requests] == [ANY, CACHED, ANY]
    server[0].body = json.dumps(MANIFEST)
    await kube.get(DEPLOYMENTS, "n", "d")
    assert server[0].last[2] == {"resourceVersion": "7"}


@pytest.mark.parametrize("write", ["apply", "replace"])
async def test_our_own_writes_are_seen(server: Both, write: str) -> None:
    kube = seeing(server)
    server[0].body = json.dumps(MANIFEST | {"items": []})
    await getattr(kube, write)(DEPLOYMENTS, MANIFEST)
    await kube.list(DEPLOYMENTS, "n", "a=b")
    assert server[0].last[2] == CACHED


async def test_what_decisions_are_built_on_is_never_read_from_a_cache(server: Both) -> None:
    kube = seeing(server)
    server[0].body = json.dumps(MANIFEST | {"items": []})
    await kube.list(PODS, "n", "a=b")
    assert server[0].last[2] == CONSISTENT
    for resource in (MODEL_DEPLOYMENTS, RECORDS, CONTROLLER_REVISIONS, LEASES):
        await kube.apply(resource, MANIFEST)
        await kube.get(resource, "n", "d")
        assert server[0].last[2] == {}


@pytest.mark.parametrize("version", ["", "abc", "7.5", None])
async def test_a_version_that_is_no_number_says_nothing(server: Both, version: str | None) -> None:
    kube = seeing(server)
    server[0].body = json.dumps({"metadata": {"resourceVersion": version}, "items": []})
    await kube.apply(DEPLOYMENTS, MANIFEST)
    await kube.list(DEPLOYMENTS, "n", "a=b")
    assert server[0].last[2] == ANY


async def test_a_cache_that_has_not_got_there_is_passed_by(server: Both) -> None:
    kube = seeing(server)
    server[0].body = json.dumps(MANIFEST)
    await kube.apply(DEPLOYMENTS, MANIFEST)
    server[0].status = 504
    for read in (kube.get(DEPLOYMENTS, "n", "d"), kube.list(DEPLOYMENTS, "n", "a=b")):
        with pytest.raises(UnavailableError):
            await read
    queries = [request[2] for request in server[0].requests[1:]]
    assert queries == [{"resourceVersion": "7"}, {}, CACHED, CONSISTENT]


async def test_a_version_that_no_cache_knows_is_forgotten() -> None:
    """As after a restore of etcd: otherwise every read would wait for it."""
    queries: list[dict[str, str]] = []

    async def answer(request: web.Request) -> web.Response:
        queries.append(dict(request.query))
        items: list[object] = [MANIFEST | {"metadata": {"resourceVersion": "3"}}]
        return web.json_response({"items": items}, status=504 if request.query.get("resourceVersion") == "7" else 200)

    horizon = Horizon()
    horizon.saw("deployments", {"resourceVersion": "7"})
    async with answering(answer) as api:
        kube = Kube(api, horizon=horizon)
        await kube.list(DEPLOYMENTS, "n", "a=b")
        await kube.list(DEPLOYMENTS, "n", "a=b")
    assert queries == [CACHED, CONSISTENT, CACHED | {"resourceVersion": "3"}]


async def test_how_long_an_overloaded_server_wants_to_be_left_alone_is_heard(server: Both) -> None:
    server[0].status = 429
    for header, seconds in (("7", 7.0), ("soon", 0.0)):
        server[0].headers = {"Retry-After": header}
        with pytest.raises(UnavailableError) as caught:
            await server[1].apply(DEPLOYMENTS, MANIFEST)
        assert caught.value.retry_after == seconds


async def test_the_time_of_the_server_is_heard_with_every_answer(server: Both) -> None:
    heard: list[datetime] = []
    kube = Kube(server[1]._client, heard.append)
    server[0].headers = {"Date": "Tue, 01 Jan 2030 00:00:00 GMT"}
    await kube.get(DEPLOYMENTS, "n", "d")
    server[0].headers = {"Date": "yesterday"}
    await kube.get(DEPLOYMENTS, "n", "d")
    assert heard == [datetime(2030, 1, 1, tzinfo=UTC)]
