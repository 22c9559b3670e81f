"""What the environment says."""

from __future__ import annotations

import pytest
from sluice.settings import Scope, Settings


@pytest.mark.parametrize(
    ("text", "namespaces"),
    [("", ()), ("a", ("a",)), ("a,b", ("a", "b")), (" a , b ,", ("a", "b"))],
)
def test_namespaces_are_separated_by_commas(
    monkeypatch: pytest.MonkeyPatch, text: str, namespaces: tuple[str, ...]
) -> None:
    monkeypatch.setenv("SLUICE_NAMESPACES", text)
    assert Scope().namespaces == namespaces


def test_without_any_it_is_the_whole_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLUICE_NAMESPACES", raising=False)
    assert Scope().namespaces == ()


def test_the_reasons_of_which_nobody_is_notified_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_MLFLOW_TRACKING_URI", "http://mlflow")
    monkeypatch.setenv("SLUICE_SERVER_IMAGE", "server:1")
    assert Settings().notify_urls is None
    assert Settings().notify_left_out == ()
    monkeypatch.setenv("SLUICE_NOTIFY_LEFT_OUT", "Repaired, Resumed")
    assert Settings().notify_left_out == ("Repaired", "Resumed")
    monkeypatch.setenv("SLUICE_NOTIFY_LEFT_OUT", "")
    assert Settings().notify_left_out == ()
