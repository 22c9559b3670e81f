"""Moments of one ModelDeployment, built with verbs: what is wanted, what is known, what is seen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sluice.api.pairs import Pairs
from sluice.api.record import Decision, Evidence, RolloutRecord, RolloutRecordSpec, RolloutRecordStatus
from sluice.api.spec import ModelDeploymentSpec
from sluice.api.status import ModelDeploymentStatus, Rejected, Retired, Revision, Rollout
from sluice.core.decide import choose, decide
from sluice.core.observation import (
    Counters,
    GateState,
    Observation,
    Pod,
    ResolvedModel,
    RevisionState,
    RouteState,
    Scrape,
    Severity,
    Silent,
    TestResults,
    Trouble,
    Unresolved,
    Wish,
    WriteBack,
)
from sluice.core.plan import Plan
from sluice.core.revision import revision_of
from sluice.core.situation import Outcome, Situation, look
from sluice.core.strategies.registry import STRATEGIES
from sluice.core.variants import stored

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
IMAGE = "server:1"
STEPS: tuple[dict[str, Any], ...] = (
    {"setWeight": 20},
    {"pause": {"duration": "60s"}},
    {"analysis": {"marginAbsolute": 0.05}},
    {"setWeight": 50},
    {"analysis": {}},
)
SPEC = ModelDeploymentSpec.model_validate(
    {
        "model": {"uri": "models:/penguins@champion"},
        "replicas": 4,
        "traffic": {"gateway": {"name": "public"}},
        "strategy": {"canary": {"steps": STEPS}},
        "progressDeadlineSeconds": 600,
    }
)
UNKNOWN = ModelDeploymentStatus()
UNREAD = Scrape()
DOWN = Unresolved("RegistryUnreachable", "the registry can't be reached")
CRASHED = Trouble(Severity.FATAL, "Crashed", "a container ended with exit code 1, 3 restarts: boom")
NO_ROOM = Trouble(Severity.WAITING, "Unschedulable", "0/3 nodes are available: 3 Insufficient nvidia.com/gpu")
PULLING = Trouble(Severity.WAITING, "ErrImagePull", "not yet")


def model(version: str) -> ResolvedModel:
    return ResolvedModel("penguins", version, f"sha256:{version}")


def revision(version: str) -> Revision:
    return revision_of(SPEC.server, model(version), IMAGE)


def name(version: str) -> str:
    return revision(version).name


def pod(version: str, number: int, *, ready: bool = True, **more: Any) -> Pod:
    return Pod(uid=f"{version}-{number}", name=f"pod-{version}-{number}", ready=ready, **more)


@dataclass(frozen=True)
class Moment:
    """One moment; every verb returns another one."""

    spec: ModelDeploymentSpec = SPEC
    status: ModelDeploymentStatus = UNKNOWN
    model: ResolvedModel | Unresolved = field(default_factory=lambda: model("1"))
    pods: tuple[tuple[str, tuple[Pod, ...]], ...] = ()
    route: RouteState | None = None
    scrape: Scrape = UNREAD
    wish: Wish | None = None
    record: RolloutRecord | None = None
    write_back: WriteBack | None = None
    gateway_problem: str | None = None
    preview: RouteState | None = None
    pairs: Pairs | Silent | None = None
    test: TestResults | Silent | None = None
    variants: Mapping[str, ResolvedModel | Unresolved] = field(default_factory=dict)
    sticky_problem: str | None = None
    targeted: RouteState | None = None
    gates: tuple[GateState, ...] = ()
    now: datetime = NOW

    def serving(self, version: str, ready: int = 4) -> Moment:
        """A version is stable, with all traffic."""
        status = self.status.model_copy(update={"stable": revision(version)})
        route = RouteState({name(version): 100}, accepted=True, settled=True)
        return replace(self, status=status, model=model(version), route=route).running(version, ready)

    def wanting(self, version: str) -> Moment:
        return replace(self, model=model(version))

    def rolling_out(
        self, version: str, *, step: int = 0, weight: int = 0, age: float = 0,
        since: dict[str, Any] | None = None, **more: Any,
    ) -> Moment:  # fmt: skip
        """A candidate at a step, its weight live, its counters known."""
        began = self.now - timedelta(seconds=age)
        cursors = {p.uid: ZERO for _, pods in self.running(version, 4).pods for p in pods}
        evidence = Evidence.model_validate(
            {"cursors": cursors, "since": began, "weightSince": began if weight else None, **(since or {})}
        )
        rollout = Rollout(
            revision=revision(version), started_at=began, step_started_at=began, step_index=step, weight=weight,
            weight_changed_at=began if weight else None, weight_live_at=began if weight else None,
            steps=STRATEGIES[self.spec.strategy.kind].begun(self.spec, step),
        ).model_copy(update=more)  # fmt: skip
        status = self.status.model_copy(
            update={"rollout": rollout, "record": "penguins-abc-1", "rollouts": 1, "decisions": 1}
        )
        stable = self.status.stable.name if self.status.stable else ""
        split = {stable: 100 - weight, rollout.revision.name: weight}
        route = RouteState({k: v for k, v in split.items() if v}, accepted=True, settled=True) if stable else None
        record = recorded(self.status.stable, rollout, evidence)
        return replace(self, status=status, record=record, model=model(version), route=route).running(version, 4)

    def running(self, version: str, ready: int, *waiting: Pod) -> Moment:
        """So many pods of a version are ready, others are not."""
        pods = (*(pod(version, n) for n in range(ready)), *waiting)
        others = tuple(entry for entry in self.pods if entry[0] != version)
        return replace(self, pods=(*others, (version, pods)))

    def rejected(self, version: str, reason: str = "HarmProven") -> Moment:
        rejected = Rejected(revision=revision(version), reason=reason, message="it failed", at=self.now)
        return replace(self, status=self.status.model_copy(update={"rejected": (*self.status.rejected, rejected)}))

    def retired(self, version: str, *, due: float, was_stable: bool = True) -> Moment:
        at = self.now + timedelta(seconds=due)
        entry = Retired(revision=revision(version), scale_down_at=at, was_stable=was_stable)
        return replace(self, status=self.status.model_copy(update={"retired": (*self.status.retired, entry)}))

    def asking(self, action: str, version: str) -> Moment:
        return replace(self, wish=Wish(action, name(version)))

    def later(self, seconds: float) -> Moment:
        return replace(self, now=self.now + timedelta(seconds=seconds))

    def edited(self, **changes: Any) -> Moment:
        raw = self.spec.to_kubernetes() | changes
        return replace(self, spec=ModelDeploymentSpec.model_validate(raw))

    def gateway_at(self, weights: dict[str, int], *, accepted: bool | None = True, message: str = "") -> Moment:
        shares = {name(version): weight for version, weight in weights.items()}
        return replace(self, route=RouteState(shares, accepted, message=message, settled=accepted is True))

    def counting(self, counts: dict[str, tuple[int, int]], *, start: str = "a") -> Moment:
        """Requests and errors of the first pod of each version; all other ready pods have none."""
        found = {p.uid: Counters(start, 0, 0) for _, pods in self.pods for p in pods if p.ready}
        found |= {f"{version}-0": Counters(start, *count) for version, count in counts.items()}
        return replace(self, scrape=Scrape(found))

    def blind(self, *uids: str) -> Moment:
        left = {uid: c for uid, c in self.scrape.counters.items() if uid not in uids}
        return replace(self, scrape=Scrape(left, dict.fromkeys(uids, "timeout")))

    @property
    def seen(self) -> Observation:
        states = {name(v): RevisionState(name(v), replicas=len(pods), pods=pods) for v, pods in self.pods}
        return Observation(
            generation=7, model=self.model, server_image=IMAGE, revisions=states, route=self.route,
            preview=self.preview, targeted=self.targeted, gateway_problem=self.gateway_problem, scrape=self.scrape,
            pairs=self.pairs, test=self.test, variants=self.variants, sticky_problem=self.sticky_problem,
            wish=self.wish, write_back=self.write_back, gates=self.gates, name="penguins", uid="abc",
        )  # fmt: skip

    @property
    def situation(self) -> Situation:
        further, rollout = stored(self.record), self.status.rollout
        evidence = self.record.status.evidence if self.record else Evidence()
        if rollout and rollout.variants:
            evidence = further[rollout.revision.name]
        return look(
            self.spec, self.status, evidence, self.seen, now=self.now, strategy=STRATEGIES[self.spec.strategy.kind],
            further=further,
        )  # fmt: skip

    @property
    def outcome(self) -> Outcome:
        return choose(self.situation)[1]

    def expect(self, reason: str, words: Iterable[str]) -> None:
        """Assert what the decision is for, and what its message says."""
        outcome = self.outcome
        assert outcome.reason == reason, outcome.message
        assert [word for word in words if word not in outcome.message] == [], outcome.message

    @property
    def plan(self) -> Plan:
        return decide(self.spec, self.status, self.record, self.seen, self.now)

    def next(self) -> Moment:
        """The same world right after the decision."""
        plan = self.plan
        return replace(self, status=plan.status, record=plan.entry.record if plan.entry else self.record)

    def decides_the_same_anew(self, looks: int) -> None:
        """Whoever has nothing but what is stored decides, in each of these looks, what this one decides."""
        moment = self
        for _ in range(looks):
            stored = moment.next()
            again = replace(
                stored,
                status=type(stored.status).model_validate(stored.status.to_kubernetes()),
                record=stored.record and type(stored.record).model_validate(stored.record.to_kubernetes()),
            )
            assert again.plan.status.to_kubernetes() == stored.plan.status.to_kubernetes()
            moment = stored.later(1)


def recorded(stable: Revision | None, rollout: Rollout, evidence: Evidence) -> RolloutRecord:
    """The record of a rollout of which only the beginning was decided."""
    begin = {"number": 1, "at": rollout.started_at, "rule": "not_in_rollout", "reason": "RolloutStarted", "message": "",
             "inputs": {"replicas": 4, "stableReady": 4, "candidateReady": 0}}  # fmt: skip
    return RolloutRecord(
        spec=RolloutRecordSpec(
            model_deployment="penguins", uid="abc", strategy="canary", stable=stable, candidate=rollout.revision,
            started_at=rollout.started_at,
        ),
        status=RolloutRecordStatus(decisions=(Decision.model_validate(begin),), evidence=evidence),
    )  # fmt: skip


ZERO = {"start": "a", "requests": 0, "errors": 0}
SERVING = Moment().serving("1")
EARLY = SERVING.rolling_out("2")
AT_20 = SERVING.rolling_out("2", step=1, weight=20, age=10)
ANALYZING = SERVING.rolling_out("2", step=2, weight=20, age=10)
PROMOTING = SERVING.rolling_out("2", step=5, weight=100, age=10)
