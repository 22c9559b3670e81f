"""The rules that come before the strategy: ordered, first match wins, each with one sentence of why."""

from __future__ import annotations

from dataclasses import replace

from sluice.api.status import LastAction, ModelDeploymentStatus, Rejected, Revision, Rollout, Verdict
from sluice.core import findings, targeted, words
from sluice.core.ab_test_guards import test_over, worse_proven
from sluice.core.actions import answer
from sluice.core.ending import NO_WINNER, WINNER
from sluice.core.experiments import counts_users
from sluice.core.gate_guards import gate_answered, gate_failed
from sluice.core.gates import anew, unanswered
from sluice.core.moves import (
    at_step,
    begin,
    give_up,
    inconclusive,
    normal,
    promoted,
    rolled_back,
    warning,
    with_weight,
)
from sluice.core.observation import Severity, Unresolved
from sluice.core.replicas import pods_for
from sluice.core.situation import Guard, Outcome, Situation
from sluice.core.timing import (
    ANALYSIS_SECONDS,
    IDLE_SECONDS,
    PARKED_SECONDS,
    READY_SECONDS,
    RETRY_SECONDS,
    ROUNDING,
    seconds,
)
from sluice.core.variant_guards import pods_lost, rival_late, several_wanted, variant_moved


def wish_answered(situation: Situation) -> Outcome | None:
    """A wish that was answered before is only noted as such, once its annotation is gone."""
    last = situation.status.last_action
    if last is None or not last.pending or situation.seen.wish is not None:
        return None
    facts = situation.status.model_copy(update={"last_action": last.model_copy(update={"pending": False})})
    return Outcome(facts, "ActionTaken", last.outcome, requeue_after=0)


def wish_came(situation: Situation) -> Outcome | None:
    """What a person asks for comes first; abort wins over everything."""
    wish, last = situation.seen.wish, situation.status.last_action
    if wish is None or (last and last.pending and (last.action, last.revision) == (wish.action, wish.revision)):
        return None
    if wish.action not in ("abort", "rollback") and (changed := steps_changed(situation)):
        return changed  # what is asked for is asked of the steps as they are now
    facts, said, good = answer(situation, wish.action, wish.revision)
    action = LastAction(action=wish.action, revision=wish.revision, outcome=said, actor=wish.actor, at=situation.now)
    event = normal("ActionTaken", said) if good else warning("ActionRefused", said)
    return Outcome(
        facts.model_copy(update={"last_action": action}), "ActionTaken", said, events=(event,), requeue_after=0
    )


def never_installed(situation: Situation) -> Outcome | None:
    """Without a stable revision there is nothing to compare with: the first one goes live as soon as it is ready."""
    if situation.status.stable is not None:
        return None
    if situation.wanted is None:
        return _unresolved(situation)
    rollout, wanted = situation.rollout, situation.wanted
    if rollout is None:
        facts = begin(situation, wanted)
        event = normal("Installing", f"installing {words.version(wanted)}")
        message = event.message if situation.spec.desired_replicas else _to_be_installed(wanted)
        return Outcome(facts, "Installing", message, events=(event,), requeue_after=READY_SECONDS)
    if rollout.revision.name != wanted.name:
        return _superseded(situation, rollout, wanted)
    return _first_install(situation, rollout)


def _first_install(situation: Situation, rollout: Rollout) -> Outcome:
    replicas, ready = situation.spec.desired_replicas, situation.candidate.ready
    if replicas == 0:
        message = _to_be_installed(rollout.revision)
        return Outcome(situation.status, "Installing", message, requeue_after=_parked(situation))
    if ready >= replicas:
        return promoted(situation, rollout)
    waiting = words.waiting_for_pods(situation.candidate, ready, replicas)
    message = f"first install of {words.version(rollout.revision)}: {waiting}"
    return Outcome(situation.status, "Installing", message, requeue_after=RETRY_SECONDS)


