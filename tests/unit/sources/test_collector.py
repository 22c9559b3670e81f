"""The operator asks how answers compare: a real collector answers, or something else, or nothing."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from sluice.api.pairs import LONGEST_LABEL, MOST_FLIPS, Classes, Flip, Numbers, Pairs
from sluice.core.observation import Silent
from sluice.sources import asking
from sluice.sources.collector import NOT_INSTALLED, OTHER, comparison, counts
from sluice_collector import tally
from sluice_collector.answers import Answer

from tests.unit.sluice_collector.worlds import NAME, World, answer, both


async def ask(url: str) -> Pairs | Silent:
    async with aiohttp.ClientSession() as session:
        return await counts(session, url, NAME, 60.0)


async def told(world: World, collector: str, *answers: Answer) -> Pairs:
    ledger = world.open()
    for at in range(0, len(answers), 500):
        ledger.record(answers[at : at + 500])
    found = await ask(collector)
    assert isinstance(found, Pairs), found
    return found


def test_a_rollout_has_the_name_of_its_record() -> None:
    assert comparison("team-a", "penguins-7") == NAME


async def test_what_a_real_collector_has_not_heard_of_is_nothing(collector: str) -> None:
    assert await ask(collector) == Pairs()


async def test_what_a_real_collector_knows(world: World, collector: str) -> None:
    failed = [answer(f"f{n}", side, status=500, predictions=None) for n in range(2) for side in ("stable", "candidate")]
    found = await told(
        world, collector, *failed, *both("r1", "Adelie", "Gentoo"), *both("r2", "Adelie", "Adelie"),
        *both("r3", 1.5, 4.0), *both("r4", 2.0, 1.0),
        answer("r5", "stable"), answer("r5", "candidate", status=503, predictions=None),
        answer("r6", "stable", status=503, predictions=None), answer("r6", "candidate"),
        answer("r7", "stable", "late"), answer("r8", "stable", seconds=0.1), answer("r8", "candidate", seconds=2.0),
    )  # fmt: skip
    durations = found.durations
    assert durations
    assert found == Pairs(
        joined=9, different=5, candidate_failed=1, stable_failed=1, both_failed=2,
        classes=Classes(rows=3, changed=1, flips=(Flip(stable="Adelie", candidate="Gentoo", count=1),)),
        numbers=Numbers(rows=2, mean=0.75, mean_size=1.75, largest=2.5),
        durations=durations,
    )  # fmt: skip
    assert durations.requests == 5
    assert durations.stable.mean == pytest.approx((4 * 0.01 + 0.1) / 5)
    assert durations.candidate.p50 == pytest.approx(0.01, rel=0.05)
    assert durations.candidate.p99 == pytest.approx(2, rel=0.05)


async def test_of_many_changes_the_largest_are_kept(world: World, collector: str) -> None:
    said = [
        pair
        for a in range(6)
        for b in range(6)
        for n in range(1 + (a == b) * 9 + a)
        for pair in both(f"{a}-{b}-{n}", a, b)
    ]
    found = (await told(world, collector, *said)).classes
    assert found
    assert (found.rows, found.changed, found.unknown) == (len(said) // 2, 5 * (1 + 2 + 3 + 4 + 5 + 6), 0)
    assert found.flips == tuple(Flip(stable="5", candidate=str(b), count=6) for b in range(MOST_FLIPS))


async def test_of_labels_without_a_place_nothing_is_said(world: World, collector: str) -> None:
    """The same label may have a place on one side and none on the other."""
    labels = [f"{n:02}" for n in range(tally.LABELS + 1)]
    assert tally.OTHER == OTHER
    stable = [pair for n in labels for pair in both(f"a{n}", n, labels[0])]
    candidate = [pair for n in reversed(labels) for pair in both(f"b{n}", n, n)]
    found = (await told(world, collector, *stable, *candidate)).classes
    assert found
    assert found.rows == 2 * len(labels)
    assert found.changed == tally.LABELS - 1
    assert found.unknown == 3  # the last of stable's, beside the first; the last and the first of both
    assert OTHER not in {flip.stable for flip in found.flips} | {flip.candidate for flip in found.flips}


LABELS = [
    ("Adelie", "Adelie"),
    ("", "(empty)"),
    ("l" * LONGEST_LABEL, "l" * LONGEST_LABEL),
    ("l" * (LONGEST_LABEL + 1), "l" * (LONGEST_LABEL - 1) + "…"),
    ("\x1b[2J\x1b[31mred\r\n\t", "�[2J�[31mred���"),
    ("\u202eevil\u200b\x00", "�evil��"),
    ("Zügelpinguin 🐧", "Zügelpinguin 🐧"),
]


@pytest.mark.parametrize(("label", "shown"), LABELS)
async def test_labels_are_shown_as_what_cannot_harm_a_terminal(
    world: World, collector: str, label: str, shown: str
) -> None:
    found = (await told(world, collector, *both("r1", label, "Gentoo"))).classes
    assert found
    assert [flip.stable for flip in found.flips] == [shown]


async def test_the_largest_answer_of_a_collector_is_read_to_its_end(world: World, collector: str) -> None:
    places = [f"{n:🐧>64}" for n in range(tally.LABELS)]
    said = [pair for a in places for b in places for pair in both(f"{places.index(a)}-{places.index(b)}", a, b)]
    found = (await told(world, collector, *said)).classes
    assert found
    assert found.rows == tally.LABELS**2


BODY = web.AppKey("body", bytes)


async def respond(request: web.Request) -> web.StreamResponse:
    return web.Response(body=request.app[BODY])


@pytest.fixture
async def other() -> AsyncIterator[Callable[[bytes], Any]]:
    """Answers what it is told to."""
    running: list[TestServer] = []

    async def start(body: bytes) -> str:
        app = web.Application()
        app[BODY] = body
        app.router.add_get("/v1/comparisons/{namespace}/{record}", respond)
        running.append(TestServer(app))
        await running[-1].start_server()
        return str(running[-1].make_url("/"))

    yield start
    for one in running:
        await one.close()


SIDE = {"count": 2, "mean": 0.1, "p50": 0.1, "p99": 0.1}
GOOD: dict[str, Any] = {
    "pairs": 2, "disagreements": 1, "stableErrors": 0, "candidateErrors": 0, "bothFailed": 0,
    "classes": [{"stable": "a", "candidate": "b", "count": 1}],
    "numeric": {"count": 1, "meanDelta": 2.0, "meanAbsDelta": 2.0, "maxAbsDelta": 2.0},
    "latency": {"stable": SIDE, "candidate": SIDE},
}  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [
        {"pairs": -1}, {"pairs": 2**63}, {"disagreements": 3}, {"candidateErrors": 3}, {"stableErrors": 3},
        {"classes": None},
        {"numeric": GOOD["numeric"] | {"meanDelta": float("nan")}},
        {"numeric": GOOD["numeric"] | {"maxAbsDelta": -1.0}},
        {"latency": {"stable": SIDE, "candidate": SIDE | {"p99": float("inf")}}},
        {"latency": {"stable": SIDE}},
    ],
)  # fmt: skip
async def test_what_cannot_be_is_silence(other: Callable[[bytes], Any], wrong: dict[str, Any]) -> None:
    assert isinstance(await ask(await other(json.dumps(GOOD).encode())), Pairs)
    assert await ask(await other(json.dumps(GOOD | wrong).encode())) == Silent(
        "the collector answers something else than what was asked for"
    )


async def test_an_answer_without_end_is_not_read(other: Callable[[bytes], Any]) -> None:
    assert await ask(await other(b" " * (asking.MAX_BYTES + 1))) == Silent(
        "the collector answers more than 1048576 bytes"
    )


async def test_no_collector_is_a_sentence_and_one_that_is_away_too() -> None:
    assert await ask("") == NOT_INSTALLED
    away = await ask("http://127.0.0.1:1")
    assert isinstance(away, Silent)
    assert away.why.startswith("the collector can't be reached")
