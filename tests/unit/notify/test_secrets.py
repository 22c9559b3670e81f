"""URLs of channels are secrets: whatever goes wrong, nothing of them is said or logged."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from apprise.plugins.slack import NotifySlack
from sluice.core.plan import Event, EventType
from sluice.notify.channels import Channels
from sluice.notify.notices import Notices

from tests.unit.notify.mail import Box, mail_server

SECRETS = ("s3cret", "T1JJ3T3L2", "A1BRTD4JD", "TIiajkdnlazkcOXrIdevi7FQ", "xoxb-1234567890")
SLACK = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#rollouts"
BOT = "slack://xoxb-1234567890-1234567890123-abcdefghijklmnopqrstuvwx/#rollouts"


@pytest.fixture
async def refusing(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    """A host that refuses everything, also where Slack is looked for."""

    async def refuse(request: web.Request) -> web.Response:
        return web.Response(status=403, text=f"no: {request.path}")

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", refuse)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host = f"127.0.0.1:{runner.addresses[0][1]}"
    monkeypatch.setattr(NotifySlack, "webhook_url", f"http://{host}/services")
    monkeypatch.setattr(NotifySlack, "api_url", f"http://{host}/api/{{}}")
    yield host
    await runner.cleanup()


@pytest.mark.parametrize(
    "url",
    [
        SLACK,
        BOT,
        f"{SLACK}?retry=1&wait=0",
        "json://s3cret-user:s3cret@{host}/s3cret?+x-token=s3cret",
        "json://127.0.0.1:1/s3cret",
        "mailto://user:s3cret@127.0.0.1:1?from=a@example.org&to=b@example.org",
        "mailto://user:s3cret@127.0.0.1:{mail}?from=a@example.org&to=b@example.org",
        "mailtos://user:s3cret@127.0.0.1:{mail}?from=a@example.org&to=b@example.org",
        "slack://s3cret/s3cret",
        "s3cret",
    ],
    ids=[
        "Slack refuses", "Slack refuses a bot", "Slack refuses twice", "a webhook refuses", "a webhook is away",
        "a mail server is away", "a mail server refuses the login", "a mail server has no TLS", "no token", "no URL",
    ],
)  # fmt: skip
async def test_a_notice_that_fails_logs_nothing_of_the_url(
    url: str,
    refusing: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    told, outcomes = asyncio.Event(), Counter[str]()

    def count(outcome: str) -> None:
        outcomes.update([outcome])
        told.set()

    async with mail_server(Box(), login=("user", "another")) as box:
        (tmp_path / "urls").write_text(url.format(host=refusing, mail=box.port))
        channels = Channels(tmp_path / "urls")
        assert not any(secret in problem for problem in channels.problems() for secret in SECRETS)
        line = Notices(channels, count)
        line.tell("models", "penguins", Event(EventType.WARNING, "HarmProven", "penguins/3 fails more often"))
        task = asyncio.create_task(line.run())
        await told.wait()
        await asyncio.sleep(0)  # what failed is logged right after it is counted
        task.cancel()
    assert outcomes == {"failed": 1}
    assert "notice HarmProven" in caplog.text
    printed = capfd.readouterr()
    for text in (caplog.text, printed.out, printed.err):
        assert not [secret for secret in SECRETS if secret in text]
