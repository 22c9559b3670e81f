"""What follows from the facts: the traffic split, the pods of each revision, and what can be deleted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sluice.api.spec import ModelDeploymentSpec
from sluice.api.status import ModelDeploymentStatus, Revision, Rollout
from sluice.core import sharing, variants
from sluice.core.experiments import counts_users
from sluice.core.observation import Observation
from sluice.core.plan import AliasWish, Experiment, Mirroring
from sluice.core.strategies.base import Strategy
from sluice.core.timing import LATE

MOST_KEPT = 8  # a route has room for 16 backends
MOST_SHARED = 99  # percent: with more there are no two versions
KEPT_BESIDE_USERS = 4  # where users stick to a version, that takes 12 of them


def split(
    spec: ModelDeploymentSpec, facts: ModelDeploymentStatus, seen: Observation, strategy: Strategy
) -> Mapping[str, int] | None:
    """Return the percent of the traffic by revision, stable first; None before the first install.

    Never more for the candidate than its ready pods carry: a route that is written anew, for example because somebody
    deleted it, may be so before the rule that lowers the weight has had its turn.
    """
    if facts.stable is None:
        return None
    weight, beside = 0, {}
    if facts.rollout:
        ready = seen.revision(facts.rollout.revision.name).ready
        weight = min(facts.rollout.weight, strategy.carries(spec, facts.rollout, ready))
        if spec.by_pods and sharing.shared(weight) and sharing.obstacle(spec, facts, seen):
            weight = 0
        if facts.rollout.variants and weight and not ready:
            weight = 0
        beside = {
            name: share if seen.revision(name).ready else 0
            for name, share in variants.shares(facts.rollout).items()
            if name != facts.rollout.revision.name
        }
    shares = {facts.stable.name: 100 - weight - sum(beside.values())}
    if facts.rollout:
        shares |= {facts.rollout.revision.name: weight} | beside
    return {name: share for name, share in shares.items() if share}


def kept(spec: ModelDeploymentSpec, facts: ModelDeploymentStatus, seen: Observation, now: datetime) -> frozenset[str]:
    """Return the revisions that stay parked in the route, if they are: who may get all traffic back in one write."""
    warm = [entry.revision.name for entry in facts.retired if entry.was_stable and now < entry.scale_down_at]
    most = KEPT_BESIDE_USERS if spec.traffic and spec.traffic.sticky else MOST_KEPT
    names = [*warm[-most:], *(revision.name for revision in freeze(facts))]
    return frozenset(name for name in names if seen.revision(name).ready)


def unsettled(facts: ModelDeploymentStatus, kept: frozenset[str], seen: Observation, now: datetime) -> bool:
    """Whether something waits for the proxies: who comes or leaves in the route, or pods that are to end."""
    route = seen.route
    if route is None:
        return False
    due = any(now >= entry.scale_down_at and seen.revision(entry.revision.name).replicas for entry in facts.retired)
    # A gateway that has not answered yet wakes us when it does.
    return route.accepted is True and (not route.parked <= kept or (not route.settled and due))


def preview(spec: ModelDeploymentSpec, facts: ModelDeploymentStatus, seen: Observation) -> str | None:
    """Return the revision to be reached at the preview address; nobody, unless it is a candidate with ready pods."""
    wanted, rollout = spec.strategy.blue_green and spec.strategy.blue_green.preview, facts.rollout
    if wanted is None or rollout is None or facts.stable is None or rollout.direct:
        return None
    return rollout.revision.name if seen.revision(rollout.revision.name).ready else None


def late(facts: ModelDeploymentStatus, now: datetime) -> float:
    """Return for how many seconds an operator who hung may still bring back a route that has been taken away."""
    last = max((entry.scale_down_at + LATE for entry in facts.retired), default=now)
    return max(0.0, (last - now).total_seconds())


def mirror(
    spec: ModelDeploymentSpec, facts: ModelDeploymentStatus, seen: Observation, strategy: Strategy
) -> Mirroring | None:
    """Return who gets copies of the requests: a candidate at a stage that says so, with ready pods and no traffic."""
    rollout = facts.rollout
    stage = strategy.stage(spec, rollout) if rollout and facts.stable else None
    if rollout is None or stage is None or stage.mirror is None or rollout.weight:
        return None
    name = rollout.revision.name
    return Mirroring(name, stage.mirror.percent, stage.mirror.sample) if seen.revision(name).ready else None


def experiment(
    spec: ModelDeploymentSpec, facts: ModelDeploymentStatus, seen: Observation, strategy: Strategy
) -> Experiment | None:
    """Return the A/B test that is live, or will be as soon as the candidate's pods are ready; or the canary.

    It stays until the rollout ends, also while all traffic moves to the winner: nobody changes sides for less.
    """
    test, rollout = spec.strategy.ab_test, facts.rollout
    if rollout is None or facts.stable is None:
        return None
    if test is None:
        return _growing(spec, rollout, strategy) if counts_users(spec) else None
    name, stage = rollout.revision.name, strategy.stage(spec, rollout)
    if stage is not None and stage.gates is not None:
        return None
    begun = rollout.weight > 0 or (stage is not None and stage.test is not None)
    if not begun and (rollout.direct or not seen.revision(name).ready):
        return None
    challengers = tuple((one.revision.name if one.dropped is None else None, one.weight) for one in rollout.variants)
    return Experiment(name, test.weight, challengers=challengers)


def _growing(spec: ModelDeploymentSpec, rollout: Rollout, strategy: Strategy) -> Experiment | None:
    """Return the canary that has users, or is about to get them."""
    stage = strategy.stage(spec, rollout)
    begun = rollout.weight > 0 or (stage is not None and stage.weight > 0)
    return Experiment(rollout.revision.name, MOST_SHARED, rollout.window or 0) if begun else None


def outage(facts: ModelDeploymentStatus, seen: Observation) -> bool:
    """Whether nobody answers whom the route leads to, on any proxy: then no change of it can cost a request."""
    if facts.down_since is None or seen.route is None or not seen.route.settled:
        return False
    return not any(seen.revision(name).ready for name, weight in seen.route.weights.items() if weight)


def scale(
    spec: ModelDeploymentSpec, facts: ModelDeploymentStatus, seen: Observation, now: datetime, strategy: Strategy
) -> Mapping[str, int]:
    """Return the pods wanted by revision. Who is retired and has traffic, by the route as it stands, keeps its pods."""
    pods: dict[str, int] = {}
    no_room = sharing.makes_room(spec, facts, strategy)
    for entry in facts.retired:
        name = entry.revision.name
        state = seen.revision(name)
        # Who was given up keeps the connections that came to him by a Service, for as long as he has pods.
        due = now >= entry.scale_down_at or no_room or (spec.by_pods and not entry.was_stable)
        if not due or seen.may_reach(name):
            pods[name] = state.replicas
        else:
            pods[name] = 0
    if facts.stable is None:
        return pods | ({facts.rollout.revision.name: spec.desired_replicas} if facts.rollout else {})
    return {**pods, **strategy.pods(spec, facts, seen, now)}


def forget(
    spec: ModelDeploymentSpec, facts: ModelDeploymentStatus, seen: Observation, now: datetime
) -> tuple[str, ...]:
    """Return the revisions whose objects can go: beyond the history limit, or known to nobody."""
    live = {revision.name for revision in freeze(facts)}
    done = [entry.revision.name for entry in facts.retired if now >= entry.scale_down_at]
    too_old = done[: max(0, len(done) - spec.revision_history_limit)]
    known = live | {entry.revision.name for entry in facts.retired}
    gone = {*too_old, *(name for name, state in seen.revisions.items() if state.deployed and name not in known)} - live
    return tuple(sorted(name for name in gone if not seen.may_reach(name)))


def without(facts: ModelDeploymentStatus, forgotten: tuple[str, ...]) -> ModelDeploymentStatus:
    """Drop forgotten revisions from the facts."""
    kept = tuple(entry for entry in facts.retired if entry.revision.name not in forgotten)
    return facts if kept == facts.retired else facts.model_copy(update={"retired": kept})


def write_back(spec: ModelDeploymentSpec, facts: ModelDeploymentStatus) -> AliasWish | None:
    """Return the alias that should name the stable version and was not seen to be set.

    Not during a rollout: a registry that hangs must not keep anybody from looking at the candidate.
    """
    alias = spec.model.promoted_alias
    if alias is None or facts.stable is None or facts.rollout or facts.promoted_alias == f"{alias}@{facts.stable.name}":
        return None
    if facts.stable.source or not spec.model.uri.removeprefix("models:/").startswith(
        (f"{facts.stable.model_name}@", f"{facts.stable.model_name}/")
    ):
        return None  # a variant of another model has won
    return AliasWish(alias, facts.stable)


def freeze(facts: ModelDeploymentStatus) -> tuple[Revision, ...]:
    """Return the revisions that must have a pod template."""
    beside = variants.revisions(facts.rollout) if facts.rollout else ()
    return (*((facts.stable,) if facts.stable else ()), *beside)
