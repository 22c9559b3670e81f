"""One leader among the operators, by a Lease of coordination.k8s.io.

Two rules make it safe without comparing anybody's clocks (the rules of Kubernetes' own controllers). Who leads counts
from the moment it *asked* for its last renewal, and stops `renew` seconds later. Who waits counts from the moment it
*saw* the record change, and takes over `lease` seconds later. What was asked for comes before what is seen, and
`renew` is shorter than `lease`: so one has stopped before the other begins, as long as both clocks run at about the
same speed.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import inf
from typing import Protocol

from sluice.kube.api import LEASES, Manifest, Resource
from sluice.kube.errors import KubeError

log = logging.getLogger(__name__)

MICROSECOND = timedelta(microseconds=1)
TIME_FORMAT = "%Y-%m-%dT%H:%M:%S.%fZ"


@dataclass(frozen=True)
class Timing:
    """Seconds.

    Attributes:
        lease: how long the others wait after they saw the last renewal.
        renew: how long one renewal lets its holder write.
        retry: between two renewals, and between two looks of who waits.
        again: until the next try after a renewal that failed.
        request: how long one request may take.
    """

    lease: int = 8
    renew: float = 5.0
    retry: float = 1.5
    again: float = 0.3
    request: float = 2.0

    def __post_init__(self) -> None:
        # A request that began in time ends before the others begin; one that is lost leaves time for another.
        if not self.renew + self.request < self.lease or not self.retry + self.request + self.again < self.renew:
            raise ValueError(f"{self} leaves no room for a request that is lost")


@dataclass
class Election:
    """What one candidate knows; pure but for its own memory. Times are seconds of one monotonic clock.

    Attributes:
        identity: unique to this process: a process that starts again is another candidate.
        leads_until: the moment from which on it must not write.
        heard: the API server has shown it the Lease, or that there is none.
    """

    identity: str
    timing: Timing = Timing()
    leads_until: float = -inf
    heard: bool = False
    _lease: Manifest | None = None
    _record: Manifest = field(default_factory=dict)
    _changed_at: float = -inf

    @property
    def holder(self) -> str:
        """Who holds the Lease, as far as known; empty when nobody does."""
        return str(self._record.get("holderIdentity") or "")

    def leads(self, now: float) -> bool:
        """Say whether this process may write."""
        return now < self.leads_until

    def saw(self, lease: Manifest | None, now: float) -> None:
        """Note what the API server has; `now` is after its answer.

        A Lease that was deleted frees nobody from waiting: its holder does not know yet.
        """
        self.heard = True
        self._lease = lease
        record: Manifest = lease.get("spec") or {} if lease else self._record
        if record != self._record:
            self._record, self._changed_at = record, now
        if self.holder != self.identity:
            self.leads_until = -inf

    def expires_at(self) -> float:
        """Return from when on the Lease may be taken: at once when nobody holds it, or when it is ours."""
        if self.holder in ("", self.identity):
            return -inf
        promised = self._record.get("leaseDurationSeconds") or self.timing.lease
        return self._changed_at + float(promised)

    def bid(self, now: float, wall: datetime) -> Manifest | None:
        """Return the spec to write to become or stay leader, None as long as another may lead.

        Args:
            wall: the time for people; nothing is decided by it.
        """
        if now < self.expires_at():
            return None
        mine = self.holder == self.identity
        # Never the same twice: the others only see that something has changed.
        stamp = max(wall, _time(self._record.get("renewTime"), wall) + MICROSECOND) if mine else wall
        transitions = int(self._record.get("leaseTransitions") or 0)
        return {
            "holderIdentity": self.identity,
            "leaseDurationSeconds": self.timing.lease,
            "acquireTime": self._record.get("acquireTime") if mine else stamp.strftime(TIME_FORMAT),
            "renewTime": stamp.strftime(TIME_FORMAT),
            "leaseTransitions": transitions if mine or not self._record else transitions + 1,
        }

    def won(self, record: Manifest, asked_at: float) -> None:
        """Note that a bid was stored; `asked_at` is from before the request."""
        self._record, self._changed_at = record, asked_at
        self.leads_until = asked_at + self.timing.renew

    def farewell(self, wall: datetime) -> Manifest | None:
        """Return the spec that lets the next one take over at once; from now on this one leads no more."""
        self.leads_until = -inf
        if self.holder != self.identity:
            return None
        return self._record | {"holderIdentity": "", "renewTime": wall.strftime(TIME_FORMAT)}

    def manifest(self, name: str, namespace: str, spec: Manifest) -> Manifest:
        """Return the Lease with a new spec, bound to the version that was seen last."""
        if self._lease:
            return self._lease | {"spec": spec}
        meta = {"name": name, "namespace": namespace}
        return {"apiVersion": LEASES.api_version, "kind": LEASES.kind, "metadata": meta, "spec": spec}

    def pause(self, now: float, *, failed: bool) -> float:
        """Return the seconds until the next try; one who waits is there when the Lease expires."""
        if failed and self.holder == self.identity:
            return self.timing.again
        left = self.expires_at() - now
        return min(left, self.timing.retry) if left > 0 else self.timing.retry


class Api(Protocol):
    """What an elector needs of a `KubeApi`."""

    async def get(self, resource: Resource, namespace: str, name: str) -> Manifest | None:
        """Return an object, None when it is not there."""

    async def create(self, resource: Resource, manifest: Manifest) -> None:
        """Create an object."""

    async def replace(self, resource: Resource, manifest: Manifest) -> Manifest:
        """Replace an object, only if its resourceVersion is still current."""


@dataclass
class Elector:
    """Asks the API server again and again; every error counts as a renewal that failed."""

    api: Api
    election: Election
    namespace: str
    name: str
    clock: Callable[[], float]
    wall: Callable[[], datetime]
    sleep: Callable[[float], Awaitable[object]]

    async def run(self, leading: Callable[[], None], stopped: Callable[[], bool]) -> bool:
        """Call `leading` once this process leads.

        Returns:
            True when it was stopped, False when the leadership was lost: then nothing may be written any more.
        """
        led = False
        while not stopped():
            failed = not await self.attempt()
            leads = self.election.leads(self.clock())
            if led and not leads:
                return False
            if leads and not led:
                leading()
            led = leads
            await self.sleep(self.election.pause(self.clock(), failed=failed))
        await self.release()
        return True

    async def attempt(self) -> bool:
        """Try once to become or stay leader; return whether the API server did its part."""
        election = self.election
        led = election.leads_until > -inf
        try:
            seen = await self.api.get(LEASES, self.namespace, self.name)
            election.saw(seen, self.clock())
            asked_at = self.clock()
            if led and not election.leads(asked_at):
                return False
            if record := election.bid(asked_at, self.wall()):
                await self._write(record)
                election.won(record, asked_at)
        except KubeError as error:
            log.warning(
                "the lease %s/%s can't be %s: %s", self.namespace, self.name, "renewed" if led else "had", error
            )
            return False
        return True

    async def release(self) -> None:
        """Let the next one take over at once; if that fails it has to wait."""
        record = self.election.farewell(self.wall())
        if record is None:
            return
        try:
            self.election.saw(await self.api.get(LEASES, self.namespace, self.name), self.clock())
            if self.election.holder == self.election.identity:
                await self._write(record)
        except KubeError as error:
            log.warning("the lease %s/%s can't be released: %s", self.namespace, self.name, error)

    async def _write(self, record: Manifest) -> None:
        manifest = self.election.manifest(self.name, self.namespace, record)
        if "resourceVersion" in manifest["metadata"]:
            await self.api.replace(LEASES, manifest)
        else:
            await self.api.create(LEASES, manifest)


def _time(text: object, otherwise: datetime) -> datetime:
    try:
        return datetime.strptime(str(text), TIME_FORMAT).replace(tzinfo=otherwise.tzinfo)
    except ValueError:
        return otherwise - MICROSECOND