def _to_be_installed(revision: Revision) -> str:
    return f"first install of {words.version(revision)}: {words.PARKED}"


def candidate_unhealthy(situation: Situation) -> Outcome | None:
    """A candidate whose pods crash or can never start is no better for more waiting."""
    rollout = situation.rollout
    trouble = words.trouble_of(situation.candidate, Severity.FATAL) if rollout else None
    if rollout is None or trouble is None:
        return None
    return rolled_back(situation, rollout, trouble.reason, trouble.message)


def harm_proven(situation: Situation) -> Outcome | None:
    """Proven harm rolls back at once, in every step and while paused."""
    rollout, judgement = situation.rollout, situation.judgement
    if rollout is None or judgement is None or not judgement.harmful:
        return None
    return rolled_back(situation, rollout, "HarmProven", findings.harm(situation, judgement))


def targeted_harm_proven(situation: Situation) -> Outcome | None:
    """Who is sent to the candidate on purpose is compared with nobody: a limit protects him."""
    rollout, message = situation.rollout, targeted.harm(situation)
    if rollout is None or message is None:
        return None
    return rolled_back(situation, rollout, "HarmProven", message)


def rival_failed(situation: Situation) -> Outcome | None:
    """Each further challenger of a test is guarded as the candidate is; he leaves the test, which goes on."""
    for rival in situation.rivals:
        for guard in (candidate_unhealthy, harm_proven, worse_proven):
            if outcome := guard(rival):
                return outcome
    return None


def newer_wanted(situation: Situation) -> Outcome | None:
    """What the user wants now replaces a candidate that is no longer wanted."""
    rollout, wanted = situation.rollout, situation.wanted
    if rollout and rollout.variants and situation.named and not situation.status.returning_to:
        return None  # `variant_moved` has seen to it
    if rollout is None or wanted is None or wanted.name == rollout.revision.name:
        return None
    return _superseded(situation, rollout, wanted)


def capacity_lost(situation: Situation) -> Outcome | None:
    """The weight never exceeds what ready pods can carry."""
    rollout = situation.rollout
    if rollout is None:
        return None
    ready, weight = situation.candidate.ready, situation.carried
    if rollout.weight <= weight:
        return None
    facts = with_weight(situation, rollout, weight)
    message = f"weight lowered from {rollout.weight} to {weight} %: " + words.waiting_for_pods(
        situation.candidate, ready, pods_for(situation.spec, rollout.weight)
    )
    return Outcome(
        facts,
        "CapacityLost",
        message,
        Verdict.RUNNING,
        (warning("CapacityLost", message),),
        requeue_after=READY_SECONDS,
    )


def served_again(situation: Situation) -> Outcome | None:
    """The gap of a recreate is over when a version has traffic and pods to answer it, whichever it is."""
    status, route = situation.status, situation.seen.route
    if status.down_since and situation.spec.desired_replicas == 0:
        facts = status.model_copy(update={"down_since": None})
        return Outcome(facts, "ScaledToZero", words.PARKED, requeue_after=0)
    if status.down_since is None or status.stable is None or situation.stopped or not situation.stable.ready:
        return None
    if not (route and route.settled and route.weights.get(status.stable.name)):
        return None
    gap = max(0.0, (situation.now - status.down_since).total_seconds())
    facts = status.model_copy(update={"down_since": None})
    event = normal("ServesAgain", f"{words.version(status.stable)} serves, after at most {gap:.1f} s without a version")
    return Outcome(facts, "ServesAgain", event.message, events=(event,), requeue_after=0)


