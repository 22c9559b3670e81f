"""Turns facts and observations into the status that people read: columns, message, conditions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sluice.api.status import Condition, ConditionStatus, ModelDeploymentStatus, Rollout, Verdict
from sluice.core import identified, sharing, targeted, variants, words
from sluice.core.ending import TESTED, WINNER
from sluice.core.observation import Unresolved
from sluice.core.situation import Outcome, Situation

TRUE, FALSE, UNKNOWN = ConditionStatus.TRUE, ConditionStatus.FALSE, ConditionStatus.UNKNOWN


@dataclass(frozen=True)
class Says:
    """A condition without its times."""

    status: ConditionStatus
    reason: str
    message: str = ""


def describe(before: ModelDeploymentStatus, after: Situation, outcome: Outcome, selector: str) -> ModelDeploymentStatus:
    """Return the whole status; `before` is the one people see now, `after` the situation with the new facts."""
    facts, seen, spec = after.status, after.seen, after.spec
    problem = problem_of(after)
    message = outcome.message if problem is None else f"{problem.message}; {outcome.message}"
    if seen.write_back and seen.write_back.error:
        message += f"; the alias {seen.write_back.alias} can't be written back: {seen.write_back.error}"
    if seen.autoscaling_problem and spec.autoscaling:
        message += f"; the autoscaler can't do its work: {seen.autoscaling_problem}"
    if facts.rollout is None and recreating(after):
        message += f"; {words.on_the_way_back(after)}"
    if said := targeted.said(after):
        message += f"; {said}"
    rollout = facts.rollout
    if said := identified.said(spec, rollout):
        message += f"; {said}"
    if behind := sharing.said(facts):
        message += f"; {behind}"
    pods = after.stable.ready + (after.candidate.ready if rollout else 0)
    wanted = spec.desired_replicas if facts.stable else 0
    if rollout:
        wanted += after.candidate.replicas
        beside = [after.seen.revision(one.revision.name) for one in variants.others(rollout)]
        pods, wanted = pods + sum(one.ready for one in beside), wanted + sum(one.replicas for one in beside)
    says = conditions(before, after, outcome, problem)
    return facts.model_copy(
        update={
            "observed_generation": seen.generation,
            "strategy": spec.strategy.kind,
            "uri": spec.model.uri,
            "model": words.version(facts.stable) if facts.stable else None,
            "candidate": words.version(rollout.revision) if rollout else None,
            "challengers": ", ".join(one.model_version for one in variants.revisions(rollout)) if rollout else None,
            "weight": _percent(rollout) if rollout and facts.stable else None,
            "step": after.strategy.title(spec, rollout) if rollout and facts.stable else None,
            "verdict": outcome.verdict,
            "ready": f"{pods}/{wanted}",
            "message": message,
            "replicas": after.stable.replicas,
            "selector": selector,
            "conditions": timed(before.conditions, says, seen.generation, after.now),
        }
    )


def _percent(rollout: Rollout) -> int:
    """Return the percent of the traffic that stable does not have."""
    return sum(variants.shares(rollout).values()) if rollout.variants else rollout.percent


def problem_of(situation: Situation) -> Says | None:
    """Return what is wrong with serving itself, whatever the rollout does; the gravest first."""
    seen, stable = situation.seen, situation.status.stable
    if seen.gateway_problem:
        return Says(TRUE, "GatewayNotFound", seen.gateway_problem)
    if seen.route and seen.route.accepted is False:
        refuses = "" if situation.spec.by_pods else "the gateway refuses the route: "
        return Says(TRUE, seen.route.reason or "RouteNotAccepted", f"{refuses}{seen.route.message}")
    replicas, ready = situation.spec.least_replicas, situation.stable.ready
    if situation.seen.preview and situation.seen.preview.accepted is False:
        return Says(TRUE, PREVIEW_REFUSED, f"the gateway refuses the preview: {situation.seen.preview.message}")
    if stable and ready < replicas and not recreating(situation):
        why = words.waiting_for_pods(situation.stable, ready, replicas)
        reason = "NoReadyPods" if ready == 0 else "MissingPods"
        return Says(TRUE, reason, f"stable {words.version(stable)}: {why}")
    if seen.sticky_problem and not seen.sticky_pending:
        return Says(TRUE, NOT_STICKY, seen.sticky_problem)
    return None


def conditions(
    before: ModelDeploymentStatus, situation: Situation, outcome: Outcome, problem: Says | None
) -> Mapping[str, Says]:
    """Return all conditions: observations only; read back is none but that it was ready, which a new route for the
    same pods does not end.
    """
    facts, refused = situation.status, situation.refused
    available = _available(situation, problem)
    progressing = _progressing(situation, outcome)
    tested = refused is not None and refused.reason in TESTED  # nothing is wrong with that
    failed = Says(TRUE, "RolledBack", refused.message) if refused and not tested else None
    degraded = problem or failed or Says(FALSE, "AsExpected")
    up_to_date = facts.stable is not None and facts.rollout is None and (situation.wanted == facts.stable or tested)
    if available.status is TRUE and problem is None and up_to_date and not route_taken(situation):
        ready = waiting_for_traffic(situation)
    elif available.status is TRUE and problem is None and up_to_date and not _known(before, situation):
        knows = "all nodes know the Service's pods" if situation.spec.by_pods else "all proxies know the route"
        ready = Says(FALSE, WAITING_FOR_PROXIES, f"waiting until {knows}")
    elif available.status is TRUE and problem is None and up_to_date:
        ready = Says(TRUE, "Serving", outcome.message)
    else:
        ready = Says(
            FALSE, problem.reason if problem else outcome.reason, problem.message if problem else outcome.message
        )
    return {
        "Ready": ready,
        "Available": available,
        "Progressing": progressing,
        "Paused": _paused(situation, outcome),
        "Analyzed": _analyzed(situation, outcome),
        "Degraded": degraded,
    }


def timed(
    before: tuple[Condition, ...], says: Mapping[str, Says], generation: int, now: datetime
) -> tuple[Condition, ...]:
    """Give conditions their times: a transition is a change of status, nothing else."""
    old = {condition.type: condition for condition in before}
    result = []
    for kind, said in says.items():
        known = old.get(kind)
        since = known.last_transition_time if known and known.status is said.status else now
        result.append(
            Condition(
                type=kind,
                status=said.status,
                reason=said.reason,
                message=said.message[:4096],
                observed_generation=generation,
                last_transition_time=since,
            )
        )
    return tuple(result)


PREVIEW_REFUSED = "PreviewRefused"
NOT_STICKY = "UsersNotSticky"
WAITING_FOR_PROXIES = "WaitingForProxies"
WAITING_FOR_GATEWAY = "waiting for the gateway to take the route"


def waiting_for_traffic(situation: Situation) -> Says:
    """Say what has to be there before requests come to the pods."""
    if situation.spec.by_pods:
        return Says(FALSE, "WaitingForService", f"waiting for {words.way_in(situation)} to lead to the pods")
    return Says(FALSE, "WaitingForGateway", WAITING_FOR_GATEWAY)


def route_taken(situation: Situation) -> bool:
    """Whether the gateway has taken the route as it has to be when nothing is rolled out: all traffic on stable."""
    stable, route = situation.status.stable, situation.seen.route
    return bool(stable and route and route.accepted and route.weights.get(stable.name) == 100)


def _known(before: ModelDeploymentStatus, situation: Situation) -> bool:
    """Whether a request reaches stable by whatever proxy it comes: some need a moment for their first route."""
    ready, route = before.condition("Ready"), situation.seen.route
    return bool(route and route.settled) or (ready is not None and ready.status is TRUE)


def awaits_proxies(status: ModelDeploymentStatus) -> bool:
    """Whether a status has to be looked at again in a moment, because only the proxies are missing."""
    ready = status.condition("Ready")
    return ready is not None and ready.reason == WAITING_FOR_PROXIES


def recreating(situation: Situation) -> bool:
    """Whether nobody serves because of a recreate, on its way there or back."""
    back = situation.status.down_since is not None and situation.stable.ready == 0
    return situation.stopped or (back and situation.spec.desired_replicas > 0)


def _available(situation: Situation, problem: Says | None) -> Says:
    facts = situation.status
    if recreating(situation):
        return Says(FALSE, "Recreating", words.nobody_serves(facts, situation.now))
    if facts.stable is None:
        return Says(FALSE, "NotInstalled", "nothing is installed yet")
    if problem and problem.reason not in ("MissingPods", PREVIEW_REFUSED, NOT_STICKY):
        return Says(FALSE, problem.reason, problem.message)
    if situation.stable.ready == 0:
        return Says(FALSE, "ScaledToZero", "spec.replicas is 0")
    return Says(TRUE, "PodsReady", f"{situation.stable.ready} pods of {words.version(facts.stable)} are ready")


def _progressing(situation: Situation, outcome: Outcome) -> Says:
    model = situation.seen.model
    if isinstance(model, Unresolved):
        return Says(UNKNOWN, model.reason, model.message)
    if situation.status.rollout:
        return Says(TRUE, outcome.reason, outcome.message)
    return Says(FALSE, outcome.reason, "no rollout is going on")


def _paused(situation: Situation, outcome: Outcome) -> Says:
    rollout = situation.status.rollout
    if rollout and rollout.inconclusive:
        return Says(TRUE, "Inconclusive", "held until a person decides")
    if rollout and situation.spec.desired_replicas == 0:
        return Says(TRUE, "ScaledToZero", "spec.replicas is 0")
    if rollout and situation.spec.paused and not situation.stopped:
        return Says(TRUE, "PausedByUser", "spec.paused is true")
    if outcome.reason == "AwaitingPromotion":
        return Says(TRUE, "AwaitingPromotion", "the step waits until somebody promotes")
    return Says(FALSE, "NotPaused")


def _analyzed(situation: Situation, outcome: Outcome) -> Says:
    facts, refused = situation.status, situation.refused
    if facts.rollout and facts.stable:
        return Says(UNKNOWN, "Inconclusive" if outcome.verdict is Verdict.INCONCLUSIVE else "Running", outcome.message)
    if refused:
        return Says(TRUE if refused.reason == WINNER else FALSE, refused.reason, refused.message)
    return Says(TRUE, "Successful") if facts.stable else Says(UNKNOWN, "NotInstalled")
