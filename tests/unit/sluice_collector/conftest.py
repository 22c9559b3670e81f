"""Both databases, for every test that has one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.unit.sluice_collector.postgres import Postgres, server
from tests.unit.sluice_collector.worlds import World


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    with server() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    """Makes empty databases, as a user would name them."""
    if request.param == "postgresql":
        running: Postgres = request.getfixturevalue("postgres")
        return running.database
    numbers = iter(range(1_000_000))
    return lambda: f"sqlite:///{tmp_path}/{next(numbers)}.db"


@pytest.fixture
def world(new_url: Callable[[], str]) -> Iterator[World]:
    with closing(World(new_url())) as made:
        yield made
