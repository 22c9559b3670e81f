"""Scraping: real servers on loopback addresses, and every way in which one can fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web
from sluice.core.observation import Counters, Pod
from sluice.sources import pods
from sluice.sources.pods import scrape

PAGE = (
    "sluice_server_start_time_seconds 12.5\n"
    'sluice_requests_total{assignment="random",outcome="ok"} 8\n'
    'sluice_requests_total{assignment="random",outcome="error"} 2\n'
)
GOOD = Counters(start="12.5", requests=10, errors=2)
PATIENCE = 30.0  # seconds; for pods that are meant to answer, so that a busy machine fails no test

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def pods_that(*handlers: Handler) -> AsyncIterator[tuple[int, list[Pod]]]:
    """Run one server for each handler, all at one port, each at a loopback address of its own, like pods."""
    runners: list[web.AppRunner] = []
    port, made = 0, []
    try:
        for number, handler in enumerate(handlers, start=1):
            app = web.Application()
            app.router.add_get("/metrics", handler)
            runners.append(runner := web.AppRunner(app, access_log=None, handler_cancellation=True))
            await runner.setup()
            site = web.TCPSite(runner, f"127.0.0.{number}", port)
            await site.start()
            port = runner.addresses[0][1]
            made.append(Pod(uid=f"uid-{number}", name=f"pod-{number}", ready=True, address=f"127.0.0.{number}"))
        yield port, made
    finally:
        for runner in runners:
            await runner.cleanup()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as made:
        yield made


async def good(_: web.Request) -> web.Response:
    return web.Response(text=PAGE, content_type="text/plain")


async def broken(_: web.Request) -> web.Response:
    return web.Response(status=500, text=PAGE)


async def elsewhere(_: web.Request) -> web.Response:
    raise web.HTTPFound("http://127.0.0.1:1/secret")


async def empty(_: web.Request) -> web.Response:
    return web.Response(text="")


async def binary(_: web.Request) -> web.Response:
    return web.Response(body=b"\xff\xfe\x00")


async def hangs_up(request: web.Request) -> web.Response:
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def stops_half_way(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(PAGE.encode())
    assert request.transport is not None
    request.transport.abort()
    return response


async def silent(_: web.Request) -> web.Response:
    await asyncio.Event().wait()
    raise AssertionError("never answers")


async def trickles(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(PAGE.encode())
    await asyncio.Event().wait()
    return response


async def endless(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    while True:
        await response.write(b"# " + b"x" * 65_536 + b"\n")


async def test_counts_by_pod(session: aiohttp.ClientSession) -> None:
    async with pods_that(good, good, good) as (port, running):
        found = await scrape(session, running, PATIENCE, port=port)
    assert found.counters == {"uid-1": GOOD, "uid-2": GOOD, "uid-3": GOOD}
    assert found.unreachable == {}


@pytest.mark.parametrize(
    ("handler", "words"),
    [
        (broken, "HTTP 500"),
        (elsewhere, "HTTP 302"),
        (empty, "no sluice_server_start_time_seconds"),
        (binary, "garbage: not text"),
        (hangs_up, "broken answer: ServerDisconnectedError"),
        (stops_half_way, "broken answer: ClientPayloadError"),
        (endless, "garbage: more than 4194304 bytes"),
    ],
)
async def test_a_failing_pod_is_told_apart_and_spoils_no_other(
    session: aiohttp.ClientSession, handler: Handler, words: str
) -> None:
    async with pods_that(good, handler) as (port, running):
        found = await scrape(session, running, PATIENCE, port=port)
    assert found.counters == {"uid-1": GOOD}
    assert found.unreachable == {"uid-2": words}


@pytest.mark.parametrize("handler", [silent, trickles])
async def test_a_pod_that_does_not_finish_is_given_up(session: aiohttp.ClientSession, handler: Handler) -> None:
    async with pods_that(handler) as (port, running):
        found = await scrape(session, running, 0.05, port=port)
    assert found.unreachable == {"uid-1": "timeout"}


async def test_nobody_listens(session: aiohttp.ClientSession) -> None:
    async with pods_that(good) as (port, running):
        gone = [Pod(uid="gone", name="gone", ready=True, address="127.0.0.9")]
        found = await scrape(session, [*running, *gone], PATIENCE, port=port)
    assert found.counters == {"uid-1": GOOD}
    assert found.unreachable == {"gone": "refused"}


async def test_a_pod_without_an_address_is_not_asked(session: aiohttp.ClientSession) -> None:
    found = await scrape(session, [Pod(uid="new", name="new", ready=False)], PATIENCE)
    assert found.unreachable == {"new": "no address yet"}


@pytest.mark.parametrize("address", ["not an address", "::1", "256.0.0.1", "a/b@c", "x" * 300])
async def test_an_odd_address_is_only_unreachable(session: aiohttp.ClientSession, address: str) -> None:
    found = await scrape(session, [Pod(uid="odd", name="odd", ready=True, address=address)], PATIENCE, port=1)
    assert set(found.unreachable) == {"odd"}
    assert len(found.unreachable["odd"]) < 80


async def test_no_pods_are_no_counts(session: aiohttp.ClientSession) -> None:
    found = await scrape(session, [], PATIENCE)
    assert (found.counters, found.unreachable) == ({}, {})


async def test_no_more_at_once_than_allowed(session: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pods, "CONCURRENCY", 2)
    at_once = most = 0
    two_are_in = asyncio.Event()

    async def counting(request: web.Request) -> web.Response:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        if at_once == 2:
            two_are_in.set()
        await two_are_in.wait()
        at_once -= 1
        return await good(request)

    async with pods_that(*[counting] * 6) as (port, running):
        found = await scrape(session, running, PATIENCE, port=port)
    assert len(found.counters) == 6
    assert most == 2
