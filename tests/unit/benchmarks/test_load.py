"""The load that benchmarks and tests send."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from benchmarks.strategies.__main__ import headers_of
from benchmarks.strategies.figures import USERS, user_of
from hack.load import Load


@pytest.fixture
async def asked() -> AsyncIterator[tuple[str, list[str], asyncio.Event]]:
    users: list[str] = []
    enough = asyncio.Event()

    async def take(request: web.Request) -> web.Response:
        users.append(request.headers["x-user-id"])
        assert request.headers["x-all"] == "yes"
        if len(users) > USERS + 1:
            enough.set()
        status = 503 if users[-1] == "user-1" else 200
        return web.Response(status=status, headers={"x-sluice-model-version": users[-1]})

    app = web.Application()
    app.router.add_post("/", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/", users, enough
    await runner.cleanup()


async def test_each_request_has_headers_of_its_own_and_its_answer_its_number(
    asked: tuple[str, list[str], asyncio.Event],
) -> None:
    url, users, enough = asked
    load = Load(url, [{"a": 1}], 200, headers={"x-all": "yes"}, headers_of=headers_of)
    with load:
        await enough.wait()
        await asyncio.to_thread(load.stop)
    assert sorted(answer.number for answer in load.answers) == list(range(len(load.answers)))
    assert set(users) == {f"user-{n}" for n in range(USERS)}
    assert all(answer.version == f"user-{user_of(answer)}" for answer in load.answers)
    assert {user_of(answer) for answer in load.answers if answer.failed} == {1}
