"""How traffic comes to a candidate, whatever the strategy."""

from __future__ import annotations

from sluice.api.status import Rollout, Verdict
from sluice.core import sharing, variants, words
from sluice.core.moves import normal, with_weight
from sluice.core.replicas import pods_for
from sluice.core.situation import Outcome, Situation
from sluice.core.timing import READY_SECONDS


def shift(situation: Situation, rollout: Rollout, target: int) -> Outcome | None:
    """Give the candidate `target` percent; None when that is live on the gateway. Its pods must be ready for it."""
    if rollout.weight != target:
        facts = with_weight(situation, rollout, target)
        gets = f"{words.version(rollout.revision)} gets {target} % of the traffic{_as_pods(situation, target)}"
        if situation.rivals:
            gets = f"{variants.list_of(variants.living(rollout))} get their shares of the traffic"
        event = normal("WeightSet", gets)
        return Outcome(facts, "ShiftingTraffic", event.message, Verdict.RUNNING, (event,), requeue_after=READY_SECONDS)
    if situation.live_weight != target:
        route = situation.seen.route
        why = f": {route.message}" if route and route.accepted is False else ""
        message = f"waiting for {words.way_in(situation)} to take the weight of {target} %{why}"
        if situation.spec.by_pods and sharing.shared(target):
            message = sharing.obstacle(situation.spec, situation.status, situation.seen) or message
        return Outcome(situation.status, "ShiftingTraffic", message, Verdict.RUNNING, requeue_after=READY_SECONDS)
    return None


def _as_pods(situation: Situation, target: int) -> str:
    """Say what a weight comes to, where pods are the split."""
    if not situation.spec.by_pods or not sharing.shared(target):
        return ""
    mine = pods_for(situation.spec, target)
    return f", as far as pods can split it: {mine} of {mine + situation.spec.desired_replicas}"
