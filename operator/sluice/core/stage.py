"""One stage of a rollout, whatever the strategy: what the candidate gets, and what has to happen there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from sluice.api.ab_test import ABTest
from sluice.api.gates import Gates
from sluice.api.strategy import Mirror, Pause, StepAnalysis, Verify


@dataclass(frozen=True)
class Stage:
    """Without anything to wait for the stage is done when pods and traffic are as it wants them.

    Attributes:
        title: for people.
        weight: percent of the traffic for the candidate.
        pods: ready pods that the candidate needs.
        pause, analysis, verify, gates: what it waits for, at most one of them, or of them and `mirror` or `test`.
        previewed: whether it has to be reached at its preview address.
        mirror: the copies of requests that it gets, and what they have to prove; while pausing only what they may not.
        targeted: whether requests that match have to reach it.
        test: the A/B test that it takes part in; while pausing only what it may not do.
    """

    title: str
    weight: int
    pods: int
    pause: Pause | None = None
    analysis: StepAnalysis | None = None
    verify: Verify | None = None
    previewed: bool = False
    mirror: Mirror | None = None
    targeted: bool = False
    gates: Gates | None = None
    test: ABTest | None = None

    @property
    def proves(self) -> bool:
        """Whether it waits for a proof, which may never come."""
        return self.pause is None and any((self.analysis, self.verify, self.mirror, self.test))

    @property
    def lasts(self) -> timedelta:
        """How long at least, however early the proof comes."""
        if not self.proves:
            return timedelta(0)
        if self.test:
            return self.test.min_duration
        return (self.mirror and self.mirror.duration) or timedelta(0)

    @property
    def waits(self) -> bool:
        """Whether it waits for time, a proof, an answer or a person, so that a person may end it."""
        return self.pause is not None or self.gates is not None or self.proves
