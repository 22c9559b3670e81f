"""Notices by mail, handed to a real SMTP server on this machine."""

from __future__ import annotations

from pathlib import Path

import pytest
from sluice.core.plan import Event, EventType
from sluice.notify.channels import Channels
from sluice.notify.notices import Notice

from tests.unit.notify.mail import Box, certificate, mail_server

NOTICE = Notice("models", "penguins", Event(EventType.WARNING, "HarmProven", "penguins/3 fails <more> often & soon"))
LOGIN = ("sluice@example.org", "pass#word/1")
WRITTEN = "sluice%40example.org:pass%23word%2F1"  # as it has to stand in a URL


def channels(directory: Path, url: str) -> Channels:
    path = directory / "urls"
    path.write_text(url)
    return Channels(path)


@pytest.mark.parametrize(("mode", "at_once"), [("", False), ("&mode=ssl", True)], ids=["STARTTLS", "TLS at once"])
async def test_a_mail_goes_out_over_tls_with_a_login(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str, at_once: bool
) -> None:
    tls, trusted = certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    async with mail_server(Box(), tls=tls, at_once=at_once, login=LOGIN) as box:
        server, to = f"127.0.0.1:{box.port}", "team@example.org,boss@example.org"
        url = f"mailtos://{WRITTEN}@{server}?from=sluice@example.org&to={to}{mode}"
        assert await channels(tmp_path, url)(NOTICE) == []
    assert {letter.recipients for letter in box.letters} == {("team@example.org",), ("boss@example.org",)}
    letter = box.letters[0]
    assert letter.encrypted
    assert letter.sender == "sluice@example.org"
    assert "sluice@example.org" in letter.message["From"]
    assert letter.message["Subject"] == "HarmProven: models/penguins"


async def test_a_mail_says_what_happened_and_where_to_see_more(tmp_path: Path) -> None:
    async with mail_server(Box()) as box:
        url = f"mailto://127.0.0.1:{box.port}?from=sluice@example.org&to=team@example.org"
        assert await channels(tmp_path, url)(NOTICE) == []
    (letter,) = box.letters
    assert not letter.encrypted
    assert "penguins/3 fails <more> often & soon" in letter.text
    assert "kubectl sluice status penguins --namespace models" in letter.text


async def test_what_is_no_html_is_shown_as_it_is_in_a_mail_of_html(tmp_path: Path) -> None:
    async with mail_server(Box()) as box:
        url = f"mailto://127.0.0.1:{box.port}?from=sluice@example.org&to=team@example.org&format=html"
        assert await channels(tmp_path, url)(NOTICE) == []
    html = box.letters[0].message.get_body(("html",))
    assert html is not None
    assert "&lt;more&gt;" in html.get_content()
    assert "&amp;" in html.get_content()


async def test_a_server_that_nobody_vouches_for_gets_neither_mail_nor_password(tmp_path: Path) -> None:
    tls, _ = certificate(tmp_path)
    async with mail_server(Box(), tls=tls, login=LOGIN) as box:
        url = f"mailtos://{WRITTEN}@127.0.0.1:{box.port}?from=sluice@example.org&to=team@example.org"
        (problem,) = await channels(tmp_path, url)(NOTICE)
    assert problem == "E-Mail did not take it"
    assert box.letters == []


async def test_a_mail_that_is_refused_is_told(tmp_path: Path) -> None:
    async with mail_server(Box(refuses=True)) as box:
        url = f"mailto://127.0.0.1:{box.port}?from=sluice@example.org&to=team@example.org"
        (problem,) = await channels(tmp_path, url)(NOTICE)
    assert problem == "E-Mail did not take it"
