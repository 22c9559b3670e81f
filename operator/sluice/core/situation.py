"""What the rules look at and what they answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sluice.api.record import Evidence
from sluice.api.spec import ModelDeploymentSpec
from sluice.api.status import ModelDeploymentStatus, Rejected, Revision, Rollout, Summary, Verdict
from sluice.core import experiments, sharing, targeted
from sluice.core.evidence import Judgement, fold, judge, took
from sluice.core.observation import Observation, ResolvedModel, RevisionState
from sluice.core.pairs import disagreement, with_pairs
from sluice.core.plan import Event
from sluice.core.revision import changed_digest, wanted_revision
from sluice.core.stage import Stage
from sluice.core.strategies.base import Strategy


@dataclass(frozen=True)
class Situation:
    """One moment of one ModelDeployment, with what follows from it."""

    spec: ModelDeploymentSpec
    status: ModelDeploymentStatus
    seen: Observation
    now: datetime
    strategy: Strategy
    wanted: Revision | None
    evidence: Evidence
    judgement: Judgement | None = None

    @property
    def rollout(self) -> Rollout | None:
        """The rollout in progress."""
        return self.status.rollout

    @property
    def stage(self) -> Stage | None:
        """The stage of the rollout in progress, None when it is being promoted or has none."""
        return self.strategy.stage(self.spec, self.rollout) if self.rollout else None

    @property
    def stopped(self) -> bool:
        """Whether stable's pods have made room for the candidate's."""
        return self.rollout is not None and self.strategy.stopped(self.rollout)

    @property
    def carried(self) -> int:
        """The largest weight in percent that the candidate's ready pods may have."""
        return self.strategy.carries(self.spec, self.rollout, self.candidate.ready) if self.rollout else 0

    @property
    def candidate(self) -> RevisionState:
        """What runs of the candidate."""
        return self.seen.revision(self.rollout.revision.name if self.rollout else "")

    @property
    def stable(self) -> RevisionState:
        """What runs of stable."""
        return self.seen.revision(self.status.stable.name if self.status.stable else "")

    @property
    def refused(self) -> Rejected | None:
        """Why what is wanted is not rolled out: it was rolled back before."""
        if self.wanted is None or self.rollout is not None:
            return None
        return next((entry for entry in self.status.rejected if entry.revision.name == self.wanted.name), None)

    @property
    def live_weight(self) -> int | None:
        """The candidate's weight on the route, None until the gateway has accepted it."""
        route = self.seen.route
        if route is None or not route.accepted or self.rollout is None:
            return None
        return route.weights.get(self.rollout.revision.name, 0)

    @property
    def step_age(self) -> timedelta:
        """How long the current step has been going on; stands still while paused."""
        if self.rollout is None:
            return timedelta(0)
        return (self.rollout.paused_at or self.now) - self.rollout.step_started_at

    @property
    def deadline_passed(self) -> bool:
        """Whether the step has had more than its time; that of a test is its own (`ab_test_guards`)."""
        stage = self.stage
        lasts = stage.lasts if stage and not stage.test else timedelta(0)
        return self.step_age > lasts + timedelta(seconds=self.spec.progress_deadline_seconds)


@dataclass(frozen=True)
class Outcome:
    """What a rule wants: new facts, words for people, and when to look again in seconds."""

    facts: ModelDeploymentStatus
    reason: str
    message: str
    verdict: Verdict | None = None
    events: tuple[Event, ...] = field(default=())
    requeue_after: float = 300.0


Guard = Callable[[Situation], Outcome | None]


def look(
    spec: ModelDeploymentSpec,
    status: ModelDeploymentStatus,
    evidence: Evidence,
    seen: Observation,
    *,
    now: datetime,
    strategy: Strategy,
) -> Situation:
    """Put together what the rules need: the wanted revision, and the evidence with what was counted since."""
    if isinstance(seen.model, ResolvedModel) and (refused := changed_digest(status, seen.model)):
        seen = replace(seen, model=refused)
    if seen.write_back and seen.write_back.error is None:
        done = f"{seen.write_back.alias}@{seen.write_back.revision}"
        status = status.model_copy(update={"promoted_alias": done})
    wanted = _wanted(spec, status, seen)
    judgement = None
    if status.rollout and status.stable:
        stage = strategy.stage(spec, status.rollout)
        evidence = fold(spec, status.rollout, evidence, seen, stable=status.stable.name, stage=stage, now=now)
        evidence = with_pairs(evidence, seen)
        evidence = experiments.with_results(evidence, seen, status.stable.name, status.rollout.revision.name)
        if targeted.asked_for(spec):
            evidence = targeted.fold(status.rollout, evidence, seen)
        judgement = judge(spec, evidence, stage)
        rollout = took(status.rollout, evidence, seen, now)
        rollout = rollout.model_copy(
            update={"service_pods": sharing.service_pods(rollout, seen, status.stable.name) if spec.by_pods else None}
        )
        status = status.model_copy(update={"rollout": _summed_up(spec, rollout, evidence, judgement)})
    return Situation(spec, status, seen, now, strategy, wanted, evidence, judgement)


def _wanted(spec: ModelDeploymentSpec, status: ModelDeploymentStatus, seen: Observation) -> Revision | None:
    if status.returning_to:
        return status.returning_to
    if isinstance(seen.model, ResolvedModel):
        return wanted_revision(spec, status, seen.model, seen.server_image)
    return status.rollout.revision if status.rollout else None


def _summed_up(spec: ModelDeploymentSpec, rollout: Rollout, evidence: Evidence, judgement: Judgement) -> Rollout:
    summary = Summary(
        total=evidence.total,
        at_weight=evidence.at_weight,
        pairs=evidence.pairs,
        disagreement=disagreement(spec, evidence.pairs),
        harm=round(min(1.0, judgement.harm), 2),
        safe=round(min(1.0, judgement.safe), 2),
        targeted=evidence.targeted.total if evidence.targeted else None,
        test=experiments.summary(spec, judgement.test) if judgement.test else None,
        identified=evidence.identified,
    )
    return rollout.model_copy(update={"evidence": summary})
