"""Our own writes are told from those of others by the version that they made."""

from __future__ import annotations

from typing import Any

import pytest
from sluice.controller.echoes import MOST, Echoes, Noted
from sluice.kube.api import MODEL_DEPLOYMENTS, SERVICES

from tests.simulation.controller import SimulatedApi
from tests.simulation.invariants import Invariants
from tests.simulation.simulation import installed
from tests.simulation.world import NAME, NAMESPACE, World


def sent(kind: str = "Deployment", version: str | None = None) -> dict[str, Any]:
    return {"kind": kind, "metadata": {"name": "m"} | ({"resourceVersion": version} if version else {})}


def stored(version: str, **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": "m", "resourceVersion": version}, **more}


def test_the_event_of_our_own_write_is_known_once() -> None:
    echoes = Echoes()
    echoes.wrote(sent(), stored("7"))
    assert not echoes.is_echo({"resourceVersion": "8"})
    assert echoes.is_echo({"resourceVersion": "7"})
    assert not echoes.is_echo({"resourceVersion": "7"}), "a list shows it again: that is no echo"
    assert not echoes.is_echo(None)


@pytest.mark.parametrize(
    ("what", "answer", "echo"),
    [
        (sent(), stored("7", status={}), True),
        (sent(), stored("7", status={"conditions": [{"type": "ReplicaFailure"}]}), False),
        (sent(version="6"), stored("7", status={"conditions": [{"type": "ReplicaFailure"}]}), True),
        (sent("Service"), stored("7", status={"loadBalancer": {}}), True),
        (sent("ControllerRevision"), stored("7"), False),
    ],
    ids=["made", "was there, with news", "read before", "a Service", "not watched"],
)
def test_an_answer_that_may_hide_news_of_others_is_no_echo(
    what: dict[str, Any], answer: dict[str, Any], echo: bool
) -> None:
    echoes = Echoes()
    echoes.wrote(what, answer)
    assert echoes.is_echo({"resourceVersion": "7"}) is echo


def test_what_never_comes_back_is_forgotten() -> None:
    echoes = Echoes()
    for version in range(MOST + 1):
        echoes.wrote(sent(), stored(str(version)))
    assert not echoes.is_echo({"resourceVersion": "0"})
    assert echoes.is_echo({"resourceVersion": "1"})


@pytest.fixture
def world() -> World:
    """Made outside of the loop that an async test runs in: it needs one of its own."""
    return installed()[0]


async def test_every_apply_is_noted_and_everything_passed_on(world: World) -> None:
    echoes = Echoes()
    api = Noted(SimulatedApi(world, Invariants()), echoes)
    md = await api.get(MODEL_DEPLOYMENTS, NAMESPACE, NAME)
    assert md
    status = await api.apply_status(MODEL_DEPLOYMENTS, md | {"status": {**md["status"], "message": "hello"}})
    assert echoes.is_echo(status["metadata"])
    found = (await api.list(SERVICES, NAMESPACE, f"sluice.dev/model-deployment={NAME}"))[0]
    labels = found["metadata"]["labels"] | {"more": "x"}
    applied = await api.apply(SERVICES, found | {"metadata": found["metadata"] | {"labels": labels}})
    assert echoes.is_echo(applied["metadata"])
    await api.delete(SERVICES, NAMESPACE, found["metadata"]["name"])
    assert not await api.list(SERVICES, NAMESPACE, f"sluice.dev/model-deployment={NAME}")
