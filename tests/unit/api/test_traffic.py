"""Where a user's id is: what the route tells of it."""

from __future__ import annotations

import pytest
from pydantic import ValidationError
from sluice.api.traffic import Sticky


@pytest.mark.parametrize(
    ("sticky", "unit"),
    [(Sticky(header="X-User-ID"), "header:x-user-id"), (Sticky(cookie="Session.id"), "cookie:Session.id")],
    ids=["names of headers have no case", "those of cookies do"],
)
def test_the_unit(sticky: Sticky, unit: str) -> None:
    assert sticky.unit == unit


@pytest.mark.parametrize("name", ["", "a b", "a;b", "a=b", "é", "x" * 101, ":authority"])
def test_no_other_text_gets_into_a_header(name: str) -> None:
    for field in ("header", "cookie"):
        with pytest.raises(ValidationError):
            Sticky.model_validate({field: name})
