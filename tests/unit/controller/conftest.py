"""The cluster that most tests of the controller begin with."""

from __future__ import annotations

import pytest

from tests.simulation.simulation import installed
from tests.unit.controller.bench import Bench, FailingApi


@pytest.fixture
def bench() -> Bench:
    world, invariants = installed()
    return Bench(world, FailingApi(world, invariants))
