"""What the controller keeps between two looks at one ModelDeployment; losing it costs requests, never truth."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sluice.api.status import Evidence, ModelDeploymentStatus
from sluice.core.plan import Event
from sluice.kube.api import Manifest

# Evidence is written this often at most, and before every decision: a write per second would wake every watcher.
CHECKPOINT = timedelta(seconds=5)


@dataclass(frozen=True)
class Told:
    """A status and the events that tell of it."""

    status: ModelDeploymentStatus
    events: tuple[Event, ...]
    at: datetime


@dataclass
class Memory:
    """The status one ahead of the written one, and what was applied last."""

    status: ModelDeploymentStatus | None = None
    written: ModelDeploymentStatus | None = None
    written_raw: dict[str, Any] | None = None
    written_at: datetime | None = None
    tried: Told | None = None
    untold: list[tuple[Event, datetime]] = field(default_factory=list)
    applied: dict[tuple[str, str], tuple[Manifest, str]] = field(default_factory=dict)
    frozen: dict[str, Manifest] = field(default_factory=dict)

    def current(self, raw: dict[str, Any]) -> ModelDeploymentStatus:
        """Return the newest status: ours, unless somebody else wrote another since."""
        if self.status is not None and raw == self.written_raw:
            return self.status
        self.written = self.status = ModelDeploymentStatus.model_validate(raw)
        self.written_raw = raw
        if self.tried and self.tried.status.to_kubernetes() == self.status.to_kubernetes():
            self._landed(self.tried)
        self.tried = None
        return self.status

    def tries(self, status: ModelDeploymentStatus, events: tuple[Event, ...], now: datetime) -> None:
        """Note what is about to be written: without an answer only the next look shows whether it was stored."""
        self.tried = Told(status, events, now)

    def worth_writing(self, status: ModelDeploymentStatus, now: datetime) -> bool:
        """Say whether people or the next controller would miss something if this were not written now."""
        if self.written is None or _facts(status) != _facts(self.written):
            return True
        due = self.written_at is None or now - self.written_at >= CHECKPOINT
        return due and status != self.written

    def wrote(self, status: ModelDeploymentStatus, raw: dict[str, Any], now: datetime) -> None:
        """Note a status as written; `raw` is how the API server has stored it."""
        self.status = self.written = status
        self.written_raw, self.written_at = raw, now
        if self.tried:
            self._landed(self.tried)
        self.tried = None

    def _landed(self, told: Told) -> None:
        self.untold.extend((event, told.at) for event in told.events)

    def is_applied(self, key: tuple[str, str], manifest: Manifest, live: Manifest | None) -> bool:
        """Say whether the live object is still as it was after we applied this very manifest."""
        if live is None or key not in self.applied:
            return False
        return self.applied[key] == (manifest, live["metadata"]["resourceVersion"])


def _facts(status: ModelDeploymentStatus) -> dict[str, Any]:
    """Return the status without what changes with every request counted."""
    plain = status
    if status.rollout:
        plain = status.model_copy(update={"rollout": status.rollout.model_copy(update={"evidence": Evidence()})})
    conditions = tuple(c.model_copy(update={"message": ""}) for c in status.conditions)
    return plain.model_copy(update={"message": None, "conditions": conditions}).to_kubernetes()