def not_in_rollout(situation: Situation) -> Outcome | None:
    """Nothing to do, or a new revision to begin with."""
    if situation.rollout is not None:
        return None
    status, wanted = situation.status, situation.wanted
    if wanted is None:
        return _unresolved(situation)
    refused = situation.refused
    won = refused is not None and refused.reason == WINNER  # of several, it need not be what `model` names
    if status.stable and wanted.name == status.stable.name and not won:
        message = words.serving(situation)
        return Outcome(status, "Complete", message, Verdict.SUCCESSFUL, requeue_after=_idle(situation))
    if refused:
        return _refused(situation, refused)
    facts = begin(situation, wanted)
    served = any(entry.was_stable for entry in status.retired if entry.revision.name == wanted.name)
    how = "returning to" if served and facts.rollout and facts.rollout.direct else "rolling out"
    event = normal("RolloutStarted", f"{how} {words.version(wanted)} over {words.version(status.stable)}")
    return Outcome(facts, "RolloutStarted", event.message, Verdict.RUNNING, (event,), requeue_after=0)


def _refused(situation: Situation, refused: Rejected) -> Outcome:
    """Say why what is wanted is not rolled out, and what to do."""
    name, why, serving = words.version(refused.revision), refused.message, words.serving(situation)
    retry = f"sluice.dev/retry={refused.revision.name}"
    if refused.reason == NO_WINNER:
        message = (
            f"{name} was tested and did not win ({why}); {serving}. "
            f"Register another version, or annotate with {retry} to test it again"
        )
        return Outcome(situation.status, NO_WINNER, message, Verdict.NO_WINNER, requeue_after=_idle(situation))
    if refused.reason == WINNER:
        message = (
            f"{name} has won its test and is not promoted ({why}); {serving}; "
            f"{words.to_promote(refused.revision)}, with {retry} to test it again"
        )
        return Outcome(situation.status, WINNER, message, Verdict.WINNER, requeue_after=_idle(situation))
    message = (
        f"{name} was rolled back ({refused.reason}: {why}); {serving}. "
        f"Register a fixed version, or annotate with {retry} to try it again"
    )
    return Outcome(situation.status, "RolledBack", message, Verdict.FAILED, requeue_after=_idle(situation))


def steps_changed(situation: Situation) -> Outcome | None:
    """Whoever changes a step that was begun gets all of them from the start: nothing is promoted by an edit.

    A test that is changed is another one: with other users at each version, and a record of its own. So is a canary
    whose users stick to a version, or did: at no weight are they counted a second time.
    """
    rollout = situation.rollout
    if (
        rollout is None
        or rollout.direct
        or rollout.steps == situation.strategy.begun(situation.spec, rollout.step_index)
    ):
        return None
    whole = situation.spec.strategy.ab_test or rollout.variants
    if whole or counts_users(situation.spec) or rollout.window is not None:
        version, what = words.version(rollout.revision), "test" if situation.spec.strategy.ab_test else "rollout"
        event = normal("StepsChanged", f"the steps were changed: {version} begins another {what}")
        facts = give_up(situation.status, situation.now)
        return Outcome(facts, "StepsChanged", event.message, Verdict.RUNNING, (event,), requeue_after=0)
    again = anew(rollout) if situation.spec.gates or rollout.gates else rollout
    again = at_step(situation, again, 0)
    facts = _with(situation.status, again)
    if situation.spec.gates:  # a route that is behind does not rise any more
        facts = with_weight(replace(situation, status=facts), again, 0)
    event = normal("StepsChanged", f"the steps were changed: {words.version(rollout.revision)} begins them again")
    return Outcome(facts, "StepsChanged", event.message, Verdict.RUNNING, (event,), requeue_after=0)


def paused(situation: Situation) -> Outcome | None:
    """A pause stops forward motion, and the step's clock with it; so does a scale of zero, which proves nothing.

    It does not prolong an outage: a recreate that has stopped the old version goes on.
    """
    rollout = situation.rollout
    if rollout is None:
        return None
    parked = situation.spec.desired_replicas == 0
    if parked or (situation.spec.paused and not situation.stopped):
        since = rollout.paused_at or situation.now
        facts = _with(situation.status, rollout.model_copy(update={"paused_at": since}))
        message = f"paused at {rollout.weight} % by spec.paused; set it to false to go on"
        if parked:
            message = words.PARKED
        reason = "ScaledToZero" if parked else "Paused"
        wait = _parked(situation) if parked else ANALYSIS_SECONDS
        return Outcome(facts, reason, message, Verdict.RUNNING, requeue_after=wait)
    if rollout.paused_at is not None:
        started = rollout.step_started_at + (situation.now - rollout.paused_at)
        facts = _with(situation.status, rollout.model_copy(update={"paused_at": None, "step_started_at": started}))
        return Outcome(facts, "Resumed", "going on", Verdict.RUNNING, requeue_after=0)
    return None


