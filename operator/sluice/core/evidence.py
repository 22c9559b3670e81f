"""Folds the pods' counters into the evidence for and against a candidate."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sluice.analysis import Arm, Block, combined, harm_above, safe_below, threshold
from sluice.api.pairs import Pairs
from sluice.api.record import Cursor, Evidence
from sluice.api.spec import ModelDeploymentSpec
from sluice.api.status import Counts, Rollout
from sluice.api.strategy import Mirror, Verify
from sluice.core import identified, proportion, sharing, variants
from sluice.core.durations import between, counted, prepared
from sluice.core.experiments import Comparison, compare, counts_users, windows
from sluice.core.metrics import Increment, Standing, in_window, latency_margins, observe, standings
from sluice.core.observation import Counters, Observation, Pod
from sluice.core.pairs import compared
from sluice.core.stage import Stage

# A weight that the gateway has taken is live on every proxy after about a second; until this has passed it is only
# known to lie between the old and the new one.
SETTLING = timedelta(seconds=5)

# What is limited where requests are copied.
FAILURES, DISAGREEMENT = "errors", "disagreement"

# The API server's times are whole seconds, and this process follows them slowly.
CLOCKS_DIFFER = timedelta(seconds=5)


@dataclass(frozen=True)
class Judgement:
    """How the evidence stands, as shares of what a proof needs: 1.0 and more is proven.

    Harm is proven by all metrics together, safety by each alone; `metrics` says how they stand, as such shares too.
    In an A/B test these are what guards it, and `test` is what it is about.
    """

    harm: float
    safe: float
    mismatch: bool = False
    requests: int = 0
    min_requests: int = 1
    metrics: tuple[Standing, ...] = ()
    test: Comparison | None = None

    @property
    def harmful(self) -> bool:
        """Whether harm is proven."""
        return self.harm >= 1

    @property
    def passed(self) -> bool:
        """Whether the step's analysis is passed, or the test won."""
        safe = self.safe >= 1 and self.requests >= self.min_requests and not self.mismatch
        return safe and (self.test is None or self.test.better)


def at_present_weight(evidence: Evidence, rollout: Rollout) -> Evidence:
    """Return the evidence as it counts at the rollout's weight: what was counted at another one is only in the total.

    Derived, so that a controller that stored evidence and died before it stored the new weight has changed nothing.
    """
    since = evidence.since or rollout.started_at
    if evidence.weight_since == rollout.weight_changed_at:
        return evidence.model_copy(update={"since": since})
    changed = {"since": since, "at_weight": Counts(), "weight_since": rollout.weight_changed_at}
    return evidence.model_copy(update=changed)


def fold(
    spec: ModelDeploymentSpec,
    rollout: Rollout,
    before: Evidence,
    seen: Observation,
    *,
    stable: str,
    stage: Stage | None,
    now: datetime,
) -> Evidence:
    """Return the evidence with what was counted since the last look.

    Whole or nothing: while one ready pod of either arm does not answer, nothing is taken in. The counters are
    cumulative, so that nothing is lost by waiting, and one-sided data would be no fair comparison. Where a limit is
    verified nothing is compared: then only the candidate has to answer.
    """
    before, users = at_present_weight(before, rollout), counts_users(spec)
    before = in_window(before, rollout.window)
    if spec.by_pods:
        before = sharing.noted(before, rollout, seen, stable, now)
    counters = _of_users(seen.scrape.counters) if users else seen.scrape.counters
    arms = {name: _answering(seen.revision(name).pods, counters) for name in (stable, rollout.revision.name)}
    needed = arms if stage is None or stage.verify is None else (rollout.revision.name,)
    if any(arms[name] is None for name in needed):
        return before
    stable_counters, canary_counters = arms[stable] or {}, arms[rollout.revision.name] or {}
    before, unlike = _of_kind(before, users=users)
    old_cursors = before.cursors
    after = prepared(before, latency_margins(spec), stable_counters)
    fresh = _fresh(seen, before.since or rollout.started_at, now, stable, rollout.revision.name) - unlike
    stable_arm = _increments(stable_counters, old_cursors, fresh, users=users)
    canary_arm = _increments(canary_counters, old_cursors, fresh, users=users)
    both = {**stable_counters, **canary_counters}
    moved = {uid: _cursor(one, after.edges, users=users) for uid, one in both.items()}
    kept = {uid: cursor for uid, cursor in old_cursors.items() if uid in _uids(seen, stable, rollout.revision.name)}
    known = identified.counted(before.identified, both, old_cursors, fresh) if users else None
    evidence = after.model_copy(update={"cursors": kept | moved, "identified": known})
    lowest, highest = sharing.span(before) if spec.by_pods else _shares(rollout, before, seen, stable)
    evidence = sharing.counted(evidence, now)
    if highest == 0 or stable_arm.requests + canary_arm.requests == 0:
        return evidence
    evidence = _count(evidence, stable_arm, canary_arm, now)
    if highest == 1:
        return evidence  # where all requests may have gone to one arm there is nothing to compare with
    if rollout.window is not None and rollout.weight not in windows(spec)[rollout.window - 1 : rollout.window]:
        return proportion.spoiled(evidence)  # who is back at stable for want of pods is counted there a second time
    block = Block(weight=highest, weight_before=lowest, stable=stable_arm, canary=canary_arm)
    durations = between(before, after, stable_counters, canary_counters, fresh)
    evidence = evidence.model_copy(update={"metrics": observe(spec, evidence, Increment(block, durations))})
    return proportion.observed(evidence, block, seen, both, stable, rollout.revision.name)


