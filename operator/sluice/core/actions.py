"""What people ask for by annotation, each bound to a revision: the facts after it, or why it is refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sluice.api.status import ModelDeploymentStatus, Rollout
from sluice.core import variants, words
from sluice.core.ending import WINNER
from sluice.core.gates import anew, at_gates
from sluice.core.moves import advance, crowned, give_up, once_more, pardoned, reject, with_rejected
from sluice.core.situation import Situation, rollout_of

# New facts, what to say, and whether the wish was granted.
Answer = tuple[ModelDeploymentStatus, str, bool]


def answer(situation: Situation, action: str, revision: str) -> Answer:
    """Answer a wish."""
    if action == "rollback":
        return _rollback(situation, revision)
    if action == "retry" and (again := _tried_again(situation, revision)):
        return again
    if action in ("promote", "promote-full") and (promoted := _winner_promoted(situation, revision)):
        return promoted
    status, rollout = situation.status, situation.rollout
    known = [one.name for one in variants.revisions(rollout)] if rollout and status.stable else []
    if rollout is None or revision not in known:
        current = f"the candidate is {' or '.join(known)}" if known else "no rollout is going on"
        return status, f"{action} of revision {revision} refused: {current}", False
    if situation.rivals and action in ("promote", "promote-full"):
        chosen = crowned(situation, revision)
        facts, said, good = _ON_CANDIDATE[action](chosen, rollout_of(chosen))
        return facts if good else status, said, good
    return _ON_CANDIDATE[action](situation, rollout)


def _abort(situation: Situation, rollout: Rollout) -> Answer:
    facts = reject(situation.status, "Aborted", "aborted by a person", situation.now)
    return facts, f"{' and '.join(map(words.version, variants.revisions(rollout)))} aborted", True


def _begin_step_again(situation: Situation, rollout: Rollout) -> Answer:
    judgement = situation.judgement
    if judgement and judgement.test and not judgement.test.credible:
        # What it has counted stays as it is: only other users, with a record of their own, can show more.
        facts = give_up(situation.status, situation.now)
        return facts, f"{words.version(rollout.revision)} begins another test", True
    again = once_more(situation, anew(rollout) if at_gates(situation) else rollout)
    return _with(situation, again), f"{words.version(rollout.revision)}: the step begins again", True


def _promote(situation: Situation, rollout: Rollout) -> Answer:
    """Skip the present step."""
    if situation.stage is None or not situation.stage.waits:
        title = situation.strategy.title(situation.spec, rollout)
        return situation.status, f"promote refused: step {title} can't be skipped", False
    if situation.stage.test:
        return _promote_full(situation, rollout)  # that ends the test, in favour of the candidate
    facts = advance(situation, rollout, "promoted by a person").facts
    return facts, f"{words.version(rollout.revision)}: step skipped by a person", True


def _promote_full(situation: Situation, rollout: Rollout) -> Answer:
    """Skip all that is left; a candidate whose harm is proven is rolled back nevertheless."""
    if rollout.direct:
        return situation.status, f"promote-full refused: {words.version(rollout.revision)} is promoted already", False
    if situation.stage is None:
        title = situation.strategy.title(situation.spec, rollout)
        return situation.status, f"promote-full refused: nothing of {title} can be skipped", False
    direct = once_more(situation, rollout).model_copy(update={"direct": True})
    return _with(situation, direct), f"{words.version(rollout.revision)}: all steps left are skipped by a person", True


def _tried_again(situation: Situation, revision: str) -> Answer | None:
    """Forget that a revision was rejected; it has to prove itself like any other."""
    status = situation.status
    for entry in status.rejected:
        if entry.revision.name == revision:
            retired = tuple(
                kept.model_copy(update={"was_stable": False}) if kept.revision.name == revision else kept
                for kept in status.retired
            )
            facts = status.model_copy(update={"rejected": pardoned(status, revision), "retired": retired})
            return facts, f"{words.version(entry.revision)} is tried again", True
    return None


def _winner_promoted(situation: Situation, revision: str) -> Answer | None:
    """Promote what has won its test, as long as it is wanted: it has proven itself."""
    won, status = situation.refused, situation.status
    if won is None or won.reason != WINNER or won.revision.name != revision or status.stable is None:
        return None
    facts = status.model_copy(update={"rejected": pardoned(status, revision), "returning_to": won.revision})
    return facts, f"{words.version(won.revision)} has won its test, and is promoted by a person", True


def _rollback(situation: Situation, revision: str) -> Answer:
    """Go back to a revision that was stable before; what is stable now, and a candidate, are rejected."""
    status, now = situation.status, situation.now
    kept = {entry.revision.name: entry.revision for entry in status.retired if entry.was_stable}
    if status.stable is None:
        return status, f"rollback to {revision} refused: nothing is installed yet", False
    if revision == status.stable.name:
        done = "abort takes the candidate away" if situation.rollout else "it serves all traffic"
        return status, f"rollback refused: {revision} is the stable revision; {done}", False
    if revision not in kept:
        known = ", ".join(f"{name} ({words.version(one)})" for name, one in kept.items()) or "none"
        return status, f"rollback to {revision} refused: it was never stable, or is gone; kept: {known}", False
    reason, why = "RolledBackByPerson", f"a person went back to {words.version(kept[revision])}"
    facts = reject(status, reason, why, now)
    facts = with_rejected(facts, status.stable, reason, why, now)
    facts = facts.model_copy(update={"returning_to": kept[revision], "rejected": pardoned(facts, revision)})
    return facts, f"going back to {words.version(kept[revision])}", True


def _with(situation: Situation, rollout: Rollout) -> ModelDeploymentStatus:
    return situation.status.model_copy(update={"rollout": rollout})


_ON_CANDIDATE: Mapping[str, Callable[[Situation, Rollout], Answer]] = {
    "abort": _abort,
    "retry": _begin_step_again,
    "promote": _promote,
    "promote-full": _promote_full,
}
