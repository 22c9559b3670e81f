"""What splits the traffic of a ModelDeployment: one small interface, a file for each way."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from sluice.api.traffic import Traffic
from sluice.core.observation import RouteState
from sluice.resources.naming import Manifest
from sluice.traffic.assignment import Arm, growing, pieces
from sluice.traffic.slots import Slot


@dataclass(frozen=True)
class Mirror:
    """Copies of `percent` of the requests go to a revision; `compare` tells both versions' pods what to compare."""

    revision: str
    percent: int
    compare: str


@dataclass(frozen=True)
class Trial:
    """An A/B test: the revisions, and the percent of the users who get the treatment; `name` never comes again.

    Or a canary, whose share grows up to `weight`: then `window` is the number of its present weight, 0 before it has
    one. Without a ready pod of the treatment (`ready`) the gateway makes no clusters for it, wherever it stands.
    """

    name: str
    control: str
    treatment: str
    weight: int
    ready: bool = True
    window: int | None = None

    def slots(self, share: int) -> tuple[Slot, ...]:
        """Return the backends that give the treatment to `share` percent, of those who are meant to get it."""
        names = {Arm.CONTROL: self.control, Arm.TREATMENT: self.treatment}
        cut = pieces(self.name, self.weight, share) if self.window is None else growing(self.name, share)
        return tuple(Slot(names[arm], size) for arm, size in cut)

    @property
    def users_of(self) -> str | None:
        """Return by which name model servers count users without telling the collector: that of a window."""
        return f"{self.name}/{self.window}" if self.window else None


@dataclass(frozen=True)
class Wanted:
    """How traffic is to be split.

    Attributes:
        name: of the ModelDeployment.
        namespace: of the ModelDeployment.
        owner: the owner reference.
        traffic: what the user says of it.
        split: percent by revision.
        kept: revisions that may get all traffic back in one write.
        outage: nobody answers whom requests are led to.
        mirror: who gets copies.
        trial: the test that users are assigned in.
    """

    name: str
    namespace: str
    owner: Manifest
    traffic: Traffic | None
    split: Mapping[str, int]
    kept: Collection[str] = ()
    outage: bool = False
    mirror: Mirror | None = None
    trial: Trial | None = None


class Provider(Protocol):
    """Renders a split into one object that is named as the ModelDeployment, and reads it back; pure."""

    kind: str

    def read(self, live: Mapping[str, Any], endpoints: Mapping[str, int], ready: Mapping[str, int]) -> RouteState:
        """Return how the object stands; never raises on odd content.

        Args:
            live: the object.
            endpoints: pods by revision that a Service of its name leads to.
            ready: pods by revision that could be led to.
        """

    def render(self, wanted: Wanted, live: Mapping[str, Any] | None, *, settled: bool) -> Manifest | None:
        """Return the object as it is to be, or the next step to it; None when it must not be touched.

        Args:
            wanted: the split.
            live: the object as it stands.
            settled: whether all proxies know the live one.
        """

    def mark(self, live: Mapping[str, Any]) -> Hashable:
        """Return what is another one whenever proxies have something to learn."""
