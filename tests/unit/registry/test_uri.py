"""The forms of a model URI."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sluice.api.model import ModelSource
from sluice.registry.uri import ModelUri, RunUri, StoreUri, is_in_reach, parse, title, unpin

RULE = re.compile(
    ModelSource.model_json_schema()["properties"]["uri"]["x-kubernetes-validations"][1]["rule"].split("'")[3]
)
DIGEST = "sha256:" + "0a" * 32

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
        *("runs:/", "runs:/1", "runs:/1/", "runs:/1/a/", "runs:/1/a//b", "runs:/1/../b", "runs:/-/b", "runs:/1/a'b"),
        *("file:/a/b", "/a/b", "s3://bucket", "s3://bucket/", "s3:/a/b", "s3://bucket/a?versionId=1", "ftp://host/a"),
        *("mlflow-artifacts:/", "mlflow-artifacts:/a/./b", "s3://bucket/a%2e", "gs://bucket/a\n"),
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


def test_what_a_run_has_logged() -> None:
    assert parse("runs:/0b5e/model") == RunUri("0b5e", "model")
    assert parse("runs:/0b5e/models/best") == RunUri("0b5e", "models/best")


@pytest.mark.parametrize(
    ("uri", "path"),
    [
        ("s3://bucket/penguins", "penguins"),
        ("gs://bucket/models/penguins", "models/penguins"),
        ("abfss://container@account.dfs.core.windows.net/penguins", "penguins"),
        ("wasbs://container@account.blob.core.windows.net/penguins", "penguins"),
        ("https://mlflow.example/api/2.0/mlflow-artifacts/artifacts/1/m", "api/2.0/mlflow-artifacts/artifacts/1/m"),
        ("mlflow-artifacts:/1/models/m-1/artifacts", "1/models/m-1/artifacts"),
    ],
)
def test_a_folder_in_a_store(uri: str, path: str) -> None:
    assert parse(uri) == StoreUri(uri, path)
    assert is_in_reach(uri)


@pytest.mark.parametrize("uri", ["/mlruns/0/1/artifacts/model", "file:///mlruns/0", "dbfs:/databricks/model", ""])
def test_a_folder_of_a_machine_is_out_of_reach(uri: str) -> None:
    assert not is_in_reach(uri)


def test_a_digest_is_told_from_the_uri() -> None:
    assert unpin(f"s3://bucket/penguins#{DIGEST}") == ("s3://bucket/penguins", DIGEST)
    assert unpin("s3://bucket/penguins") == ("s3://bucket/penguins", None)
    assert unpin("models:/penguins#sha256:1/7") == ("models:/penguins#sha256:1/7", None)
    assert unpin(ModelSource(uri="models:/penguins/7", digest=DIGEST).reference) == ("models:/penguins/7", DIGEST)


def test_the_title_is_what_tells_most() -> None:
    assert title("models/penguins") == "penguins"
    assert title("1/models/m-1/artifacts") == "m-1"
    assert title("artifacts") == "artifacts"