def held_inconclusive(situation: Situation) -> Outcome | None:
    """An inconclusive analysis waits for a person."""
    rollout = situation.rollout
    if rollout is None or not rollout.inconclusive:
        return None
    message = findings.inconclusive(situation)
    return Outcome(situation.status, "Inconclusive", message, Verdict.INCONCLUSIVE, requeue_after=ANALYSIS_SECONDS)


def deadline_passed(situation: Situation) -> Outcome | None:
    """A candidate that is not ready in time is given up; an analysis without a proof is inconclusive."""
    rollout = situation.rollout
    if rollout is None or not situation.deadline_passed:
        return None
    stage = situation.stage
    if lacks := situation.strategy.lacks(situation):
        lost_at = rollout.weight_changed_at
        if lost_at and situation.now - lost_at <= seconds(situation.spec.progress_deadline_seconds):
            return None  # pods that were there and are being replaced have the same time again
        message = f"{lacks} after {situation.spec.progress_deadline_seconds} s{words.way_out(situation)}"
        return rolled_back(situation, rollout, "ProgressDeadlineExceeded", message)
    judgement = situation.judgement
    if stage and (stage.test or (stage.gates and not unanswered(rollout, stage.gates))):
        return None  # a test has a time of its own
    if stage and (stage.gates or (stage.proves and not (judgement and judgement.passed))):
        return inconclusive(situation, rollout)
    return None


GUARDS: tuple[Guard, ...] = (
    wish_came,
    wish_answered,
    never_installed,
    served_again,
    several_wanted,
    not_in_rollout,
    candidate_unhealthy,
    harm_proven,
    targeted_harm_proven,
    worse_proven,
    rival_failed,
    variant_moved,
    newer_wanted,
    capacity_lost,
    steps_changed,
    gate_answered,
    gate_failed,
    paused,
    held_inconclusive,
    pods_lost,
    rival_late,
    test_over,
    deadline_passed,
)


def _superseded(situation: Situation, rollout: Rollout, wanted: Revision) -> Outcome:
    """The next look begins what is wanted, if it is not stable: one decision at a time can be kept and told whole."""
    event = normal("Superseded", f"{words.version(rollout.revision)} is no longer wanted: {words.version(wanted)} is")
    facts = give_up(situation.status, situation.now)
    return Outcome(facts, "Superseded", event.message, events=(event,), requeue_after=0)


def _unresolved(situation: Situation) -> Outcome:
    model = situation.seen.model
    reason, message = (model.reason, model.message) if isinstance(model, Unresolved) else ("Resolving", "")
    serving = f"; {words.serving(situation)}" if situation.status.stable else ""
    return Outcome(situation.status, reason, message + serving, Verdict.ERROR, requeue_after=RETRY_SECONDS)


def _idle(situation: Situation, longest: float = IDLE_SECONDS) -> float:
    """Look again when the next retired revision is due."""
    due = [(entry.scale_down_at - situation.now).total_seconds() for entry in situation.status.retired]
    return max(0.5, min([longest, *(wait + ROUNDING for wait in due if wait > 0)]))


def _parked(situation: Situation) -> float:
    return _idle(situation, IDLE_SECONDS if situation.seen.gateway_problem else PARKED_SECONDS)


def _with(status: ModelDeploymentStatus, rollout: Rollout) -> ModelDeploymentStatus:
    return status.model_copy(update={"rollout": rollout})
