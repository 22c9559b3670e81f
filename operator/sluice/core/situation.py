"""What the rules look at and what they answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sluice.api.ab_test import CANDIDATE
from sluice.api.record import Evidence
from sluice.api.spec import ModelDeploymentSpec
from sluice.api.status import (
    ModelDeploymentStatus,
    Rejected,
    Revision,
    Rollout,
    Summary,
    TestCounts,
    Verdict,
)
from sluice.core import experiments, sharing, targeted, variants
from sluice.core.ending import WINNER
from sluice.core.evidence import SETTLING, Judgement, fold, judge, took
from sluice.core.observation import Observation, ResolvedModel, RevisionState, Unresolved
from sluice.core.pairs import disagreement, with_pairs
from sluice.core.plan import Event
from sluice.core.revision import changed_digest, wanted_revision
from sluice.core.stage import Stage
from sluice.core.strategies.base import Strategy


@dataclass(frozen=True)
class Situation:
    """One moment of one ModelDeployment, with what follows from it.

    In an A/B test with variants `rivals` are the same moment as each further challenger sees it, `evidences` what is
    known of all of them by revision, those who were dropped included, and `named` what each name stands for now.
    """

    spec: ModelDeploymentSpec
    status: ModelDeploymentStatus
    seen: Observation
    now: datetime
    strategy: Strategy
    wanted: Revision | None
    evidence: Evidence
    judgement: Judgement | None = None
    rivals: tuple[Situation, ...] = ()
    evidences: Mapping[str, Evidence] = field(default_factory=dict)
    named: Mapping[str, Revision | Unresolved | None] = field(default_factory=dict)

    @property
    def challengers(self) -> tuple[Situation, ...]:
        """The moment as each challenger sees it that is still tested; of other rollouts this one."""
        return self, *self.rivals

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
        """Why what is wanted is not rolled out: it was rolled back before, or tested; of several who has won."""
        if self.wanted is None or self.rollout is not None:
            return None
        tested = {one.name for one in self.named.values() if isinstance(one, Revision)}
        known = {entry.revision.name: entry for entry in self.status.rejected}
        won = (known[name] for name in tested & known.keys() if known[name].reason == WINNER)
        return next(won, known.get(self.wanted.name))

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
    further: Mapping[str, Evidence] | None = None,
) -> Situation:
    """Put together what the rules need: the wanted revision, and the evidence with what was counted since.

    Args:
        spec: of the ModelDeployment.
        status: what is known.
        evidence: of the candidate, as it was stored.
        seen: what is seen.
        now: the time.
        strategy: the spec's.
        further: the evidence of the other challengers of an A/B test, by revision.
    """
    if isinstance(seen.model, ResolvedModel) and (refused := changed_digest(status, seen.model)):
        seen = replace(seen, model=refused)
    if seen.write_back and seen.write_back.error is None:
        done = f"{seen.write_back.alias}@{seen.write_back.revision}"
        status = status.model_copy(update={"promoted_alias": done})
    wanted = _wanted(spec, status, seen)
    names = variants.named(spec, status, seen, wanted) if variants.asked_for(spec) else {}
    plain = Situation(spec, status, seen, now, strategy, wanted, evidence, named=names)
    if status.rollout and status.stable:
        return _counted(plain, status.rollout, status.stable, further or {})
    return plain


def rollout_of(situation: Situation) -> Rollout:
    """Return the rollout in progress."""
    if situation.rollout is None:
        raise ValueError("no rollout is in progress")
    return situation.rollout


def _counted(plain: Situation, rollout: Rollout, stable: Revision, further: Mapping[str, Evidence]) -> Situation:
    """Take in what was counted since the last look, for and against whoever is compared with stable."""
    spec, seen, now, strategy = plain.spec, plain.seen, plain.now, plain.strategy
    found = {rollout.revision.name: _folded(plain, rollout, stable, plain.evidence)}
    for one in rollout.variants:
        if one.revision.name in found:
            continue
        name, kept = one.revision.name, further.get(one.revision.name, Evidence(since=plain.evidence.since))
        found[name] = (
            experiments.with_results(kept, seen, stable.name, name)
            if one.dropped
            else _folded(plain, variants.view(rollout, one), stable, kept)
        )
    if rollout.variants:
        found = experiments.all_complete(found)
    mismatch = _mismatch(rollout, found)

    def judged(of: Rollout) -> Judgement:
        stage = strategy.stage(spec, of)
        return judge(spec, found[of.revision.name], stage, share=variants.share(of), mismatch=mismatch)

    evidence, judgement = found[rollout.revision.name], judged(rollout)
    rollout = took(rollout, evidence, seen, now)
    service_pods = sharing.service_pods(rollout, seen, stable.name) if spec.by_pods else None
    judgements = {one.revision.name: judged(variants.view(rollout, one)) for one in variants.others(rollout)}
    judgements[rollout.revision.name] = judgement
    summaries = {name: _summary(spec, found[name], one) for name, one in judgements.items()}
    told = tuple(
        one.model_copy(update={"evidence": summaries.get(one.revision.name, one.evidence)})
        for one in variants.noted(spec, rollout, seen, now)
    )
    changed = {"service_pods": service_pods, "evidence": summaries[rollout.revision.name], "variants": told}
    rollout = rollout.model_copy(update=changed)
    rivals = tuple(
        replace(
            plain, status=plain.status.model_copy(update={"rollout": variants.view(rollout, one)}),
            evidence=found[one.revision.name], judgement=judgements[one.revision.name],
        )
        for one in variants.others(rollout)
    )  # fmt: skip
    return replace(
        plain, status=plain.status.model_copy(update={"rollout": rollout}), evidence=evidence, judgement=judgement,
        rivals=rivals, evidences=found if rollout.variants else {},
    )  # fmt: skip


def _folded(plain: Situation, rollout: Rollout, stable: Revision, evidence: Evidence) -> Evidence:
    spec, seen = plain.spec, plain.seen
    stage = plain.strategy.stage(spec, rollout)
    evidence = fold(spec, rollout, evidence, seen, stable=stable.name, stage=stage, now=plain.now)
    evidence = experiments.with_results(
        with_pairs(evidence, seen), seen, stable.name, rollout.revision.name, closed=_parts_over(plain, rollout)
    )
    return targeted.fold(rollout, evidence, seen) if targeted.asked_for(spec) else evidence


def _parts_over(plain: Situation, rollout: Rollout) -> int:
    """Return how often stable's share has changed so long ago that all who came before are counted."""
    test = plain.spec.strategy.ab_test
    return variants.left_before(rollout, plain.now - test.primary.window - SETTLING) if test else 0


def _mismatch(rollout: Rollout, found: Mapping[str, Evidence]) -> bool | None:
    """Say whether users of several challengers come as they should; None where there is but one, or none did."""
    if not rollout.variants:
        return None
    counts = {name: evidence.test or TestCounts() for name, evidence in found.items()}
    units = {name: one.treatment.units for name, one in counts.items()}
    return variants.mismatch(rollout, max(one.control.units for one in counts.values()), units)


def _wanted(spec: ModelDeploymentSpec, status: ModelDeploymentStatus, seen: Observation) -> Revision | None:
    if status.returning_to:
        return status.returning_to
    if isinstance(seen.model, ResolvedModel):
        return wanted_revision(spec, status, seen.model, seen.server_image)
    rollout = status.rollout
    if rollout and rollout.variants:  # it may be about another one by now
        return next((one.revision for one in rollout.variants if one.name == CANDIDATE), None)
    return rollout.revision if rollout else None


def _summary(spec: ModelDeploymentSpec, evidence: Evidence, judgement: Judgement) -> Summary:
    return Summary(
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
