"""The loop's body: observe, decide, apply."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from sluice.api.ab_test import ABTest, Primary
from sluice.api.base import KIND
from sluice.api.pairs import Pairs
from sluice.api.record import RolloutRecord
from sluice.api.spec import ModelDeploymentSpec, parse_spec
from sluice.api.status import ModelDeploymentStatus
from sluice.controller.apply import Applier
from sluice.controller.memory import Heard, Memory
from sluice.controller.records import Records
from sluice.controller.target import Target
from sluice.core import variants
from sluice.core.decide import compares, decide, under_test
from sluice.core.observation import Observation, Pod, ResolvedModel, Scrape, Silent, TestResults, Unresolved
from sluice.core.timing import READY_SECONDS
from sluice.kube.api import MODEL_DEPLOYMENTS, KubeApi, Manifest
from sluice.kube.errors import ConflictError, NotFoundError
from sluice.kube.observe import World, observe, read_wish
from sluice.kube.ownership import writer
from sluice.resources.naming import preview_name, targeted_name
from sluice.sources.collector import comparison
from sluice.traffic.providers import provider_of

# Who need not look for so long keeps nothing in mind that can be read again.
REST_SECONDS = 30.0
# How old the results of a test may be, at most; a short one's are newer.
RESULTS_AGAIN = timedelta(seconds=30)

Scraper = Callable[[Iterable[Pod]], Awaitable[Scrape]]
# Asks the collector for the counts of a comparison.
Comparer = Callable[[str], Awaitable[Pairs | Silent]]
# Asks it for the results of a test: its name, and what it is about.
Tester = Callable[[str, Primary], Awaitable[TestResults | Silent]]


class Registry(Protocol):
    """Where model versions come from."""

    async def get(self, uri: str) -> ResolvedModel | Unresolved:
        """Return the newest answer for a model URI."""


@dataclass(frozen=True)
class Reconciler:
    """Everything one look needs."""

    api: KubeApi
    registry: Registry
    scrape: Scraper
    compare: Comparer
    test: Tester
    applier: Applier
    server_image: str
    clock: Callable[[], datetime]
    records: Records

    async def __call__(self, namespace: str, name: str, memory: Memory) -> float | None:
        """Look once; return the seconds until the next look, None when the object is being deleted.

        Raises:
            NotFoundError: there is no such object, or not yet.
            ConflictError: another controller was faster.
            KubeError: the API server failed; nothing is lost, look again.
            pydantic.ValidationError: the stored object does not fit the API.
        """
        raw = await self.api.get(MODEL_DEPLOYMENTS, namespace, name)
        if raw is None:
            raise NotFoundError(f"there is no {KIND} {namespace}/{name}")
        if "deletionTimestamp" in raw["metadata"]:
            return None
        target = _target(raw)
        status = memory.current(raw.get("status", {}))
        record = await self.records.load(namespace, status, memory, self.clock())
        await self._still(namespace, name, status, record)
        world = await observe(
            self.api, namespace, name, target.spec, is_new=not raw.get("status"),
            further_routes=_further_routes(name, status), gating=status.gating is not None,
        )  # fmt: skip
        seen = await self._see(raw, target.spec, status, world, memory)
        now = self.clock()
        plan = decide(target.spec, status, record, seen, now)
        await self.applier(target, plan, memory, world.objects, now)
        wait = min(plan.requeue_after, memory.owed(now), READY_SECONDS if memory.route_waits else math.inf)
        if wait >= REST_SECONDS:
            memory.rest()
        return wait

    async def _still(
        self, namespace: str, name: str, status: ModelDeploymentStatus, record: RolloutRecord | None
    ) -> None:
        """Make sure that a decision that is in the record and not in the status was not taken by somebody since.

        Mostly its controller has died in between, and it is taken anew.

        Raises:
            ConflictError: somebody did; look again.
        """
        if record is None or not record.status.decisions or record.status.decisions[-1].number <= status.decisions:
            return
        raw = await self.api.get(MODEL_DEPLOYMENTS, namespace, name)
        if raw and raw.get("status", {}).get("decisions", 0) > status.decisions:
            raise ConflictError(f"another controller has decided about {KIND} {namespace}/{name}")

    async def _see(
        self, raw: Manifest, spec: ModelDeploymentSpec, status: ModelDeploymentStatus, world: World, memory: Memory
    ) -> Observation:
        meta, pairs, results = raw["metadata"], None, None
        name, now = meta["name"], self.clock()
        if status.record and compares(spec, status):
            pairs = await self.compare(comparison(meta["namespace"], status.record))
        if status.record and (test := under_test(spec, status)):
            results = await self._results(comparison(meta["namespace"], status.record), test, memory)
        meant, idle = (world.objects.get(("HTTPRoute", of(name))) for of in (targeted_name, preview_name))
        seen = Observation(
            generation=meta["generation"],
            model=await self.registry.get(spec.model.reference),
            server_image=self.server_image,
            revisions=world.revisions,
            route=world.route and replace(world.route, settled=_settled(name, spec, world, memory, now)),
            preview=world.preview and replace(world.preview, settled=memory.has_settled(idle, now)),
            targeted=world.targeted and replace(world.targeted, settled=memory.has_settled(meant, now)),
            gateway_problem=world.gateway_problem,
            autoscaling_problem=world.autoscaling_problem,
            sticky_problem=(world.sticky_pending and memory.policy_refused) or world.sticky_problem,
            sticky_pending=world.sticky_pending and memory.policy_refused is None,
            scrape=await self.scrape(_to_scrape(status, world)),
            pairs=pairs,
            test=results,
            variants=await self._variants(spec),
            wish=read_wish(meta),
            paused_by=writer(meta, "spec", "paused"),
            name=name,
            uid=meta["uid"],
            write_back=memory.write_back,
            gates=(*world.gates, *self.applier.gates.states((meta["namespace"], name))),
        )
        return seen

    async def _variants(self, spec: ModelDeploymentSpec) -> dict[str, ResolvedModel | Unresolved]:
        """Return the models that the variants of an A/B test name."""
        test = spec.strategy.ab_test
        return {one.name: await self.registry.get(one.model.reference) for one in (test.variants if test else ())}

    async def _results(self, name: str, test: ABTest, memory: Memory) -> TestResults | Silent:
        """Ask the collector for the results of a test; of a long one not at every look."""
        now, heard = self.clock(), memory.heard
        often = min(RESULTS_AGAIN, test.min_duration / 100)
        if heard and heard.test == name and timedelta(0) <= now - heard.at < often:
            return heard.results
        found = await self.test(name, test.primary)
        memory.heard = Heard(name, found, now) if isinstance(found, TestResults) else None
        return found


def _target(raw: Manifest) -> Target:
    meta = raw["metadata"]
    return Target(
        namespace=meta["namespace"],
        name=meta["name"],
        uid=meta["uid"],
        resource_version=meta["resourceVersion"],
        spec=parse_spec(raw["spec"]),
    )


def _settled(name: str, spec: ModelDeploymentSpec, world: World, memory: Memory, now: datetime) -> bool:
    """Whether all proxies know how traffic is split."""
    way = provider_of(spec)
    found = world.objects[way.kind, name]
    return bool(world.route and world.route.accepted) and memory.has_stood(found, way.mark(found), now)


def _further_routes(name: str, status: ModelDeploymentStatus) -> tuple[str, ...]:
    """Return the routes beside the general one: most ModelDeployments never have any."""
    wanted = ((status.preview, preview_name(name)), (status.targeted, targeted_name(name)))
    return tuple(route for revision, route in wanted if revision)


def _to_scrape(status: ModelDeploymentStatus, world: World) -> list[Pod]:
    """Only while revisions are compared, and only pods that can answer."""
    if status.stable is None or status.rollout is None:
        return []
    names = (status.stable.name, *(one.name for one in variants.revisions(status.rollout)))
    pods = [pod for name in names if name in world.revisions for pod in world.revisions[name].pods]
    return [pod for pod in pods if pod.ready and not pod.terminating]
