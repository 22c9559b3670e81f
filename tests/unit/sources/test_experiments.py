"""The operator asks for the results of an A/B test: a real collector answers, or something else, or nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from sluice.api.ab_test import LONGEST_WINDOW
from sluice.core import observation
from sluice.core.observation import Silent, Units
from sluice.sources import experiments
from sluice.sources.collector import comparison
from sluice_server import outcomes
from sluice_server.exposures import CHANNEL, Exposure
from sluice_server.feedback import Desk
from sluice_server.protocols.mlflow import dumps
from sluice_server.sender import Sender
from sluice_server.units import EXPERIMENT, unit_of
from werkzeug.datastructures import Headers

from tests.unit.sluice_collector.experiments.histories import exposure, of_request, of_user
from tests.unit.sluice_collector.worlds import World

NAME = comparison("team-a", "penguins-7")


async def ask(url: str, *, aggregate: str = "sum", patience: float = 60.0) -> observation.TestResults | Silent:
    async with aiohttp.ClientSession() as session:
        return await experiments.results(session, url, NAME, "conversion", aggregate, 600.0, patience)


async def test_what_a_real_collector_knows(world: World, collector: str) -> None:
    assert await ask(collector) == observation.TestResults({})
    told = world.experiments()
    came = [exposure("r1", "ann"), exposure("r2", "bob", "green"), exposure("r3", "bob"), exposure("r4", "cid")]
    told.expose(came)
    told.feed([of_request("r1", 1.5), of_user("ann", 0.5), of_user("bob", -1.0)])
    world.clock.now += 601
    blue, green = Units(2, 2, 2.0, 4.0), Units(1, 1, -1.0, 1.0, crossed=1)
    assert await ask(collector) == observation.TestResults({"blue": blue, "green": green})
    assert await ask(collector, aggregate="mean") == observation.TestResults(
        {"blue": Units(2, 1, 1.0, 1.0), "green": green}
    )
    assert await ask(collector, aggregate="median") == Silent("the collector answers HTTP 400")


def of_request_from(user: str, number: int, experiment: str = NAME) -> Headers:
    """The headers of a request as the route hands it on."""
    said = {EXPERIMENT: experiment, "x-sluice-unit": "header:x-user-id", "x-user-id": user}
    return Headers({**said, "x-request-id": f"r{number}"})


async def test_what_model_servers_tell_comes_to_the_operator_as_numbers(world: World, collector: str) -> None:
    """The three programs share no code: here each reads what the one before it writes."""
    sender, desk = Sender(collector, CHANNEL), Desk(collector)
    for number, (user, revision) in enumerate([("ann", "blue"), ("bob", "green"), ("bob", "blue"), ("cid", "green")]):
        unit = unit_of(of_request_from(user, number))
        assert unit
        sender.offer(Exposure(unit, revision, f"r{number}"))
    for _ in range(100):
        known = await ask(collector)
        if isinstance(known, observation.TestResults) and sum(one.units for one in known.versions.values()) == 3:
            break
        await asyncio.sleep(0.05)
    fed = {
        "outcomes": [
            {"metric": "conversion", "value": 1, "request": "r0"},
            {"metric": "conversion", "value": 0.5, "key": "order-1"},
            {"metric": "conversion", "value": 2, "request": "not-yet"},
        ]
    }
    told = outcomes.parse(dumps(fed), experiment=NAME, unit=unit_of(of_request_from("bob", 9)))
    assert desk.hand_on(told) == {"accepted": 2, "duplicates": 0, "unknown": 1}
    assert desk.hand_on(told) == {"accepted": 0, "duplicates": 3, "unknown": 0}
    world.clock.now += 601
    blue, green = Units(1, 1, 1.0, 1.0), Units(2, 2, 0.5, 0.25, crossed=1)
    assert await ask(collector) == observation.TestResults({"blue": blue, "green": green})


def test_the_longest_window_that_a_spec_may_have_can_be_asked_for(world: World) -> None:
    window = int(LONGEST_WINDOW.removesuffix("h")) * 3600
    asked = {"metric": "conversion", "aggregate": "sum", "window": window}
    client = world.client()
    assert client.get(f"/v1/experiments/{NAME}", query_string=asked).status_code == 200
    assert client.get(f"/v1/experiments/{NAME}", query_string=asked | {"window": window + 1}).status_code == 400


def test_the_longest_that_a_model_server_tells_is_taken(world: World) -> None:
    longest = comparison("n" * 63, "r" * 253)
    client, most = world.client(), CHANNEL.batch
    unit = unit_of(of_request_from("ann", 1, longest))
    assert unit
    came = [Exposure(unit, "g" * 253, f"{number:~>128}").told() for number in range(most)]
    answered = client.post(CHANNEL.path, data=dumps({CHANNEL.field: came}))
    assert answered.json == {"accepted": most, "duplicates": 0}
    fed = [
        {"metric": "m" * 63, "value": -outcomes.LARGEST, "key": f"{number:~>128}"}
        for number in range(outcomes.MOST_OUTCOMES)
    ]
    told = outcomes.parse(dumps({"outcomes": fed}), experiment=longest, unit=unit)
    answered = client.post("/v1/outcomes", data=dumps({"outcomes": told}))
    assert answered.json == {"accepted": len(fed), "duplicates": 0, "unknown": 0}


async def answer(request: web.Request) -> web.Response:
    body = request.app[BODY]
    if body == "slow":
        await asyncio.sleep(60)
    status = int(body) if body.isdecimal() else 200
    return web.Response(status=status, text=body, headers={"Location": "/"} if status == 302 else {})


BODY = web.AppKey("body", str)


@pytest.fixture
async def other(request: pytest.FixtureRequest) -> AsyncIterator[str]:
    app = web.Application()
    app[BODY] = request.param
    app.router.add_get("/v1/experiments/{namespace}/{record}", answer)
    async with TestServer(app) as running:
        yield str(running.make_url("/"))


GOOD = '{"versions": {"blue": {"units": 2, "matured": 1, "total": 1.0, "squares": 1.0, "crossed": 0}}}'
INCOMPLETE = GOOD[:-1] + ', "incomplete": true}'


@pytest.mark.parametrize(
    ("other", "why"),
    [
        ("503", "the collector answers HTTP 503"),
        ("302", "the collector answers HTTP 302"),
        ("{}", "the collector answers something else than what was asked for"),
        ("<html>", "the collector answers something else than what was asked for"),
        (GOOD.replace("2", "-2"), "the collector answers something else than what was asked for"),
        (GOOD.replace("1.0", "1e999"), "the collector answers something else than what was asked for"),
    ],
    indirect=["other"],
)
async def test_whatever_else_is_answered_is_silence(other: str, why: str) -> None:
    assert await ask(other) == Silent(why)


@pytest.mark.parametrize("other", ["slow"], indirect=True)
async def test_a_slow_collector_is_not_waited_for(other: str) -> None:
    assert await ask(other, patience=0.01) == Silent("the collector does not answer in time")


@pytest.mark.parametrize("other", [INCOMPLETE], indirect=True)
async def test_what_is_incomplete_says_so(other: str) -> None:
    assert await ask(other) == observation.TestResults({"blue": Units(2, 1, 1.0, 1.0)}, incomplete=True)


async def test_no_collector_is_a_sentence_and_one_that_is_away_too() -> None:
    assert await ask("") == experiments.NOT_INSTALLED
    away = await ask("http://127.0.0.1:1")
    assert isinstance(away, Silent)
    assert away.why.startswith("the collector can't be reached")
