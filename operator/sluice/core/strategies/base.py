"""What a strategy has to answer; everything else is common to all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from sluice.api.spec import ModelDeploymentSpec, Step
from sluice.api.status import Rollout

if TYPE_CHECKING:
    from sluice.core.situation import Outcome, Situation


class Strategy(Protocol):
    """How a candidate takes over."""

    def step(self, spec: ModelDeploymentSpec, rollout: Rollout) -> Step | None:
        """Return the step a rollout is at, None when it is being promoted."""

    def target_weight(self, spec: ModelDeploymentSpec, rollout: Rollout) -> int:
        """Return the percent of the traffic that the rollout aims at now; the candidate's pods follow it."""

    def begun(self, spec: ModelDeploymentSpec, index: int) -> str:
        """Identify the steps up to and including this one, so that a change of them is noticed."""

    def title(self, spec: ModelDeploymentSpec, rollout: Rollout) -> str:
        """Say in a few letters where the rollout stands, for the STEP column."""

    def next(self, situation: Situation) -> Outcome:
        """Move the rollout on, or say what it waits for."""
