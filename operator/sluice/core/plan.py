"""What `decide` wants: abstract, rendered into objects by the controller."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from sluice.api.record import RolloutRecord
from sluice.api.status import ModelDeploymentStatus, Revision


class EventType(StrEnum):
    """The two types of a Kubernetes Event."""

    NORMAL = "Normal"
    WARNING = "Warning"


@dataclass(frozen=True)
class Event:
    """Something that happened, for `kubectl describe`.

    `about` tells one such event from another where two operators may notice the same; otherwise the moment does.
    """

    type: EventType
    reason: str
    message: str
    about: str = ""


@dataclass(frozen=True)
class AliasWish:
    """An alias of the registry that should name the version of a revision."""

    alias: str
    revision: Revision


@dataclass(frozen=True)
class Mirroring:
    """Copies of requests for a revision: `percent` of all; `sample` percent are compared."""

    revision: str
    percent: int
    sample: int


@dataclass(frozen=True)
class Experiment:
    """Users are assigned to `revision`, by an assignment that belongs to this rollout alone.

    In an A/B test it gets `weight` percent of them; in a canary so many at most, and `window` is the number of the
    weight that it has reached, 0 before the first one.

    In a test of several `challengers` are all of them, in an order that stays, and the percent of the users that each
    gets; None stands for one who was dropped.
    """

    revision: str
    weight: int
    window: int | None = None
    challengers: tuple[tuple[str | None, int], ...] = ()


@dataclass(frozen=True)
class Entry:
    """The RolloutRecord as it should be.

    Attributes:
        name: of the object.
        record: all of it.
        number: decisions in it.
        decided: it holds a new decision, so that it has to be written before the status.
    """

    name: str
    record: RolloutRecord
    number: int
    decided: bool


@dataclass(frozen=True)
class Gating:
    """Gates of a rollout that should be asked, unless they are.

    Attributes:
        round: what tells these questions from those of another rollout, or of another try.
        asked: names of the gates without an answer; empty while nothing may begin.
        candidate: who is asked about.
        stable: who serves meanwhile.
    """

    round: str
    asked: tuple[str, ...]
    candidate: Revision
    stable: Revision


@dataclass(frozen=True)
class Plan:
    """The state of the world that should be, and when to look again.

    Attributes:
        status: facts and the words for people.
        entry: what is to be kept of the rollout, written before the status.
        scale: pods wanted by revision; a revision not named here keeps its objects as they are.
        floors: the fewest pods by revision, where an autoscaler says how many there are; of others `scale` says it.
        freeze: revisions whose pod template must exist before they are scaled.
        split: percent of the traffic by revision, sums to 100; None: there must be no route.
        preview: the revision that the preview route leads to; None: there must be no such route.
        mirror: who gets copies of the requests; None: nobody.
        experiment: to whom users are assigned, or are about to be; None: to nobody, each request is drawn.
        targeted: the revision that requests that match are meant for; None: nobody.
        gating: the gates to be asked; None: nobody must be asked any more.
        kept: revisions that stay parked in the route, to get all traffic back in one write.
        outage: nobody answers whom the route leads to, so that it may change without regard to them.
        forget: revisions whose objects can go.
        events: to be told once, in order.
        write_back: the alias to set in the registry once all else is written.
        clear_wish: the annotation with a wish was answered and can be taken off.
        requeue_after: seconds until the next look if nothing wakes the controller before.
    """

    status: ModelDeploymentStatus
    entry: Entry | None = None
    scale: Mapping[str, int] = field(default_factory=dict)
    floors: Mapping[str, int] = field(default_factory=dict)
    freeze: tuple[Revision, ...] = ()
    split: Mapping[str, int] | None = None
    preview: str | None = None
    mirror: Mirroring | None = None
    experiment: Experiment | None = None
    targeted: str | None = None
    gating: Gating | None = None
    kept: frozenset[str] = frozenset()
    outage: bool = False
    forget: tuple[str, ...] = ()
    events: tuple[Event, ...] = ()
    write_back: AliasWish | None = None
    clear_wish: bool = False
    requeue_after: float = 300.0
