"""Requests that both versions have answered: how often the answers differ, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Callable

from sluice.analysis import Arm, bounds
from sluice.api.pairs import Disagreement, Pairs
from sluice.api.record import Evidence
from sluice.api.spec import Alpha, ModelDeploymentSpec
from sluice.core.observation import Observation


def with_pairs(evidence: Evidence, seen: Observation) -> Evidence:
    """Return the evidence with what the collector counts now: all since the rollout began, or since it lost them."""
    return evidence.model_copy(update={"pairs": seen.pairs}) if isinstance(seen.pairs, Pairs) else evidence


def disagreement(spec: ModelDeploymentSpec, pairs: Pairs | None) -> Disagreement | None:
    """Return how often answers differ, None without pairs; a `maxDisagreement` is proven just where the bounds end."""
    if pairs is None or not pairs.comparable:
        return None
    alpha = spec.analysis.alpha
    seen = compared(pairs)
    found = bounds(seen, alpha_lower=alpha.harm, alpha_upper=alpha.safe)
    share = seen.errors / seen.requests
    said = _at_most(share, pairs, found.upper, alpha)
    return Disagreement(share=share, at_least=found.lower, at_most=found.upper, statement=said)


def compared(pairs: Pairs) -> Arm:
    """Return how many answers could be compared, and how many differ: nobody has to agree with a failure of stable."""
    return Arm(requests=pairs.comparable, errors=pairs.disagreements)


def agreement(spec: ModelDeploymentSpec, pairs: Pairs | None) -> str:
    """Say how well both agree, for example:

    answers differ in 2.1 % of 3,856 pairs (at most 3.2 % with 95 % confidence at any time); the candidate alone failed
    2, stable alone 0

    Labels of classes are not in it: messages go to Events, logs and chats.
    """
    found, counted = disagreement(spec, pairs), pairs or Pairs()
    return f"{found.statement}{_alone(counted)}" if found else _none(counted)


def difference(spec: ModelDeploymentSpec, pairs: Pairs | None) -> str:
    """Say how much both differ: as `agreement`, with the bound below."""
    found, counted = disagreement(spec, pairs), pairs or Pairs()
    if found is None:
        return _none(counted)
    bound = f"at least {_percent(found.at_least, math.floor)} {_sure(spec.analysis.alpha.harm)}"
    return f"{_differ(found.share, counted)} ({bound}){_alone(counted)}"


def _none(pairs: Pairs) -> str:
    if pairs.joined:
        return f"stable alone failed all of {pairs.joined:,} pairs: there is no answer to compare with"
    return "no pair yet"


def _at_most(share: float, pairs: Pairs, upper: float, alpha: Alpha) -> str:
    return f"{_differ(share, pairs)} (at most {_percent(upper, math.ceil)} {_sure(alpha.safe)})"


def _differ(share: float, pairs: Pairs) -> str:
    return f"answers differ in {_percent(share, round)} of {pairs.comparable:,} pairs"


def _alone(pairs: Pairs) -> str:
    return f"; the candidate alone failed {pairs.candidate_failed:,}, stable alone {pairs.stable_failed:,}"


def _sure(alpha: float) -> str:
    return f"with {100 * (1 - alpha):g} % confidence at any time"


def _percent(share: float, rounded: Callable[[float], float]) -> str:
    """Write a share with two digits, at most of a whole percent; a bound is rounded away from the share."""
    percent = 100 * share
    digits = 0 if percent >= 10 or not percent else 1 - math.floor(math.log10(percent))
    scale = 10.0**digits
    # The search for a bound, and a hundred times it, are off by less than this.
    slack = 1e-6 if rounded is math.floor else -1e-6 if rounded is math.ceil else 0
    written = f"{rounded(percent * scale + slack) / scale:.{digits}f}"
    return f"{written.rstrip('0').rstrip('.') if digits else written} %"
