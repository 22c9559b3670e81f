"""The line of notices: nobody waits for it, and nothing that a channel does ends it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection

import pytest
from sluice.core.plan import Event, EventType
from sluice.notify import notices
from sluice.notify.notices import MOST_WAITING, Notice, Notices

HARM = Event(EventType.WARNING, "HarmProven", "penguins/3 fails more often")


async def told(line: Notices, *events: Event) -> None:
    """Tell events, and let the line work until it waits."""
    for event in events:
        line.tell("models", "penguins", event)
    task = asyncio.create_task(line.run())
    for _ in range(20):
        await asyncio.sleep(0)
    task.cancel()


async def test_what_happened_is_sent_with_where_to_see_more() -> None:
    sent: list[Notice] = []
    outcomes: Counter[str] = Counter()

    async def send(notice: Notice) -> Collection[str]:
        sent.append(notice)
        return ()

    await told(Notices(send, lambda it: outcomes.update([it])), HARM)
    (notice,) = sent
    assert notice.title == "HarmProven: models/penguins"
    assert notice.body == "penguins/3 fails more often\n\nkubectl sluice status penguins --namespace models"
    assert outcomes == {"sent": 1}


async def test_events_that_are_left_out_are_not_sent() -> None:
    sent: list[Notice] = []

    async def send(notice: Notice) -> Collection[str]:
        sent.append(notice)
        return ()

    step = Event(EventType.NORMAL, "StepCompleted", "20 %")
    await told(Notices(send, lambda _: None, left_out=("StepCompleted",)), step, HARM)
    assert [notice.event for notice in sent] == [HARM]


async def test_a_channel_that_fails_or_hangs_ends_nothing_and_its_words_are_not_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(notices, "MOST_SECONDS", 0.0)
    outcomes: Counter[str] = Counter()
    answers = iter(["raise", "hang", "refuse"])

    async def send(notice: Notice) -> Collection[str]:
        match next(answers):
            case "raise":
                raise RuntimeError("https://hooks.example/secret")
            case "hang":
                await asyncio.Event().wait()
        return ("Slack did not take it",)

    await told(Notices(send, lambda it: outcomes.update([it])), HARM, HARM, HARM)
    assert outcomes == {"failed": 3}
    assert "RuntimeError" in caplog.text
    assert "TimeoutError" in caplog.text
    assert "Slack did not take it" in caplog.text
    assert "secret" not in caplog.text


async def test_when_too_many_wait_the_newest_are_dropped_and_counted() -> None:
    sent, outcomes = 0, Counter[str]()

    async def send(notice: Notice) -> Collection[str]:
        nonlocal sent
        sent += 1
        return ()

    line = Notices(send, lambda it: outcomes.update([it]))
    for _ in range(MOST_WAITING + 3):
        line.tell("models", "penguins", HARM)
    assert outcomes == {"dropped": 3}
