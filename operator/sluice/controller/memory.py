"""What the controller keeps between two looks at one ModelDeployment; losing it costs requests, never truth."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Hashable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sluice.api.record import RolloutRecord
from sluice.api.status import ModelDeploymentStatus, Summary
from sluice.controller.repairs import Repair
from sluice.core.observation import TestResults, WriteBack
from sluice.core.plan import Event
from sluice.kube.api import Manifest
from sluice.kube.ownership import holds
from sluice.traffic import gateway_api, policy
from sluice.traffic.slots import SETTLING

# What people read is written this often at most while only counts change: a write per second would wake every watcher.
CHECKPOINT = timedelta(seconds=5)

# Whoever fights with us over a field makes no more events than this.
TOLD_AGAIN = timedelta(seconds=60)


@dataclass(frozen=True)
class Told:
    """A status and the events that tell of it."""

    status: ModelDeploymentStatus
    events: tuple[Event, ...]
    at: datetime
    before: ModelDeploymentStatus


@dataclass(frozen=True, slots=True)
class Applied:
    """What we applied, as a digest, and how the API server numbered what it made of it."""

    digest: bytes
    version: str
    generation: int | None


@dataclass(frozen=True)
class Kept:
    """A RolloutRecord, one ahead of the stored one: `version` is the stored one's resourceVersion, None: not there."""

    name: str
    record: RolloutRecord | None
    version: str | None
    stored_at: datetime | None


@dataclass(frozen=True)
class Taken:
    """A route, Service or policy that was seen to have been taken as it is, which `mark` says, and since when."""

    mark: Hashable
    since: datetime


@dataclass(frozen=True)
class Heard:
    """What the collector has said of a test, and when: it counts all of it anew whenever it is asked."""

    test: str
    results: TestResults
    at: datetime


