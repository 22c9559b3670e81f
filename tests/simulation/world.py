"""A cluster in memory with a clock that only moves when told: workloads, a gateway, traffic, a registry."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sluice.api.base import KIND
from sluice.api.pairs import Pairs
from sluice.core.observation import Counters, Pod, ResolvedModel, Scrape, Silent, TestResults, Units, Unresolved
from sluice.kube.api import MODEL_DEPLOYMENTS, Manifest
from sluice.resources.naming import ANNOTATION_MODEL

from tests.simulation import autoscalers, gateway, pods, traffic
from tests.simulation.gates import run_jobs
from tests.simulation.plain import Service
from tests.simulation.pods import EPOCH, Behaviour, Judgement, Life, Version
from tests.simulation.store import Store

NAMESPACE, NAME = "models", "penguins"
GATEWAY: Manifest = {"kind": "Gateway", "metadata": {"name": "public", "namespace": NAMESPACE}, "spec": {}}
GRACE = 3.0


# By revision and moment: users who came first to it, and those of them who did what the site wants.
Exposed = dict[str, dict[float, tuple[int, int]]]


@dataclass
class World:
    """Everything outside of the controller. Plain data, so that it can be copied at any moment."""

    store: Store = field(default_factory=Store)
    time: float = 0.0
    rng: random.Random = field(default_factory=lambda: random.Random(0))
    rate: float = 80.0
    targeted_rate: float = 0.0  # of requests that match what a canary asks for
    gateway_delay: float = 0.5  # until it has taken a route
    proxy_delay: float = 1.0  # until its proxies know a route that it has taken
    gateway_refuses: str = ""
    has_policies: bool = True  # the gateway has the API by which users stick to a version
    policy_refused: str = ""  # why the gateway does not take such a policy
    sticks: bool = False  # users do so, as the proxies do it now
    users: int = 0  # who send the requests; 0: each request is one's own
    met: dict[tuple[str, int], list[str]] = field(default_factory=dict)  # by test and user: the revisions, in turn
    lives: dict[str, Life] = field(default_factory=dict)
    versions: dict[str, Version] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    outage: Unresolved | None = None
    live: dict[str, int] = field(default_factory=dict)  # by revision, percent, as the gateway does it now
    unserved: int = 0
    crowded: list[str] = field(default_factory=list)  # who has started beside others in mid-recreate
    gap_until: float = -1.0  # the gap as it was announced, and the time until the proxies know its end
    proxied: Manifest = field(default_factory=dict)  # the route as the proxies know it
    targeted: str | None = None  # the revision that requests that match are led to, as the proxies do it now
    proxied_targeted: Manifest | None = None  # their route as the proxies know it
    torn: list[str] = field(default_factory=list)  # changes of it that cost requests: see `traffic/slots.py`
    tampered: bool = False  # somebody else touched the route, or the gateway refused it: then it may be torn
    load: float = 0.0  # pods that all traffic needs, as autoscalers see it
    whims: bool = False  # autoscalers do what they like
    poked: bool = False  # something changed outside of Kubernetes
    skew: float = 0.0  # seconds that the API server's clock is ahead
    lagging_until: float = 0.0  # the API server's caches show what was there when the lag began, as does every watch
    cache: Store | None = None  # what they show
    overloaded_until: float = 0.0  # the API server refuses most requests until then
    flapping_until: float = 0.0  # somebody moves the alias about until then
    pairs: dict[str, Pairs] = field(default_factory=dict)  # what the collector has joined, by comparison
    exposed: dict[str, Exposed] = field(default_factory=dict)  # what it has counted of A/B tests, by name
    collector_away: bool = False
    taken_at: dict[tuple[str, int], float] = field(default_factory=dict)  # by UID and generation of the route
    jobs: dict[str, float] = field(default_factory=dict)  # when each began, by UID
    service: Service = field(default_factory=Service)  # that leads to all versions, where there is no gateway
    questions: list[str] = field(default_factory=list)  # that HTTP hooks were asked

    def __post_init__(self) -> None:
        self.store.create(GATEWAY)

    @property
    def now(self) -> datetime:
        """What the API server's clock shows."""
        return EPOCH + timedelta(seconds=self.time + self.skew)

    # --- what people and clients do -------------------------------------------------------------------------------

    def push(
        self,
        number: str,
        *,
        errors: float = 0.0,
        behaviour: Behaviour = Behaviour.FINE,
        seconds: float = 0.02,
        differs: float = 0.0,
        gates: dict[str, Judgement] | None = None,
        converts: float = 0.3,
        alias: bool = True,
    ) -> None:
        """Register a model version, and by default move the alias to it."""
        self.versions[number] = Version(
            number, errors, behaviour, seconds=seconds, differs=differs, gates=gates or {}, converts=converts
        )
        self.poked = True
        if alias:
            self.aliases["champion"] = number

    def submit(self, spec: Manifest) -> None:
        meta = {"name": NAME, "namespace": NAMESPACE, "finalizers": ["sluice.dev/finalizer"], "annotations": {}}
        api = {"apiVersion": "sluice.dev/v1alpha1", "kind": "ModelDeployment"}
        self.store.create(api | {"metadata": meta, "spec": spec})

    def edit(self, **changes: object) -> None:
        """Change fields of the spec, as a user does."""
        self.store.merge(MODEL_DEPLOYMENTS, NAMESPACE, NAME, {"spec": changes})

    def wish(self, action: str, revision: str) -> None:
        patch = {"metadata": {"annotations": {f"sluice.dev/{action}": revision}}}
        self.store.merge(MODEL_DEPLOYMENTS, NAMESPACE, NAME, patch)

    def delete(self) -> None:
        self.store.delete(KIND, NAMESPACE, NAME)

    def release(self) -> None:
        """Take off the finalizer of an object that is being deleted, as kopf does when its daemon has ended."""
        if self.md and "deletionTimestamp" in self.md["metadata"]:
            self.store.merge(MODEL_DEPLOYMENTS, NAMESPACE, NAME, {"metadata": {"finalizers": None}})
            self.delete()

    # --- what a test asks -----------------------------------------------------------------------------------------

    @property
    def md(self) -> Manifest | None:
        return self.store.objects.get((KIND, NAMESPACE, NAME))

    @property
    def status(self) -> Manifest:
        found: Manifest = (self.md or {}).get("status", {})
        return found

    def revision(self, number: str) -> str:
        """The revision that serves a model version."""
        for deployment in self.store.of_kind("Deployment"):
            template = deployment["spec"]["template"]
            if template["metadata"]["annotations"][ANNOTATION_MODEL] == f"{NAME}/{number}":
                return pods.revision_of(template)
        return "none"

    @property
    def previewed(self) -> str | None:
        """The revision that the preview route leads to."""
        route = self.store.objects.get(("HTTPRoute", NAMESPACE, f"{NAME}.preview"))
        return next(iter(gateway.split_of(route))) if route else None

    def pods_of(self, revision: str) -> list[Life]:
        return [life for life in self.lives.values() if life.revision == revision]

    def ready(self, revision: str) -> int:
        return sum(life.serving for life in self.pods_of(revision))

    # --- the machinery --------------------------------------------------------------------------------------------

    def step(self, seconds: float) -> None:
        """Let time pass: traffic first, by what was live; then the controllers of the cluster."""
        traffic.send(self, seconds)
        self.time += seconds
        if self.cache and self.time >= self.lagging_until:
            self.cache, self.poked = None, True  # the events come at last
        self._collect_garbage()
        if self.time % autoscalers.PERIOD == 0:
            autoscalers.scale(self.store, self.live, self.load, self.rng if self.whims else None)
        self._workloads()
        for life in self.lives.values():
            life.grow(self.time)
        gateway.run(self, NAMESPACE, NAME)
        run_jobs(self)
        self._kubelets()

    def resolve(self, uri: str) -> ResolvedModel | Unresolved:
        if self.outage:
            return self.outage
        name, _, alias = uri.removeprefix("models:/").partition("@")
        number = self.aliases.get(alias) if alias else name.partition("/")[2]
        if number not in self.versions:
            return Unresolved("AliasNotFound", f"there is no {uri}")
        return ResolvedModel(NAME, self.versions[number].number, self.versions[number].digest)

    def set_alias(self, alias: str, version: str) -> Unresolved | None:
        if self.outage is None:
            self.aliases[alias] = version
        return self.outage

    def scrape(self, wanted: list[Pod]) -> Scrape:
        counters, unreachable = {}, {}
        for pod in wanted:
            life = self.lives[pod.uid]
            if life.reachable:
                # Every request is of another user.
                of_users = (life.requests, life.errors, life.durations)
                counters[pod.uid] = Counters(str(life.run), *of_users, life.targeted, life.targeted_errors, *of_users)
            else:
                unreachable[pod.uid] = "timeout"
        return Scrape(counters, unreachable)

    def compare(self, comparison: str) -> Pairs | Silent:
        return Silent("the collector is away") if self.collector_away else self.pairs.get(comparison, Pairs())

    def results(self, test: str, window: float) -> TestResults | Silent:
        if self.collector_away:
            return Silent("the collector is away")
        return TestResults(
            {revision: units_of(seen, self.time - window) for revision, seen in self.exposed.get(test, {}).items()}
        )

    def lag(self, seconds: float) -> None:
        """Let the API server's caches stay where they are for a while."""
        self.cache = self.store.snapshot()
        self.lagging_until = self.time + seconds

    def cached(self, since: int) -> Store:
        """What a read is answered from that may be no older than a version."""
        return self.store if self.cache is None or self.cache.version < since else self.cache

    def endpoint_slices(self, store: Store) -> list[Manifest]:
        """What the Services send requests to: pods as they were when last looked at."""
        found = []
        for pod in store.of_kind("Pod"):
            ready = pod["status"]["conditions"][0]["status"] == "True"
            found.append({"conditions": {"ready": ready}, "targetRef": {"uid": pod["metadata"]["uid"]}})
        plain = self.service.slices(store)
        return [{"kind": "EndpointSlice", "endpoints": found}, *([plain] if plain else [])]

    def _workloads(self) -> None:
        for deployment in self.store.of_kind("Deployment"):
            template, namespace = deployment["spec"]["template"], deployment["metadata"]["namespace"]
            revision = pods.revision_of(template)
            mine = [life for life in self.pods_of(revision) if life.gone_at is None and not life.evicted]
            wanted = deployment["spec"]["replicas"]
            for _ in range(wanted - len(mine)):
                self._start(deployment, revision, namespace)
            for life in sorted(mine, key=lambda life: (life.ready, -life.created))[: max(0, len(mine) - wanted)]:
                self.end(life)

    def _start(self, deployment: Manifest, revision: str, namespace: str) -> None:
        template = deployment["spec"]["template"]
        lives = (self.lives[pod["metadata"]["uid"]] for pod in self.store.of_kind("Pod"))
        there = {life.revision for life in lives if not life.evicted} - {revision}
        if there and self.status.get("downSince"):
            self.crowded.append(f"{revision} starts beside {', '.join(sorted(there))} at {self.time} s")
        number = template["metadata"]["annotations"][ANNOTATION_MODEL].partition("/")[2]
        owner = {"kind": "Deployment", "name": deployment["metadata"]["name"], "uid": deployment["metadata"]["uid"]}
        life = Life(f"{revision}-{self.store.uids}", "", revision, self.versions[number], self.time, skew=self.skew)
        life.uid = self.store.create(pods.manifest(life, template, namespace, owner))["metadata"]["uid"]
        self.lives[life.uid] = life

    def end(self, life: Life) -> None:
        """Send SIGTERM: no new requests, gone after a while."""
        if life.gone_at is None:
            life.gone_at = self.time + GRACE

    def _kubelets(self) -> None:
        for pod in self.store.of_kind("Pod"):
            life = self.lives[pod["metadata"]["uid"]]
            if life.gone_at is not None and self.time >= life.gone_at:
                self.store.delete("Pod", pod["metadata"]["namespace"], pod["metadata"]["name"])
                continue
            changed = pod | {"status": pods.status(life)}
            if changed == pod:
                continue
            if life.gone_at is not None:
                changed["metadata"] = pod["metadata"] | {"deletionTimestamp": "2030-01-01T00:00:00Z"}
            self.store.write(changed)

    def _collect_garbage(self) -> None:
        self.store.collect_garbage()
        here = {pod["metadata"]["uid"] for pod in self.store.of_kind("Pod")}
        for uid in self.lives.keys() - here:
            life = self.lives[uid]
            life.ready, life.gone_at = False, life.gone_at or self.time


def units_of(seen: Mapping[float, tuple[int, int]], until: float) -> Units:
    """What is known of a version's users of whom those count who came until a moment."""
    matured = [counts for came, counts in seen.items() if came <= until]
    converted = float(sum(converted for _, converted in matured))
    return Units(sum(users for users, _ in seen.values()), sum(users for users, _ in matured), converted, converted)
