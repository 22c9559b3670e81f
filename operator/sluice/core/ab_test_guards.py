"""The rules of an A/B test that come before the strategy: the candidate is worse, or there is no winner in time."""

from __future__ import annotations

from sluice.core import words
from sluice.core.experiments import hindrance, statement
from sluice.core.moves import inconclusive, no_winner, rolled_back
from sluice.core.situation import Outcome, Situation
from sluice.core.timing import seconds


def worse_proven(situation: Situation) -> Outcome | None:
    """A candidate that is proven to be worse by the test's own metric is rolled back at once."""
    rollout, judgement = situation.rollout, situation.judgement
    if rollout is None or judgement is None or judgement.test is None or not judgement.test.worse:
        return None
    if hindrance(situation.spec, situation.seen, situation.evidence.test):
        return None
    return rolled_back(situation, rollout, "ProvenWorse", statement(judgement.test))


def test_over(situation: Situation) -> Outcome | None:
    """At its longest a test ends: stable stays. What could not be measured is no result, and waits for a person."""
    rollout, stage, judgement = situation.rollout, situation.stage, situation.judgement
    if rollout is None or judgement is None or stage is None or stage.test is None or stage.pause is not None:
        return None
    over = situation.step_age - stage.test.max_duration
    if over <= seconds(0):
        return None
    silent = hindrance(situation.spec, situation.seen, situation.evidence.test)
    better = any(one.judgement and one.judgement.test and one.judgement.test.better for one in situation.challengers)
    if better and not silent:
        silent = words.unreachable(situation)  # only what guards the test is missing
    if silent and over <= seconds(situation.spec.progress_deadline_seconds):
        return None  # it may be back in a moment
    if silent or judgement.mismatch:
        return inconclusive(situation, rollout)
    won = any(one.judgement and one.judgement.passed for one in situation.challengers)
    return None if won else no_winner(situation, rollout)
