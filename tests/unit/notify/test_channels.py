"""Channels by Apprise, against a webhook that listens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from sluice.core.plan import Event, EventType
from sluice.notify.channels import Channels
from sluice.notify.notices import Notice

NOTICE = Notice("models", "penguins", Event(EventType.WARNING, "HarmProven", "penguins/3 fails <more> often"))


class Hook:
    """Notes what it is sent."""

    def __init__(self) -> None:
        self.taken: list[dict[str, Any]] = []
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        self.taken.append(await request.json())
        return web.Response()


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    found, app = Hook(), web.Application()
    app.router.add_post("/hook", found.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.url = f"json://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield found
    await runner.cleanup()


@pytest.fixture
def urls(tmp_path: Path) -> Path:
    return tmp_path / "urls"


def named(urls: Path, *lines: str) -> Channels:
    urls.write_text("\n".join(lines))
    return Channels(urls)


async def test_every_channel_is_told_what_happened(hook: Hook, urls: Path) -> None:
    assert await named(urls, "# the team's", "", hook.url, f"{hook.url}?method=POST")(NOTICE) == []
    assert len(hook.taken) == 2
    assert hook.taken[0]["title"] == "HarmProven: models/penguins"
    assert hook.taken[0]["message"].startswith("penguins/3 fails <more> often\n")
    assert hook.taken[0]["type"] == "warning"


async def test_a_channel_that_is_away_keeps_nothing_from_the_others(hook: Hook, urls: Path) -> None:
    (problem,) = await named(urls, "json://127.0.0.1:1/secret", hook.url)(NOTICE)
    assert problem == "JSON did not take it"
    assert len(hook.taken) == 1


async def test_a_line_that_is_no_channel_is_named_without_what_stands_in_it(hook: Hook, urls: Path) -> None:
    channels = named(urls, hook.url, "slak://secret")
    (problem,) = channels.problems()
    assert "line 2" in problem
    assert "secret" not in problem
    assert await channels(NOTICE) == [problem]
    assert len(hook.taken) == 1


@pytest.mark.parametrize(("content", "said"), [(None, "can't be read"), ("# nobody", "names no channel")])
async def test_a_file_without_channels_is_told(urls: Path, content: str | None, said: str) -> None:
    channels = named(urls, content) if content else Channels(urls)
    (problem,) = await channels(NOTICE)
    assert said in problem


def test_a_file_that_is_no_text_is_told(urls: Path) -> None:
    urls.write_bytes("json://hööks".encode("latin-1"))
    (problem,) = Channels(urls).problems()
    assert "no UTF-8" in problem


async def test_a_file_that_changes_counts_from_then_on(hook: Hook, urls: Path) -> None:
    channels = named(urls, "json://127.0.0.1:1/away")
    assert await channels(NOTICE)
    named(urls, hook.url)
    assert await channels(NOTICE) == []
