"""The sentences people read: what is it doing, why, and what can I do?"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

from sluice.api.status import Counts, ModelDeploymentStatus, Revision
from sluice.core.experiments import hindrance, of_units
from sluice.core.observation import RevisionState, Severity, Silent, Trouble
from sluice.core.pairs import agreement
from sluice.core.replicas import in_the_way

if TYPE_CHECKING:
    from sluice.core.situation import Situation


# As the scheduler and the quota say that there is no room, unlike a node that no pod of this kind may have.
NO_ROOM = re.compile(r"Insufficient [\w./-]+|Too many pods|exceeded quota")
PARKED = "spec.replicas is 0, and nothing is known of a version without pods; raise it to go on"


def version(revision: Revision | None) -> str:
    """Name a revision as people know it, for example `penguins/7`."""
    return revision.title if revision else "nothing"


def way_in(situation: Situation) -> str:
    """Name what leads requests to the versions."""
    return f"Service {situation.seen.name}" if situation.spec.by_pods else "the gateway"


def nobody_serves(status: ModelDeploymentStatus, now: datetime) -> str:
    """Say since when no version serves, and why."""
    since = status.down_since or now
    why = f"{version(status.stable)} was stopped for a recreate"
    return f"no version serves since {since:%H:%M:%S} UTC: {why}"


def on_the_way_back(situation: Situation) -> str:
    """Say what stable waits for after a recreate in vain, and since when nobody serves."""
    stable, replicas = situation.stable, situation.spec.desired_replicas
    if stable.replicas == 0 and (left := in_the_way(situation.status, situation.seen)):
        waits = f"{version(situation.status.stable)} waits for {left} pods to end"
    else:
        waits = f"{version(situation.status.stable)}: {waiting_for_pods(stable, stable.ready, replicas)}"
    return f"{waits}; {nobody_serves(situation.status, situation.now)}"


def serving(situation: Situation) -> str:
    """Say who serves; that nobody does is said elsewhere, and must not be contradicted."""
    name = version(situation.status.stable)
    return f"{name} serves all traffic" if situation.stable.ready else f"all traffic belongs to {name}"


def counts(total: Counts, units: str = "requests") -> str:
    """Say what was counted."""
    what = "errors in" if units == "requests" else "failed of"
    return (
        f"candidate {total.candidate_errors} {what} {total.candidate_requests} {units}, "
        f"stable {total.stable_errors} {what.split()[1]} {total.stable_requests}"
    )


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


def way_out(situation: Situation) -> str:
    """Say what helps where the cluster has no room for a candidate beside stable, if that is what is missing."""
    trouble = trouble_of(situation.candidate)
    beside = situation.status.stable is not None and situation.spec.strategy.recreate is None
    if not beside or trouble is None or not NO_ROOM.search(trouble.message):
        return ""
    return (
        "; there is no room for it beside stable: add nodes, ask for less (server.resources, replicas), or, if only "
        "one version fits, take strategy recreate, which stops the old one first (nobody serves meanwhile)"
    )


def not_previewed(situation: Situation) -> str | None:
    """Say that the candidate can't be reached at its preview address yet, if so."""
    preview, name = situation.seen.preview, situation.rollout.revision.name if situation.rollout else ""
    if preview and preview.accepted and preview.weights.get(name) == 100:
        return None if preview.settled else "waiting until all proxies know the preview"
    if preview and preview.accepted is False:
        return f"the preview is refused by the gateway ({preview.message})"
    return "waiting for the gateway to take the preview"


def preview_address(situation: Situation) -> str:
    """Say where the candidate can be tested."""
    blue_green, traffic = situation.spec.strategy.blue_green, situation.spec.traffic
    preview = blue_green.preview if blue_green else None
    if preview is None or traffic is None:
        return ""
    hosts = ", ".join(preview.hostnames or traffic.hostnames)
    return f"; test it at {hosts}{preview.path_prefix or traffic.path_prefix}"


def reached(situation: Situation) -> str:
    """Say that pods and traffic are as the stage wants them."""
    rollout = situation.rollout
    name = version(rollout.revision) if rollout else "nothing"
    if situation.rivals:
        names = (version(one.rollout.revision) for one in situation.challengers if one.rollout)
        return f"{' and '.join(names)} are ready, without traffic"
    if situation.stage and situation.stage.targeted:
        return f"{name} has the requests that match"
    if rollout is None or rollout.weight == 0:
        return f"{name} is ready, without traffic{preview_address(situation)}"
    return f"{rollout.weight} % of the traffic goes to {name}"


def unreachable(situation: Situation) -> str | None:
    """Say that what the stage looks at can't be read, if so: the pods' metrics, or the collector's counts."""
    stage, pairs = situation.stage, situation.seen.pairs
    if stage and stage.mirror:
        return f"{pairs.why}; the evidence waits for it" if isinstance(pairs, Silent) else None
    if stage and stage.test and (why := hindrance(situation.spec, situation.seen, situation.evidence.test)):
        return why
    # After a switch stable has no traffic, and is compared with nothing.
    matter = (situation.candidate,) if stage and stage.verify else situation.seen.revisions.values()
    names = {pod.uid: pod.name for state in matter for pod in state.pods}
    silent = {uid: why for uid, why in situation.seen.scrape.unreachable.items() if uid in names}
    if not silent:
        return None
    uid, why = next(iter(silent.items()))
    others = f" and {len(silent) - 1} more" if len(silent) > 1 else ""
    return f"the metrics of pod {names.get(uid, uid)}{others} can't be read ({why}); the evidence waits for them"


def unread(situation: Situation) -> str | None:
    """Say that the counters of the candidate's ready pods were not read yet, if so; it gets no traffic unseen."""
    cursors = situation.evidence.cursors
    if all(pod.uid in cursors for pod in situation.candidate.pods if pod.ready and not pod.terminating):
        return None
    return unreachable(situation) or "waiting for the first look at the counters of the candidate's pods"


def to_promote(revision: Revision) -> str:
    """Say how a version is promoted that has won its test."""
    return f"annotate with sluice.dev/promote={revision.name} to give it all traffic"


def awaiting_promotion(situation: Situation) -> str:
    """Say that a person has to decide, and on what grounds."""
    rollout = situation.rollout
    name = rollout.revision.name if rollout else ""
    weight = rollout.weight if rollout else 0
    counted = counts(situation.evidence.total, of_units(situation.spec))
    so_far = f"; so far {counted}" if weight else preview_address(situation)
    if situation.stage and situation.stage.mirror:
        so_far = f"; {agreement(situation.spec, situation.evidence.pairs)}"
    if situation.stage and situation.stage.test and rollout and (test := rollout.evidence.test):
        so_far = f"; {test.statement}"
    return (
        f"paused at {weight} % until somebody promotes: annotate with sluice.dev/promote={name} to go on, "
        f"sluice.dev/abort={name} to roll back{so_far}"
    )