def took(rollout: Rollout, evidence: Evidence, seen: Observation, now: datetime) -> Rollout:
    """Note when the gateway has taken the weight, and when somebody else has put another one in its place."""
    route, name, beside = seen.route, rollout.revision.name, variants.others(rollout)
    share = route.weights.get(name, 0) if route else 0
    if all((route.weights.get(one, 0) if route else 0) == wanted for one, wanted in variants.shares(rollout).items()):
        if route and route.accepted and rollout.weight_live_at is None:
            return rollout.model_copy(update={"weight_live_at": now})
        return rollout
    if rollout.weight_live_at is None:
        return rollout
    before = tuple(sorted(unsettled(rollout, evidence) | {share} | ({0} if beside else set())))
    return rollout.model_copy(update={"weight_live_at": None, "weights_before": before})


def unsettled(rollout: Rollout, evidence: Evidence) -> set[int]:
    """Return the weights before the last change by which requests not counted yet may have been split."""
    live, counted = rollout.weight_live_at, evidence.counted_at
    settled = live is not None and counted is not None and counted >= live + SETTLING
    return set() if settled else set(rollout.weights_before)


def judge(
    spec: ModelDeploymentSpec,
    evidence: Evidence,
    stage: Stage | None,
    *,
    share: float | None = None,
    mismatch: bool | None = None,
) -> Judgement:
    """Say how the evidence stands for a stage: harm by the metric's own margin, safety by the stage's.

    Args:
        spec: of the ModelDeployment.
        evidence: of one candidate.
        stage: where it stands.
        share: see `experiments.compare`.
        mismatch: see `experiments.compare`.
    """
    if stage and stage.verify:
        return _verified(spec, evidence, stage.verify)
    if stage and stage.mirror:
        return _mirrored(spec, evidence.pairs or Pairs(), stage.mirror)
    wish, test = stage.analysis if stage else None, stage.test if stage else None
    tested = compare(spec, test, evidence.test, share=share, mismatch=mismatch) if test else None
    return replace(
        _judged(spec, standings(spec, evidence, wish)),
        test=tested,
        mismatch=tested.mismatch if tested else proportion.mismatched(evidence),
        requests=evidence.at_weight.candidate_requests,
        min_requests=(wish and wish.min_requests) or spec.analysis.min_requests,
    )


def _judged(spec: ModelDeploymentSpec, found: Sequence[Standing]) -> Judgement:
    enough_harm, enough_safe = threshold(spec.alpha.harm), threshold(spec.alpha.safe)
    shares = tuple(replace(one, harm=one.harm / enough_harm, safe=max(0.0, one.safe / enough_safe)) for one in found)
    return Judgement(
        harm=max(0.0, combined([one.harm for one in found]) / enough_harm),
        safe=min(one.safe for one in shares),
        metrics=shares,
    )


def _mirrored(spec: ModelDeploymentSpec, pairs: Pairs, mirror: Mirror) -> Judgement:
    """Judge by two limits: every pair is one request that both have answered, so that counts are all there is to it."""
    limits = [(FAILURES, Arm(requests=pairs.joined, errors=pairs.candidate_failed), mirror.max_error_rate)]
    if mirror.max_disagreement is not None:
        limits.append((DISAGREEMENT, compared(pairs), mirror.max_disagreement))
    return _limited(spec, pairs.joined, limits, mirror.min_pairs)


def _verified(spec: ModelDeploymentSpec, evidence: Evidence, verify: Verify) -> Judgement:
    """Judge by a limit; where one version has all traffic there is no sample ratio to look at."""
    counts = evidence.total
    limits = [
        (FAILURES, Arm(requests=counts.candidate_requests, errors=counts.candidate_errors), verify.max_error_rate)
    ]
    return _limited(spec, counts.candidate_requests, limits, verify.min_requests)


