"""Durations and names: what the API server lets through, the models can read, and nothing else."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError
from sluice.api.base import Duration, Name, format_duration, parse_duration
from sluice.api.spec import ModelDeploymentSpec
from sluice.api.traffic import Hostname, Traffic

DURATION: TypeAdapter[timedelta] = TypeAdapter(Duration)


@given(st.integers(0, 9999 * 3600))
def test_durations_survive_writing_and_reading(seconds: int) -> None:
    value = timedelta(seconds=seconds)
    assert DURATION.validate_python(format_duration(value)) == value


@given(st.from_regex(r"\A([0-9]{1,4}h)?([0-9]{1,5}m)?([0-9]{1,6}s)?\Z"))
def test_whatever_the_api_server_accepts_can_be_read(text: str) -> None:
    if text:
        assert isinstance(parse_duration(text), timedelta)


@pytest.mark.parametrize("text", ["", "10", "5 minutes", "5s1m", "-5m", "1.5h", "9999999h", "10m\n"])
def test_other_durations_are_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ValidationError, match="is not a duration: write for example 45s"):
        DURATION.validate_python(text)


@pytest.mark.parametrize("text", ["", "Public", "a_b", "-a", "a."])
def test_names(text: str) -> None:
    adapter: TypeAdapter[str] = TypeAdapter(Name)
    assert adapter.validate_python("public-1.infra") == "public-1.infra"
    with pytest.raises(ValidationError):
        adapter.validate_python(text)


@pytest.mark.parametrize("text", ["", "a..b", "https://a.b", "a:80", "a.*.b", "A.b"])
def test_hostnames(text: str) -> None:
    adapter: TypeAdapter[str] = TypeAdapter(Hostname)
    assert adapter.validate_python("*.example.org") == "*.example.org"
    with pytest.raises(ValidationError):
        adapter.validate_python(text)


@pytest.mark.parametrize("text", ["", "a", "/a//b", "/a/../b", "/./a", "/a b", "/" + "a/" * 100])
def test_path_prefixes(text: str) -> None:
    assert Traffic.model_validate({"pathPrefix": "/v1.2/a_~-/"}).path_prefix == "/v1.2/a_~-/"
    with pytest.raises(ValidationError):
        Traffic.model_validate({"pathPrefix": text})


def test_models_do_not_change() -> None:
    spec = ModelDeploymentSpec.model_validate({"model": {"uri": "models:/penguins@champion"}})
    with pytest.raises(ValidationError, match="frozen"):
        spec.paused = True  # type: ignore[misc]
