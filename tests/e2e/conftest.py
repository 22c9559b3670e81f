"""The whole product on a cluster of its own: real gateway, real MLflow, real models, real traffic."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Iterator

import pytest
from sluice_training.data import request_rows

from hack.load import Load
from hack.stack.install import Stack, bring_up
from tests.e2e.inside import InsideLoad
from tests.e2e.subject import Subject
from tests.exclusive import one_at_a_time

CLUSTER = os.environ.get("SLUICE_TEST_CLUSTER", "sluice-test")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "tests/e2e" in str(item.path):
            item.add_marker(pytest.mark.e2e)


@pytest.fixture(scope="session")
def stack(pytestconfig: pytest.Config) -> Stack:
    """The stack; of several workers one brings it up, and the others find it."""
    capture = pytestconfig.pluginmanager.getplugin("capturemanager")
    with capture.global_and_fixture_disabled(), one_at_a_time(f"{CLUSTER}-stack"):
        return bring_up(CLUSTER, print)


@pytest.fixture
def subject(stack: Stack) -> Iterator[Subject]:
    """A ModelDeployment to be, in a namespace of its own, following an alias of its own."""
    made = Subject(stack, f"t-{uuid.uuid4().hex[:8]}")
    made.create_namespace()
    yield made
    made.remove()


@pytest.fixture
def traffic(stack: Stack, subject: Subject) -> Callable[[float], Load]:
    """Requests with real rows, through the gateway."""
    rows = request_rows()
    return lambda rate: Load(f"{stack.gateway_url}/{subject.namespace}/invocations", rows, rate)


@pytest.fixture
def inside(subject: Subject) -> Callable[[float], InsideLoad]:
    """Requests with real rows, from a pod beside it, to its Service."""
    rows = request_rows()
    return lambda rate: InsideLoad(subject, rows, rate)
