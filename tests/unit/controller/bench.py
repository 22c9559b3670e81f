"""A cluster on which version 1 serves, whose API server can refuse, and a reconciler to look at it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sluice.controller.apply import Applier
from sluice.controller.gates import Gates
from sluice.controller.memory import Memory
from sluice.controller.observer import NOBODY, Observer
from sluice.controller.reconcile import Reconciler
from sluice.controller.records import Records
from sluice.core.observation import Pod, ResolvedModel, Scrape, Silent, Unresolved
from sluice.core.plan import Event
from sluice.kube.api import KubeApi, Manifest, Resource
from sluice.kube.errors import KubeError

from tests.simulation.controller import SimulatedApi
from tests.simulation.gates import SimulatedHooks
from tests.simulation.world import NAME, NAMESPACE, World


@dataclass
class FailingApi(SimulatedApi):
    """Refuses to write some kinds, and notes what is written."""

    failing: dict[str, KubeError] = field(default_factory=dict)
    written: list[tuple[str, str]] = field(default_factory=list)

    def note(self, verb: str, kind: str) -> None:
        if kind in self.failing:
            raise self.failing[kind]
        self.written.append((verb, kind))

    async def apply(self, resource: Resource, manifest: Manifest) -> Manifest:
        self.note("apply", resource.kind)
        return await super().apply(resource, manifest)

    async def apply_status(self, resource: Resource, manifest: Manifest) -> Manifest:
        self.note("status", resource.kind)
        return await super().apply_status(resource, manifest)

    async def create(self, resource: Resource, manifest: Manifest) -> None:
        self.note("create", resource.kind)
        await super().create(resource, manifest)

    async def merge(self, resource: Resource, namespace: str, name: str, patch: Manifest) -> Manifest:
        self.note("merge", resource.kind)
        return await super().merge(resource, namespace, name, patch)


@dataclass
class Bench:
    """A cluster on which version 1 serves, and a reconciler to look at it."""

    world: World
    api: FailingApi
    memory: Memory = field(default_factory=Memory)
    observer: Observer = NOBODY
    notices: list[tuple[str, str, str]] = field(default_factory=list)

    async def look(self) -> float | None:
        async def scrape(pods: Any) -> Scrape:
            found: list[Pod] = list(pods)
            return self.world.scrape(found)

        records = Records(self.api)
        reconcile = Reconciler(
            api=self.api, registry=Resolver(self.world), scrape=scrape, compare=nothing_joined, test=nothing_tested,
            records=records,
            applier=Applier(
                self.api, "http://mlflow", records, nobody_sets, gates(self.api, self.world), self.observer, self.notice
            ),
            server_image="server:1", clock=lambda: self.world.now,
        )  # fmt: skip
        return await reconcile(NAMESPACE, NAME, self.memory)

    def notice(self, namespace: str, name: str, event: Event) -> None:
        self.notices.append((namespace, name, event.reason))

    async def until(self, condition: Callable[[World], bool]) -> None:
        for _ in range(100):
            await self.look()
            if condition(self.world):
                return
            self.world.step(0.5)
        raise AssertionError(self.world.status["message"])

    def told(self, reason: str) -> int:
        return sum(event["reason"] == reason for event in self.world.store.of_kind("Event"))


@dataclass
class Resolver:
    """The registry of a world."""

    world: World

    async def get(self, uri: str) -> ResolvedModel | Unresolved:
        return self.world.resolve(uri)


def gates(api: KubeApi, world: World) -> Gates:
    return Gates(api, "http://mlflow", SimulatedHooks(world))


async def nobody_sets(model: str, alias: str, version: str) -> Unresolved | None:
    raise AssertionError("no alias is to be set")


async def nothing_joined(comparison: str) -> Silent:
    return Silent("there is no collector")


async def nothing_tested(test: str, primary: Any) -> Silent:
    return Silent("there is no collector")


async def no_counts(pods: Any) -> Scrape:
    return Scrape()
