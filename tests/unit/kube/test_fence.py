"""Nothing is written by an operator that does not lead."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from sluice.kube.api import DEPLOYMENTS, KubeApi, Manifest
from sluice.kube.errors import NotLeadingError
from sluice.kube.fence import Fence

from tests.simulation.controller import SimulatedApi
from tests.simulation.invariants import Invariants
from tests.simulation.world import World

OBJECT: Manifest = {"kind": "Deployment", "metadata": {"namespace": "n", "name": "d", "resourceVersion": "1"}}
READS = ("get", "list")
WRITES: dict[str, tuple[Any, ...]] = {
    "apply": (DEPLOYMENTS, OBJECT),
    "apply_status": (DEPLOYMENTS, OBJECT),
    "merge": (DEPLOYMENTS, "n", "d", {}),
    "create": (DEPLOYMENTS, OBJECT),
    "replace": (DEPLOYMENTS, OBJECT),
    "delete": (DEPLOYMENTS, "n", "d"),
}


@dataclass
class Recorder:
    """Notes every call; holds it until it is let go."""

    calls: list[str] = field(default_factory=list)
    let_go: asyncio.Event = field(default_factory=asyncio.Event)

    def __getattr__(self, name: str) -> Any:
        async def call(*_: object) -> Manifest:
            self.calls.append(name)
            await self.let_go.wait()
            return {}

        return call


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def fence(recorder: Recorder, leads: bool = True) -> Fence:
    return Fence(recorder, lambda: leads)


def test_every_verb_of_the_api_is_either_a_read_or_fenced() -> None:
    verbs = {name for name, value in vars(KubeApi).items() if asyncio.iscoroutinefunction(value)}
    assert verbs == {*READS, *WRITES}
    assert verbs <= set(vars(Fence)), "an inherited one would silently do nothing"


@pytest.mark.parametrize("verb", WRITES)
async def test_only_a_leader_writes(recorder: Recorder, verb: str) -> None:
    recorder.let_go.set()
    with pytest.raises(NotLeadingError):
        await getattr(fence(recorder, leads=False), verb)(*WRITES[verb])
    assert recorder.calls == []
    await getattr(fence(recorder), verb)(*WRITES[verb])
    assert recorder.calls == [verb]


async def test_a_write_to_somewhere_else_stands_behind_the_same_fence(recorder: Recorder) -> None:
    recorder.let_go.set()
    with pytest.raises(NotLeadingError):
        await fence(recorder, leads=False).guards(recorder.set_alias)("champion")
    assert recorder.calls == []
    assert await fence(recorder).guards(recorder.set_alias)("champion") == {}


async def test_anybody_reads() -> None:
    world = World()
    api = Fence(SimulatedApi(world, Invariants()), lambda: False)
    assert await api.get(DEPLOYMENTS, "n", "d") is None
    assert await api.list(DEPLOYMENTS, "n", "") == []


async def test_closing_waits_for_what_is_under_way_and_lets_nothing_more_through(recorder: Recorder) -> None:
    api = fence(recorder)
    writes = [asyncio.create_task(api.delete(*WRITES["delete"])) for _ in range(2)]
    await asyncio.sleep(0)
    closing = asyncio.create_task(api.close(60))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not closing.done()
    with pytest.raises(NotLeadingError):
        await api.delete(*WRITES["delete"])
    recorder.let_go.set()
    await closing
    assert all(write.done() for write in writes)
    assert recorder.calls == ["delete"] * 2


async def test_closing_does_not_wait_for_ever(recorder: Recorder) -> None:
    api = fence(recorder)
    write = asyncio.create_task(api.delete(*WRITES["delete"]))
    await asyncio.sleep(0)
    await api.close(0)
    assert not write.done()
    write.cancel()
