"""The two forms of a model URI."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sluice.api.spec import ModelSource
from sluice.registry.uri import ModelUri, parse

RULE = re.compile(
    ModelSource.model_json_schema()["properties"]["uri"]["x-kubernetes-validations"][0]["rule"].split("'")[1]
)

names = st.text(st.characters(exclude_characters="/@", exclude_categories=["Cs"]), min_size=1, max_size=20)


@given(names, names)
def test_an_alias(name: str, alias: str) -> None:
    assert parse(f"models:/{name}@{alias}") == ModelUri(name, alias=alias)


@given(names, st.integers(1, 10**18 - 1))
def test_a_version(name: str, version: int) -> None:
    assert parse(f"models:/{name}/{version}") == ModelUri(name, version=str(version))


@pytest.mark.parametrize(
    "uri",
    [
        *("", "models:/", "models:/a", "models:/a/", "models:/a@", "models:/@b", "models:/a/0", "models:/a/-1"),
        *("models:/a/1.5", "models:/a/Production", "models:/a/1@b", "models:/a@b@c", "models:/a/b/1", "model:/a/1"),
        *("models:/a/\u0661", "models:/a/1\n", "models:/a/" + "9" * 19, " models:/a/1"),
    ],
)
def test_anything_else_is_refused_with_the_two_forms(uri: str) -> None:
    with pytest.raises(ValueError, match="models:/NAME@ALIAS or models:/NAME/VERSION"):
        parse(uri)


@given(st.from_regex(r"models:/[a-z/@0-9]{0,8}(@|/)[a-z0-9/@]{0,8}", fullmatch=True))
def test_what_the_api_server_lets_in_is_understood(uri: str) -> None:
    if RULE.search(uri) and "\n" not in uri:
        parse(uri)
