"""The sentences people read: what is it doing, why, and what can I do?"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from sluice.analysis import Slowness
from sluice.analysis.latency import ENOUGH
from sluice.api.record import Evidence
from sluice.api.status import Counts, ModelDeploymentStatus, Revision
from sluice.core.evidence import Judgement
from sluice.core.observation import RevisionState, Severity, Trouble

if TYPE_CHECKING:
    from sluice.core.situation import Situation


PARKED = "spec.replicas is 0, and nothing is known of a version without pods; raise it to go on"


def version(revision: Revision | None) -> str:
    """Name a revision as people know it, for example `penguins/7`."""
    return f"{revision.model_name}/{revision.model_version}" if revision else "nothing"


def nobody_serves(status: ModelDeploymentStatus, now: datetime) -> str:
    """Say since when no version serves, and why."""
    since = status.down_since or now
    why = f"{version(status.stable)} was stopped for a recreate"
    return f"no version serves since {since:%H:%M:%S} UTC: {why}"


def serving(situation: Situation) -> str:
    """Say who serves; that nobody does is said elsewhere, and must not be contradicted."""
    name = version(situation.status.stable)
    return f"{name} serves all traffic" if situation.stable.ready else f"all traffic belongs to {name}"


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


def lacks_pods(state: RevisionState, wanted: int, weight: int) -> str | None:
    """Say how many pods are missing for a weight and why; None when there are enough."""
    return waiting_for_pods(state, state.ready, wanted, weight) if state.ready < wanted else None


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
    cursors = situation.evidence.cursors
    if all(pod.uid in cursors for pod in situation.candidate.pods if pod.ready and not pod.terminating):
        return None
    return unreachable(situation) or "waiting for the first look at the counters of the candidate's pods"


def waiting_for_evidence(situation: Situation) -> str:
    """Say what an analysis step still lacks; no data, too little and unreadable are different things."""
    rollout, judgement, evidence = situation.rollout, situation.judgement, situation.evidence
    if rollout is None or judgement is None:
        return "no analysis"
    if silent := unreachable(situation):
        return silent
    if nothing := _nothing_to_compare(evidence, rollout.weight):
        return nothing
    if judgement.mismatch:
        return (
            "the gateway does not split the traffic as the weights say (sample-ratio mismatch), so nothing can be "
            f"concluded; {counts(evidence.total)}"
        )
    progress = f"harm {percent(judgement.harm)}, safe {_safe(judgement)} of a proof"
    if judgement.safe < 1 and (missing := _durations_missing(situation)):
        progress += f"; {missing}"
    if judgement.requests < judgement.min_requests:
        return (
            f"too little traffic yet: {judgement.requests} of at least {judgement.min_requests} candidate requests "
            f"at {rollout.weight} %; {progress}; {counts(evidence.at_weight)}"
        )
    return f"analyzing at {rollout.weight} %: {progress}; {counts(evidence.total)}"


def harm(situation: Situation, judgement: Judgement) -> str:
    """Say what is worse by how much: of the metric for which there is most evidence."""
    worst = max(judgement.metrics, key=lambda standing: standing.harm)
    metric = next(metric for metric in situation.spec.analysis.metrics if metric.name == worst.name)
    if metric.latency and worst.slower:
        slack = metric.latency.margin_absolute
        late = worst.slower.canary <= worst.slower.stable + slack  # it became slow after many that were not
        return (
            f"slower{' of late; in total' if late else ':'} {slowness(worst.slower)}; tolerated: {points(slack)} more"
        )
    rate = metric.error_rate
    tolerated = (
        f"; tolerated: {rate.margin_ratio:g} x stable's rate, or {rate.margin_absolute:g} above it" if rate else ""
    )
    return f"error rate: {counts(situation.evidence.total)}{tolerated}"


def slowness(seen: Slowness) -> str:
    """Say how many of the candidate's answers take longer than tolerated, beside stable's."""
    return (
        f"{_share(seen.canary)} of the candidate's answers took longer than {seen.ratio:g} x {duration(seen.seconds)}, "
        f"{_share(seen.stable)} of stable's longer than {duration(seen.seconds)}"
    )


def duration(seconds: float) -> str:
    """Return a duration as people write it."""
    number, unit = (seconds, "s") if seconds >= 1 else (seconds * 1000, "ms")
    return f"{number:.0f} {unit}" if number >= 100 else f"{number:.2g} {unit}"


def points(share: float) -> str:
    """Return a difference of shares in percentage points."""
    return f"{100 * share:g} points"


def _share(share: float) -> str:
    return f"{100 * share:.0f} %" if share >= 0.1 else f"{100 * share:.2g} %"


def _safe(judgement: Judgement) -> str:
    """Say how much of a proof there is, of each metric when there are several."""
    if len(judgement.metrics) < 2:
        return percent(judgement.safe)
    return ", ".join(f"{one.name} {percent(one.safe)}" for one in judgement.metrics)


def _durations_missing(situation: Situation) -> str | None:
    """Say why durations are not compared yet, if so."""
    if not any(metric.latency for metric in situation.spec.analysis.metrics):
        return None
    names = {pod.uid: pod.name for state in (situation.stable, situation.candidate) for pod in state.pods}
    counters = situation.seen.scrape.counters
    for uid, name in names.items():
        if uid in counters and counters[uid].durations is None:
            return f"pod {name} tells no durations: its model server is of another version"
    if not situation.evidence.cuts:
        return f"durations are compared when stable has answered {ENOUGH} requests; a pod's first seconds do not count"
    judgement = situation.judgement
    if judgement and any(one.lacks and one.lacks.answers == 0 for one in judgement.metrics):
        return "no durations of the candidate yet; a pod's first seconds do not count"
    return None


def _nothing_to_compare(evidence: Evidence, weight: int) -> str | None:
    seen = evidence.at_weight
    if seen.candidate_requests == 0 and seen.stable_requests == 0:
        return f"no data: no request came through the gateway since the weight became {weight} %"
    if seen.stable_requests == 0:
        return f"nothing to compare with: stable has answered no request since the weight became {weight} %"
    if weight == 100:
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


def awaiting_promotion(situation: Situation) -> str:
    """Say that a person has to decide, and on what grounds."""
    rollout = situation.rollout
    name = rollout.revision.name if rollout else ""
    seen = counts(situation.evidence.total)
    return (
        f"paused at {rollout.weight if rollout else 0} % until somebody promotes: annotate with "
        f"sluice.dev/promote={name} to go on, sluice.dev/abort={name} to roll back; so far {seen}"
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
