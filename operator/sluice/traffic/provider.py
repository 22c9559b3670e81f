"""What splits the traffic of a ModelDeployment: one small interface, a file for each way."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sluice.api.traffic import Traffic
from sluice.core.observation import RouteState
from sluice.resources.naming import Manifest
from sluice.traffic.assignment import growing, pieces
from sluice.traffic.slots import Slot


@dataclass(frozen=True)
class Mirror:
    """Copies of `percent` of the requests go to a revision; `compare` tells both versions' pods what to compare."""

    revision: str
    percent: int
    compare: str


@dataclass(frozen=True)
class Challenger:
    """Who is tried beside control, and the percent of the users who get him; None: he was dropped, and they do not.

    Without a `ready` pod the gateway makes no clusters for him, wherever he stands.
    """

    revision: str | None
    weight: int
    ready: bool = True


@dataclass(frozen=True)
class Trial:
    """An A/B test: the revisions, in an order that stays; `name` never comes again.

    Or a canary, whose share grows up to `weight`: then `window` is the number of its present weight, 0 before it has
    one.
    """

    name: str
    control: str
    challengers: Sequence[Challenger]
    window: int | None = None

    @property
    def weights(self) -> Mapping[str, int]:
        """The most that each challenger gets who is still in it."""
        return {one.revision: one.weight for one in self.challengers if one.revision}

    @property
    def present(self) -> Collection[str]:
        """The challengers that have a ready pod."""
        return {one.revision for one in self.challengers if one.revision and one.ready}

    def slots(self, shares: Mapping[str, int]) -> tuple[Slot, ...]:
        """Return the backends that give each challenger so many percent of the users, of those who are meant for him.

        The places of who is not there are control's.
        """
        here = [one.revision if one.revision in self.present else None for one in self.challengers]
        now = [shares.get(name, 0) if name else 0 for name in here]
        whose = [self.control, *(name or self.control for name in here)]
        weights = [one.weight for one in self.challengers]
        cut = pieces(self.name, weights, now) if self.window is None else growing(self.name, now[0])
        return tuple(Slot(whose[number], size) for number, size in cut)

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
