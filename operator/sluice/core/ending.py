"""How a rollout has ended, seen from the facts before and after."""

from __future__ import annotations

from sluice.api.record import RolloutOutcome
from sluice.api.status import ModelDeploymentStatus

# Why a revision is not tried again that was tested: it was not better, or it was and is not to be promoted by itself.
NO_WINNER, WINNER = "NoWinner", "Winner"
TESTED = {NO_WINNER: RolloutOutcome.NO_WINNER, WINNER: RolloutOutcome.WINNER}


def end_of(before: ModelDeploymentStatus, after: ModelDeploymentStatus) -> tuple[RolloutOutcome, str] | None:
    """Return outcome and cause if a rollout ended between two statuses."""
    began = before.rollout
    if began is None or (after.rollout is not None and after.rollout.started_at == began.started_at):
        return None
    if after.stable and after.stable.name == began.revision.name:
        return RolloutOutcome.PROMOTED, "Completed"
    tested = {began.revision.name, *(one.revision.name for one in began.variants)}
    if any(entry.revision.name in tested and entry.reason == WINNER for entry in after.rejected):
        return RolloutOutcome.WINNER, WINNER
    for entry in after.rejected:
        if entry.revision.name == began.revision.name:
            return TESTED.get(entry.reason, RolloutOutcome.ROLLED_BACK), entry.reason
    return RolloutOutcome.SUPERSEDED, "NewerRevision"
