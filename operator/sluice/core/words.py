"""The sentences people read: what is it doing, why, and what can I do?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sluice.api.status import Counts, Revision, Rollout
from sluice.core.observation import RevisionState, Severity, Trouble

if TYPE_CHECKING:
    from sluice.core.situation import Situation


PARKED = "spec.replicas is 0, and nothing is known of a version without pods; raise it to go on"


def version(revision: Revision | None) -> str:
    """Name a revision as people know it, for example `penguins/7`."""
    return f"{revision.model_name}/{revision.model_version}" if revision else "nothing"


def counts(total: Counts) -> str:
    """Say what was counted."""
    return (
        f"candidate {total.candidate_errors} errors in {total.candidate_requests} requests, "
        f"stable {total.stable_errors} in {total.stable_requests}"
    )


def percent(share: float) -> str:
    """Write a share of a proof; a proof is 100 %."""
    return f"{min(100, int(100 * share))} %"


def trouble_of(state: RevisionState, severity: Severity | None = None) -> Trouble | None:
    """Return the gravest trouble of a revision's pods."""
    troubles = [pod.trouble for pod in state.pods if pod.trouble and not pod.terminating]
    if state.trouble:
        troubles.append(state.trouble)
    if severity:
        troubles = [trouble for trouble in troubles if trouble.severity is severity]
    return min(troubles, key=lambda trouble: trouble.severity is not Severity.FATAL, default=None)


def waiting_for_pods(state: RevisionState, ready: int, wanted: int, weight: int | None = None) -> str:
    """Say how many pods are missing and why."""
    trouble = trouble_of(state)
    purpose = f" for {weight} % of the traffic" if weight else ""
    return f"{ready} of {wanted} pods ready{purpose}" + (f"; {trouble.reason}: {trouble.message}" if trouble else "")


def unreachable(situation: Situation) -> str | None:
    """Say that the pods' metrics can't be read, if so."""
    silent = situation.seen.scrape.unreachable
    if not silent:
        return None
    names = {pod.uid: pod.name for state in situation.seen.revisions.values() for pod in state.pods}
    uid, why = next(iter(silent.items()))
    others = f" and {len(silent) - 1} more" if len(silent) > 1 else ""
    return f"the metrics of pod {names.get(uid, uid)}{others} can't be read ({why}); the evidence waits for them"


def unread(situation: Situation) -> str | None:
    """Say that the counters of the candidate's ready pods were not read yet, if so; it gets no traffic unseen."""
    rollout = situation.rollout
    cursors = rollout.evidence.cursors if rollout else {}
    if all(pod.uid in cursors for pod in situation.candidate.pods if pod.ready and not pod.terminating):
        return None
    return unreachable(situation) or "waiting for the first look at the counters of the candidate's pods"


def waiting_for_evidence(situation: Situation) -> str:
    """Say what an analysis step still lacks; no data, too little and unreadable are different things."""
    rollout, judgement = situation.rollout, situation.judgement
    if rollout is None or judgement is None:
        return "no analysis"
    if silent := unreachable(situation):
        return silent
    seen = rollout.evidence.at_weight
    if nothing := _nothing_to_compare(rollout):
        return nothing
    if judgement.mismatch:
        return (
            "the gateway does not split the traffic as the weights say (sample-ratio mismatch), so nothing can be "
            f"concluded; {counts(rollout.evidence.total)}"
        )
    progress = f"harm {percent(judgement.harm)}, safe {percent(judgement.safe)} of a proof"
    if judgement.requests < judgement.min_requests:
        return (
            f"too little traffic yet: {judgement.requests} of at least {judgement.min_requests} candidate requests "
            f"at {rollout.weight} %; {progress}; {counts(seen)}"
        )
    return f"analyzing at {rollout.weight} %: {progress}; {counts(rollout.evidence.total)}"


def _nothing_to_compare(rollout: Rollout) -> str | None:
    seen = rollout.evidence.at_weight
    if seen.candidate_requests == 0 and seen.stable_requests == 0:
        return f"no data: no request came through the gateway since the weight became {rollout.weight} %"
    if seen.stable_requests == 0:
        return f"nothing to compare with: stable has answered no request since the weight became {rollout.weight} %"
    if rollout.weight == 100:
        return "at 100 % there is nothing to compare with: analyze at a smaller weight"
    return None


def inconclusive(situation: Situation) -> str:
    """Say why nothing was proven, and what a person can do."""
    name = situation.rollout.revision.name if situation.rollout else ""
    return (
        f"neither harm nor safety proven within {situation.spec.progress_deadline_seconds} s; held. "
        f"{_capital(waiting_for_evidence(situation))}. Annotate with sluice.dev/promote={name} to go on, "
        f"sluice.dev/retry={name} for another try, sluice.dev/abort={name} to roll back"
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