def _limited(
    spec: ModelDeploymentSpec, requests: int, limits: Iterable[tuple[str, Arm, float]], min_requests: int
) -> Judgement:
    """Judge by limits, each a name, requests with how many of them count against it, and the tolerated share."""
    found = [Standing(name, harm=harm_above(limit, arm), safe=safe_below(limit, arm)) for name, arm, limit in limits]
    return replace(_judged(spec, found), requests=requests, min_requests=min_requests)


def _answering(pods: Iterable[Pod], counters: Mapping[str, Counters]) -> Mapping[str, Counters] | None:
    """Return the counters of the pods, None when a ready one has none."""
    found = {pod.uid: counters[pod.uid] for pod in pods if pod.uid in counters}
    silent = any(pod.ready and not pod.terminating and pod.uid not in counters for pod in pods)
    return None if silent else found


def _fresh(seen: Observation, since: datetime, now: datetime, *revisions: str) -> set[str]:
    """Return the pods younger than the evidence: these count from zero, older ones from where they are first seen.

    Where a clock was set, and a pod comes from the future, nothing tells its age: it counts as old.
    """
    pods = (pod for name in revisions for pod in seen.revision(name).pods)
    return {pod.uid for pod in pods if pod.created and since < pod.created <= now + CLOCKS_DIFFER}


def _of_users(counters: Mapping[str, Counters]) -> Mapping[str, Counters]:
    """Return the counters with users in the place of requests."""
    return {
        uid: replace(one, requests=one.users, errors=one.users_failed, durations=one.user_durations)
        for uid, one in counters.items()
    }


def _of_kind(evidence: Evidence, *, users: bool) -> tuple[Evidence, set[str]]:
    """Leave out cursors that count something else, as after a change of the strategy; return whose these are too."""
    unlike = {uid for uid, cursor in evidence.cursors.items() if cursor.users is not users}
    left = {uid: cursor for uid, cursor in evidence.cursors.items() if uid not in unlike}
    return (evidence.model_copy(update={"cursors": left}) if unlike else evidence), unlike


def _cursor(counters: Counters, edges: tuple[int, ...], *, users: bool) -> Cursor:
    return Cursor(
        start=counters.start,
        requests=counters.requests,
        errors=counters.errors,
        durations=counted(counters, edges),
        users=users,
        with_id=counters.with_id if users else None,
        without_id=counters.without_id if users else None,
    )


def _increments(
    counters: Mapping[str, Counters], cursors: Mapping[str, Cursor], fresh: set[str], *, users: bool
) -> Arm:
    requests = errors = 0
    for uid, now in counters.items():
        cursor = cursors.get(uid)
        if cursor is None and uid not in fresh:
            continue
        same_run = cursor is not None and cursor.start == now.start
        seen_requests, seen_errors = (cursor.requests, cursor.errors) if cursor and same_run else (0, 0)
        new_requests, new_errors = max(0, now.requests - seen_requests), max(0, now.errors - seen_errors)
        if users:
            new_requests = max(new_requests, new_errors)  # one who was seen before has failed now
        requests += new_requests
        errors += min(new_requests, new_errors)
    return Arm(requests=requests, errors=errors)


def _uids(seen: Observation, *revisions: str) -> set[str]:
    return {pod.uid for name in revisions for pod in seen.revision(name).pods}


def _shares(rollout: Rollout, evidence: Evidence, seen: Observation, stable: str) -> tuple[float, float]:
    """Return the smallest and the largest share, in [0, 1], by which requests since the last look may be split."""
    on_route = seen.route.weights.get(rollout.revision.name, 0) if seen.route else 0
    shares = {rollout.weight, on_route} | unsettled(rollout, evidence)
    if rollout.variants:
        return variants.split_range(rollout, seen.route.weights.get(stable) if seen.route else None, shares)
    return min(shares) / 100, max(shares) / 100


def _count(evidence: Evidence, stable: Arm, canary: Arm, now: datetime) -> Evidence:
    total, at_weight = _add(evidence.total, stable, canary), _add(evidence.at_weight, stable, canary)
    return evidence.model_copy(update={"total": total, "at_weight": at_weight, "counted_at": now})


def _add(counts: Counts, stable: Arm, canary: Arm) -> Counts:
    return Counts(
        stable_requests=counts.stable_requests + stable.requests,
        stable_errors=counts.stable_errors + stable.errors,
        candidate_requests=counts.candidate_requests + canary.requests,
        candidate_errors=counts.candidate_errors + canary.errors,
    )