@dataclass(slots=True)
class Memory:
    """The status one ahead of the written one, and what was applied last.

    `policy_refused`: why the policy that makes users stick to a version could not be written, in a sentence.
    `route_waits`: the route is on its way to what it is to be, and has a step to go when the last one has settled.
    `caught_up`: what a controller before us may not have told of the last rollout was told.
    """

    status: ModelDeploymentStatus | None = None
    written: ModelDeploymentStatus | None = None
    written_digest: bytes = b""
    written_at: datetime | None = None
    kept: Kept | None = None
    caught_up: bool = False
    write_back: WriteBack | None = None
    write_back_at: datetime | None = None
    tried: Told | None = None
    untold: list[tuple[Event, datetime]] = field(default_factory=list)
    stored: list[tuple[ModelDeploymentStatus, ModelDeploymentStatus]] = field(default_factory=list)
    applied: dict[tuple[str, str], Applied] = field(default_factory=dict)
    frozen: dict[str, Manifest] = field(default_factory=dict)
    repairs: list[Repair] = field(default_factory=list)
    told_of: dict[str, datetime] = field(default_factory=dict)
    policy_refused: str | None = None
    route_waits: bool = False
    taken: dict[str, Taken] = field(default_factory=dict)  # by UID
    heard: Heard | None = None

    def current(self, raw: dict[str, Any]) -> ModelDeploymentStatus:
        """Return the newest status: ours, unless somebody else wrote another since."""
        digest = _digest(raw)
        ours = digest == self.written_digest
        if ours and self.status is not None:
            return self.status
        self.written = self.status = ModelDeploymentStatus.model_validate(raw)
        if ours:
            return self.status
        self.written_digest = digest
        self.kept, self.caught_up = None, False
        if self.tried and self.tried.status.to_kubernetes() == self.status.to_kubernetes():
            self._landed(self.tried)
        self.tried = None
        return self.status

    def tries(self, status: ModelDeploymentStatus, events: tuple[Event, ...], now: datetime) -> None:
        """Note what is about to be written: without an answer only the next look shows whether it was stored."""
        self.tried = Told(status, events, now, self.written or ModelDeploymentStatus())

    def worth_writing(self, status: ModelDeploymentStatus, now: datetime) -> bool:
        """Say whether people or the next controller would miss something if this were not written now."""
        if self.written is None or _facts(status) != _facts(self.written):
            return True
        due = self.written_at is None or now - self.written_at >= CHECKPOINT
        return due and status != self.written

    def owed(self, now: datetime) -> float:
        """Return in how many seconds there are words to be written that were not worth it yet; never: infinity."""
        if self.status == self.written or self.written_at is None:
            return math.inf
        return max(0.0, (self.written_at + CHECKPOINT - now).total_seconds())

    def wrote(self, status: ModelDeploymentStatus, raw: dict[str, Any], now: datetime) -> None:
        """Note a status as written; `raw` is how the API server has stored it."""
        self.status = self.written = status
        self.written_digest, self.written_at = _digest(raw), now
        if self.write_back and self.write_back.error is None:
            self.write_back = None  # the status says so now; later another operator may have set it to something else
        if self.tried:
            self._landed(self.tried)
        self.tried = None

    def rest(self) -> None:
        """Let go what can be read again: most ModelDeployments are idle, and look rarely.

        Evidence that is not stored yet is counted again, from where the stored cursors stand.
        """
        if self.status == self.written and not (self.tried or self.stored):
            self.status = self.written = self.kept = None
            self.frozen.clear()

    def _landed(self, told: Told) -> None:
        self.stored.append((told.before, told.status))
        self.untold.extend((event, told.at) for event in told.events)

    def tell_repairs(self, now: datetime) -> None:
        """Tell of what was repaired; of what has to be repaired again and again only once in a while."""
        self.told_of = {what: at for what, at in self.told_of.items() if now - at < TOLD_AGAIN}
        for repair in self.repairs:
            if repair.what not in self.told_of:
                self.told_of[repair.what] = now
                self.untold.append((repair.event, now))
        self.repairs.clear()

    def has_settled(self, route: Manifest | None, now: datetime) -> bool:
        """Say whether the gateway has taken a route long enough ago for all its proxies to know it."""
        return route is not None and self._is_known(route, now, taken=gateway_api.read(route).accepted is True)

    def sticks(self, live: Manifest | None, gateway: str, now: datetime) -> bool:
        """Say whether the gateway has taken a policy long enough ago for all its proxies to know it."""
        return live is not None and self._is_known(live, now, taken=policy.in_force(live, gateway) is True)

    def _is_known(self, live: Manifest, now: datetime, *, taken: bool) -> bool:
        if not taken:
            return False
        return self.has_stood(live, live["metadata"]["generation"], now)

    def has_stood(self, taken: Manifest, mark: Hashable, now: datetime) -> bool:
        """Say whether what is taken, as `mark` says it is, has been seen so for long enough."""
        uid = taken["metadata"]["uid"]
        known = self.taken.get(uid)
        if known is None or known.mark != mark:
            known = self.taken[uid] = Taken(mark, now)
        return now - known.since >= SETTLING

    def applies(self, key: tuple[str, str], manifest: Manifest, stored: Manifest) -> None:
        """Note what was applied, and what is stored now."""
        meta = stored["metadata"]
        self.applied[key] = Applied(_digest(manifest), meta["resourceVersion"], meta.get("generation"))

    def is_applied(self, key: tuple[str, str], manifest: Manifest, live: Manifest | None) -> bool:
        """Say whether the live object is still as it was after we applied this very manifest.

        A status that others write gives it another version; its generation stays the same until the spec changes. Who
        has just begun knows nothing of that; the API server's own book tells him.
        """
        known = self.applied.get(key)
        if live is not None and known is None and holds(live, manifest) and not gateway_api.additions(manifest, live):
            self.applies(key, manifest, live)
            return True
        if live is None or known is None or known.digest != _digest(manifest):
            return False
        meta = live["metadata"]
        if meta["resourceVersion"] == known.version:
            return True
        if known.generation is None:  # as an autoscaler, which has a status all the same
            return holds(live, manifest)
        return meta.get("generation") == known.generation and _within(manifest["metadata"], meta)


def _digest(content: Manifest) -> bytes:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).digest()


def _within(wanted: Any, found: Any) -> bool:
    """Say whether everything that is wanted is there, whatever else is."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(_within(value, found.get(key)) for key, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(found, list) and all(any(_within(item, other) for other in found) for item in wanted)
    return bool(wanted == found)


def _facts(status: ModelDeploymentStatus) -> dict[str, Any]:
    """Return the status without what changes with every request counted."""
    plain = status
    if status.rollout:
        beside = tuple(one.model_copy(update={"evidence": Summary()}) for one in status.rollout.variants)
        rollout = status.rollout.model_copy(update={"evidence": Summary(), "variants": beside})
        plain = status.model_copy(update={"rollout": rollout})
    conditions = tuple(c.model_copy(update={"message": ""}) for c in status.conditions)
    return plain.model_copy(update={"message": None, "conditions": conditions}).to_kubernetes()
