"""Reads and writes RolloutRecords: one write holds evidence, cursors and decisions, and comes before the status."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sluice.api.base import API_VERSION
from sluice.api.record import RECORD_KIND, Decision, RolloutOutcome, RolloutRecord
from sluice.api.status import ModelDeploymentStatus
from sluice.controller.memory import Kept, Memory
from sluice.core import variants
from sluice.core.plan import Entry, Event, EventType
from sluice.kube.api import RECORDS, KubeApi, Manifest
from sluice.resources.naming import LABEL_MODEL_DEPLOYMENT

# Evidence is stored this often, and before every decision.
CHECKPOINT = timedelta(seconds=10)
# What was decided so long ago was told, or is history: the record says it.
NEWS = timedelta(minutes=10)


@dataclass(frozen=True)
class Records:
    """The records of all ModelDeployments; `history` finished ones are kept of each."""

    api: KubeApi
    history: int = 20

    async def load(
        self, namespace: str, status: ModelDeploymentStatus, memory: Memory, now: datetime
    ) -> RolloutRecord | None:
        """Return the record of the rollout in progress, None when there is none.

        What a controller that died may not have told is told again: the name of an event follows from its content.
        """
        if status.record is None or (status.rollout is None and (memory.caught_up or not _recent(status, now))):
            return None
        if memory.kept is None or memory.kept.name != status.record:
            raw = await self.api.get(RECORDS, namespace, status.record)
            record = RolloutRecord.model_validate(raw) if raw else None
            memory.kept = Kept(status.record, record, raw["metadata"]["resourceVersion"] if raw else None, now)
            if not memory.caught_up and (last := _last(record, status)):
                memory.untold.append((_event(last), last.at))
            memory.caught_up = True
        return memory.kept.record if status.rollout else None

    async def write(self, namespace: str, name: str, entry: Entry, memory: Memory, now: datetime) -> None:
        """Store a record if it holds a decision, knows another pod, or was not stored for a while; else remember it.

        Where a pod's counters stood when it was first seen is known to nobody else.

        Raises:
            ConflictError: somebody else wrote it since it was read.
            KubeError: the write failed.
        """
        kept = memory.kept
        if kept is None or kept.name != entry.name:
            # It begins. One of its name that is there belongs to an attempt whose status never came to be.
            kept = Kept(entry.name, None, None, None)
        elif not entry.decided and kept.stored_at and now - kept.stored_at < CHECKPOINT and _same_pods(kept, entry):
            memory.kept = replace(kept, record=entry.record)
            return
        memory.kept = None  # whatever happens now, only an answer tells what is stored
        manifest = record_object(namespace, name, entry, kept.version)
        # Applied from the start: what another kind of write had set, an apply would never take away again.
        stored = await self.api.apply(RECORDS, manifest)
        memory.kept = Kept(entry.name, entry.record, stored["metadata"]["resourceVersion"], now)
        memory.caught_up = True

    async def prune(self, namespace: str, name: str) -> None:
        """Delete the oldest finished records beyond the history."""
        found = await self.api.list(RECORDS, namespace, f"{LABEL_MODEL_DEPLOYMENT}={name}")
        finished = [raw for raw in found if raw.get("status", {}).get("outcome") != RolloutOutcome.IN_PROGRESS]
        finished.sort(key=lambda raw: str(raw["spec"]["startedAt"]))
        for raw in finished[: max(0, len(finished) - self.history)]:
            await self.api.delete(RECORDS, namespace, raw["metadata"]["name"])


def record_object(namespace: str, name: str, entry: Entry, version: str | None) -> Manifest:
    """Render a record. It has no owner: an audit that dies with what it is about is none."""
    metadata: Manifest = {"name": entry.name, "namespace": namespace, "labels": {LABEL_MODEL_DEPLOYMENT: name}}
    if version is not None:
        metadata["resourceVersion"] = version
    return {
        "apiVersion": API_VERSION,
        "kind": RECORD_KIND,
        "metadata": metadata,
        "spec": entry.record.spec.to_kubernetes(),
        "status": entry.record.status.to_kubernetes(),
    }


def _same_pods(kept: Kept, entry: Entry) -> bool:
    return _pods(kept.record) == _pods(entry.record)


def _pods(record: RolloutRecord | None) -> set[tuple[str, str]]:
    """Return the pods whose counters a record knows, for each challenger."""
    return {(name, pod) for name, evidence in variants.stored(record).items() for pod in evidence.cursors}


def _recent(status: ModelDeploymentStatus, now: datetime) -> bool:
    progressing = status.condition("Progressing")
    return progressing is not None and now - progressing.last_transition_time < NEWS


def _last(record: RolloutRecord | None, status: ModelDeploymentStatus) -> Decision | None:
    held = [one for one in record.status.decisions if one.number == status.decisions] if record else []
    return held[0] if held and held[0].told else None


def _event(decision: Decision) -> Event:
    kind = EventType.WARNING if decision.warning else EventType.NORMAL
    return Event(kind, decision.reason, decision.message)
