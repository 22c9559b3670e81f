"""What a strategy has to answer; everything else is common to all of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from sluice.api.spec import ModelDeploymentSpec
from sluice.api.status import ModelDeploymentStatus, Rollout
from sluice.core.observation import Observation
from sluice.core.stage import Stage

if TYPE_CHECKING:
    from sluice.core.situation import Outcome, Situation


class Strategy(Protocol):
    """How a candidate takes over."""

    def stage(self, spec: ModelDeploymentSpec, rollout: Rollout) -> Stage | None:
        """Return the stage a rollout is at, None when it is being promoted or there are none."""

    def begun(self, spec: ModelDeploymentSpec, index: int) -> str:
        """Identify the steps up to and including this one, so that a change of them is noticed."""

    def title(self, spec: ModelDeploymentSpec, rollout: Rollout) -> str:
        """Say in a few letters where the rollout stands, for the STEP column."""

    def pods(
        self, spec: ModelDeploymentSpec, facts: ModelDeploymentStatus, seen: Observation, now: datetime
    ) -> Mapping[str, int]:
        """Return the pods wanted of stable and of the candidate, by revision."""

    def stopped(self, rollout: Rollout) -> bool:
        """Say whether stable's pods have made room for the candidate's: then nobody serves, and nothing may wait."""

    def carries(self, spec: ModelDeploymentSpec, rollout: Rollout, ready: int) -> int:
        """Return the largest weight in percent that so many ready pods of the candidate may have."""

    def lacks(self, situation: Situation) -> str | None:
        """Say what the candidate still needs for its present step, None when it has all of it."""

    def next(self, situation: Situation) -> Outcome:
        """Move the rollout on, or say what it waits for."""
