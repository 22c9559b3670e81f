"""What the environment says."""

from __future__ import annotations

import pytest
from sluice.settings import Scope


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
