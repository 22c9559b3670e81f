"""The rules of A/B tests with variants: when one begins, when it is another one, and who leaves it for want of pods."""

from __future__ import annotations

from sluice.api.status import Verdict
from sluice.core import variants, words
from sluice.core.moves import begin, give_up, normal, returns, rolled_back
from sluice.core.situation import Outcome, Situation
from sluice.core.timing import RETRY_SECONDS, seconds


def several_wanted(situation: Situation) -> Outcome | None:
    """Begin a test of several versions, if somebody is left to be tested; a way back without proof comes first."""
    spec, status, wanted = situation.spec, situation.status, situation.wanted
    idle = situation.rollout is None and status.stable is not None and not status.returning_to
    if not situation.named or not idle or wanted is None or status.stable is None:
        return None
    if wanted.name != status.stable.name and situation.refused is None and returns(situation, wanted):
        return None
    if found := variants.unresolved(situation.named):
        name, why = found
        message = f"variant {name}: {why.message}; the test waits; {words.serving(situation)}"
        return Outcome(status, why.reason, message, Verdict.ERROR, requeue_after=RETRY_SECONDS)
    challengers = variants.to_test(spec, status, situation.named)
    if not challengers:
        return None
    facts = begin(situation, challengers[0].revision, challengers)
    event = normal("RolloutStarted", f"testing {variants.list_of(challengers)} beside {words.version(status.stable)}")
    return Outcome(facts, "RolloutStarted", event.message, Verdict.RUNNING, (event,), requeue_after=0)


def variant_moved(situation: Situation) -> Outcome | None:
    """A test in which a name stands for another version is another test."""
    rollout, status = situation.rollout, situation.status
    if rollout is None or not rollout.variants or not situation.named or status.returning_to:
        return None
    found = variants.moved(situation.spec, status, situation.named)
    if found is None:
        return None
    name, revision = found
    event = normal("Superseded", f"{name} is {words.version(revision)} now: another test begins")
    facts = give_up(status, situation.now)
    return Outcome(facts, "Superseded", event.message, events=(event,), requeue_after=0)


def pods_lost(situation: Situation) -> Outcome | None:
    """One of several challengers whose pods do not come back in time leaves the test: nobody is counted meanwhile."""
    for one in situation.challengers:
        mine = variants.own(one.rollout) if one.rollout else None
        allowed = seconds(situation.spec.progress_deadline_seconds)
        if mine is None or mine.lost_at is None or one.rollout is None or situation.now - mine.lost_at <= allowed:
            continue
        message = words.waiting_for_pods(one.candidate, 0, 1)
        message = f"{message} after {situation.spec.progress_deadline_seconds} s"
        return rolled_back(one, one.rollout, "ProgressDeadlineExceeded", message)
    return None


def rival_late(situation: Situation) -> Outcome | None:
    """One of several challengers whose pods do not come in time leaves the test before it begins."""
    if not situation.deadline_passed:
        return None
    for rival in situation.rivals:
        if rival.rollout and (lacks := situation.strategy.lacks(rival)):
            message = f"{lacks} after {situation.spec.progress_deadline_seconds} s"
            return rolled_back(rival, rival.rollout, "ProgressDeadlineExceeded", message)
    return None
