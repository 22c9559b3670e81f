"""The strategies that are measured are what the API takes."""

from __future__ import annotations

from typing import Any

import pytest
from sluice.api.strategy import STRATEGIES, Strategy
from sluice.api.traffic import Traffic

from benchmarks.strategies.specs import SUBJECTS, leaves


def kept(written: object, read: object) -> bool:
    """Whether all that was written is there after reading; unknown fields are left out by it."""
    if isinstance(written, dict):
        return isinstance(read, dict) and all(name in read and kept(each, read[name]) for name, each in written.items())
    if isinstance(written, list):
        return isinstance(read, list | tuple) and all(kept(*pair) for pair in zip(written, read, strict=True))
    return written == read


def test_every_strategy_is_measured() -> None:
    assert set(SUBJECTS) == set(STRATEGIES)


@pytest.mark.parametrize("name", SUBJECTS)
def test_the_api_knows_every_field(name: str) -> None:
    subject = SUBJECTS[name]
    strategies: list[Any] = [dict(subject.strategy), subject.least["strategy"]]
    for strategy in strategies:
        assert kept(strategy, Strategy.model_validate(strategy).to_kubernetes())
    for traffic in (dict(subject.traffic), subject.least.get("traffic", {})):
        assert kept(traffic, Traffic.model_validate(traffic).to_kubernetes())


@pytest.mark.parametrize("name", [name for name, subject in SUBJECTS.items() if subject.held])
def test_who_sticks_is_measured_by_what_the_api_knows(name: str) -> None:
    held = SUBJECTS[name].held
    assert held
    assert kept(held.strategy, Strategy.model_validate(held.strategy).to_kubernetes())
    assert kept(held.traffic, Traffic.model_validate(held.traffic).to_kubernetes())
    assert f"{held.weight}" in str(Strategy.model_validate(held.strategy).to_kubernetes())


def test_fields_are_counted_that_a_user_writes() -> None:
    steps = {"canary": {"steps": [{"setWeight": 10}, {"analysis": {}}, {"pause": {"duration": "1m"}}]}}
    assert len(list(leaves({"recreate": {}}))) == 1
    assert len(list(leaves(steps))) == 3


def test_what_has_to_be_written_is_counted_beyond_the_name_of_the_strategy() -> None:
    required = {name: subject.required for name, subject in SUBJECTS.items()}
    assert required == {"recreate": 0, "blueGreen": 0, "canary": 0, "shadow": 0, "abTest": 2}
    assert SUBJECTS["blueGreen"].written == 2
    assert SUBJECTS["abTest"].written == 10
