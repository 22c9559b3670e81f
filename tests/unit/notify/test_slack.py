"""What Slack is sent. Slack itself is never asked: its address is taken for a server on this machine."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from apprise.plugins.slack import NotifySlack
from sluice.core.plan import Event, EventType
from sluice.notify.channels import Channels
from sluice.notify.notices import Notice

NOTICE = Notice("models", "penguins", Event(EventType.WARNING, "HarmProven", "penguins/3 fails <more> often & soon"))
TOKENS = "T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
BOT = "xoxb-1234567890-1234567890123-abcdefghijklmnopqrstuvwx"


class Slack:
    """Notes what it is sent; answers as Slack does."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, Any, str]] = []
        self.error = ""

    async def take(self, request: web.Request) -> web.Response:
        self.taken.append((request.path, await request.json(), request.headers.get("Authorization", "")))
        if request.path.startswith("/api/"):
            return web.json_response({"ok": not self.error, "error": self.error, "channel": "C123"})
        return web.Response(text=self.error or "ok", status=403 if self.error else 200)


@pytest.fixture
async def slack(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Slack]:
    found, app = Slack(), web.Application()
    app.router.add_post("/{tail:.*}", found.take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    assert NotifySlack.webhook_url.startswith("https://hooks.slack.com/")
    assert NotifySlack.api_url.startswith("https://slack.com/api/")
    monkeypatch.setattr(NotifySlack, "webhook_url", f"{address}/services")
    monkeypatch.setattr(NotifySlack, "api_url", f"{address}/api/{{}}")
    yield found
    await runner.cleanup()


def channels(directory: Path, url: str) -> Channels:
    path = directory / "urls"
    path.write_text(url)
    return Channels(path)


@pytest.mark.parametrize(
    ("url", "channel"),
    [
        (f"slack://{TOKENS}/#rollouts", "#rollouts"),
        (f"https://hooks.slack.com/services/{TOKENS}", None),
    ],
    ids=["with a channel", "as Slack shows it"],
)
async def test_an_incoming_webhook_is_posted_to(slack: Slack, tmp_path: Path, url: str, channel: str | None) -> None:
    assert await channels(tmp_path, url)(NOTICE) == []
    ((path, payload, _),) = slack.taken
    assert path == f"/services/{TOKENS}"
    assert payload.get("channel") == channel
    (attachment,) = payload["attachments"]
    assert attachment["title"] == "HarmProven: models/penguins"
    assert attachment["footer"] == "Sluice"
    assert attachment["text"].startswith("penguins/3 fails &lt;more&gt; often &amp; soon"), "Slack reads <x> as a link"
    assert "kubectl sluice status penguins --namespace models" in attachment["text"]


async def test_a_bot_names_the_channel_and_shows_its_token_in_a_header_only(slack: Slack, tmp_path: Path) -> None:
    assert await channels(tmp_path, f"slack://{BOT}/#rollouts")(NOTICE) == []
    ((path, payload, authorization),) = slack.taken
    assert (path, payload["channel"]) == ("/api/chat.postMessage", "#rollouts")
    assert authorization == f"Bearer {BOT}"
    assert BOT not in str(payload)


@pytest.mark.parametrize("url", [f"slack://{TOKENS}/#rollouts", f"slack://{BOT}/#rollouts"])
async def test_what_slack_refuses_is_told(slack: Slack, tmp_path: Path, url: str) -> None:
    slack.error = "not_in_channel"
    assert await channels(tmp_path, url)(NOTICE) == ["Slack did not take it"]
