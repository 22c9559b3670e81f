"""HTTP hooks: what their answers mean, and that nothing ever waits for one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from sluice.api.outcomes import GateOutcome
from sluice.sources.hooks import Answer, Hooks, Question, post

KEY = ("models", "penguins")
BODY = {"candidate": {"version": "2"}}


async def respond(request: web.Request) -> web.Response:
    status = int(request.match_info["status"])
    if status == 599:
        await asyncio.sleep(60)
    asked = {"key": request.headers["Idempotency-Key"], "body": await request.json()}
    request.app[ASKED].append(asked)
    text = request.query.get("text", "")
    return web.Response(status=status, text=text, headers={"Location": "/200"} if status == 302 else {})


ASKED: web.AppKey[list[dict[str, Any]]] = web.AppKey("asked", list)


@pytest.fixture
async def server() -> AsyncIterator[TestServer]:
    app = web.Application()
    app[ASKED] = []
    app.router.add_post("/{status}", respond)
    running = TestServer(app)
    async with running:
        yield running


def question(url: str, *, round_: str = "r-0", timeout: float = 5.0) -> Question:
    return Question(round_, "smoke", url, timeout, BODY)


async def ask(server: TestServer, path: str, *, patience: float = 5.0) -> Answer:
    async with aiohttp.ClientSession() as session:
        return await post(session, question(str(server.make_url("/")) + path, timeout=patience))


@pytest.mark.parametrize(
    ("path", "outcome", "message"),
    [
        ("200", GateOutcome.PASSED, "HTTP 200"),
        ("204", GateOutcome.PASSED, "HTTP 204"),
        ("200?text=%0A%20all%20fine%1b%0Aand%20more", GateOutcome.PASSED, "HTTP 200: all fine"),
        ("422?text=unfair", GateOutcome.FAILED, "HTTP 422: unfair"),
        ("302", GateOutcome.UNDECIDED, "HTTP 302: it leads to another address; name that one in the hook"),
        ("429", None, "HTTP 429"),
        ("408", None, "HTTP 408"),
        ("503?text=busy", None, "HTTP 503: busy"),
    ],
)
async def test_the_status_is_the_answer(
    server: TestServer, path: str, outcome: GateOutcome | None, message: str
) -> None:
    assert await ask(server, path) == Answer(outcome, message)


async def test_it_is_told_who_it_is_about_and_by_which_key(server: TestServer) -> None:
    await ask(server, "200")
    assert server.app[ASKED] == [{"key": "r-0/smoke", "body": BODY}]


async def test_a_hook_that_hangs_is_given_up_and_asked_again(server: TestServer) -> None:
    assert await ask(server, "599", patience=0.05) == Answer(None, "no answer within 0.05 s")


async def test_nobody_there_is_no_answer() -> None:
    async with aiohttp.ClientSession() as session:
        answer = await post(session, question("http://127.0.0.1:1/gate"))
    assert answer.outcome is None
    assert "can't be reached" in answer.message


async def test_a_long_line_is_cut(server: TestServer) -> None:
    assert len((await ask(server, "200?text=" + "x" * 2000)).message) < 320


class Bench:
    """Hooks whose attempts the test answers."""

    def __init__(self) -> None:
        self.attempts: list[asyncio.Future[Answer]] = []
        self.woken: list[tuple[str, str]] = []
        self.leads = True
        self.hooks = Hooks(self.post, self.woken.append, lambda: self.leads)

    async def post(self, question: Question) -> Answer:
        self.attempts.append(asyncio.get_running_loop().create_future())
        return await self.attempts[-1]

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not condition():  # noqa: ASYNC110 - what happens is in other tasks
                await asyncio.sleep(0)

    @property
    def outcome(self) -> GateOutcome | None:
        return self.hooks.states(KEY)[0].outcome


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_an_answer_wakes_and_is_not_asked_for_again(bench: Bench) -> None:
    bench.hooks.ask(KEY, question("http://ci/gate"))
    await bench.until(lambda: len(bench.attempts) == 1)
    assert bench.outcome is None
    bench.attempts[0].set_result(Answer(GateOutcome.PASSED, "HTTP 200"))
    await bench.until(lambda: bench.woken == [KEY])
    bench.hooks.ask(KEY, question("http://ci/gate"))
    await asyncio.sleep(0)
    assert [state.outcome for state in bench.hooks.states(KEY)] == [GateOutcome.PASSED]
    assert len(bench.attempts) == 1


async def test_what_is_no_answer_is_asked_again_and_told(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sluice.sources.hooks.WAITS", (0.0,))
    bench.hooks.ask(KEY, question("http://ci/gate"))
    await bench.until(lambda: len(bench.attempts) == 1)
    bench.attempts[0].set_result(Answer(None, "HTTP 503"))
    await bench.until(lambda: len(bench.attempts) == 2)
    assert bench.hooks.states(KEY)[0].message == "asked 1 times, last: HTTP 503"
    bench.hooks.keep(KEY, None)


async def test_another_round_ends_the_one_before(bench: Bench) -> None:
    bench.hooks.ask(KEY, question("http://ci/gate"))
    await bench.until(lambda: len(bench.attempts) == 1)
    bench.hooks.keep(KEY, "r-1")
    await bench.until(bench.attempts[0].cancelled)
    assert bench.hooks.states(KEY) == ()
    bench.hooks.ask(KEY, question("http://ci/gate", round_="r-1"))
    await bench.until(lambda: len(bench.attempts) == 2)
    bench.hooks.keep(KEY, None)


async def test_who_leads_no_more_asks_nobody(bench: Bench) -> None:
    bench.leads = False
    bench.hooks.ask(KEY, question("http://ci/gate"))
    for _ in range(5):
        await asyncio.sleep(0)
    assert bench.attempts == []
