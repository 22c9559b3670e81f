"""Everything `decide` may know about the world: frozen, and free of Kubernetes' own formats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the command-line plugin reads pods with this, and needs no pydantic
    from sluice.api.pairs import Pairs

from sluice.api.outcomes import GateOutcome


@dataclass(frozen=True)
class ResolvedModel:
    """A model version of the registry, pinned; or other files, at `source`, with a name and version for people."""

    name: str
    version: str
    digest: str
    source: str | None = None


@dataclass(frozen=True)
class Unresolved:
    """Why the registry gave no version.

    `reason` is CamelCase for a condition; `message` is a sentence that says what to do.
    """

    reason: str
    message: str


class Severity(StrEnum):
    """Whether waiting can help."""

    FATAL = "fatal"
    WAITING = "waiting"


@dataclass(frozen=True)
class Trouble:
    """Why a pod does not get ready, or did not stay so."""

    severity: Severity
    reason: str
    message: str


@dataclass(frozen=True)
class Counters:
    """Cumulative counts of one container run: requests assigned at random, and those of them that ended in a 5xx.

    `durations` counts the answers that took at most each of `sluice.analysis.cells.EDGES` seconds, and last all of
    them; None when the server has no such cells.

    `users` counts those of the pod's A/B tests that were answered, `users_failed` those of them that got a 5xx at least
    once, each once in a test; `user_durations` the first answer of each that `durations` counts, in the same cells.
    Of the requests behind them `with_id` said whose they are, `without_id` did not, and are a user each; None when the
    server does not tell.
    """

    start: str
    requests: int
    errors: int
    durations: tuple[int, ...] | None = None
    targeted_requests: int = 0
    targeted_errors: int = 0
    users: int = 0
    users_failed: int = 0
    user_durations: tuple[int, ...] | None = None
    with_id: int | None = None
    without_id: int | None = None


@dataclass(frozen=True)
class Pod:
    """One pod of a revision; one that has `ended` for good holds no resources any more, and stays until removed."""

    uid: str
    name: str
    ready: bool
    created: datetime | None = None
    terminating: bool = False
    address: str | None = None
    restarts: int = 0
    trouble: Trouble | None = None
    ended: bool = False


@dataclass(frozen=True)
class RevisionState:
    """What runs for one revision; one that is not `deployed` has nothing but pods that are left of it."""

    name: str
    replicas: int = 0
    pods: tuple[Pod, ...] = ()
    trouble: Trouble | None = None
    deployed: bool = True

    @property
    def running(self) -> int:
        """Pods that hold resources, those that are ending included."""
        return sum(not pod.ended for pod in self.pods)

    @property
    def ready(self) -> int:
        """Pods that can take traffic."""
        return sum(pod.ready and not pod.terminating for pod in self.pods)


@dataclass(frozen=True)
class RouteState:
    """What splits the traffic, a route or a Service, as it stands; weights by revision in percent.

    `accepted` is None until the gateway answered, or the endpoints have followed.
    `parked` are the revisions that are in it with next to no traffic: they come, leave, or stay to return at once.
    `settled` says that all proxies know it: until then an older one may be live on some of them.
    `endpoints` are the pods behind a Service by revision, where their numbers are the split; None with a gateway.
    """

    weights: Mapping[str, int]
    accepted: bool | None = None
    reason: str = ""
    message: str = ""
    parked: frozenset[str] = frozenset()
    settled: bool = False
    endpoints: Mapping[str, int] | None = None


@dataclass(frozen=True)
class Scrape:
    """What one look at the pods' counters gave: by pod UID, and the pods that did not answer, with why."""

    counters: Mapping[str, Counters] = field(default_factory=dict)
    unreachable: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Silent:
    """The collector gave no counts, and why."""

    why: str


@dataclass(frozen=True)
class Units:
    """What the collector knows of one version's units: how many came first to it, and of those whose time has passed,
    how many, and the sum and the sum of squares of their values; `crossed` were also seen at another version.
    """

    units: int = 0
    matured: int = 0
    total: float = 0.0
    squares: float = 0.0
    crossed: int = 0


@dataclass(frozen=True)
class TestResults:
    """What the collector knows of an A/B test, by revision; `incomplete` says that it had to forget some of it."""

    versions: Mapping[str, Units]
    incomplete: bool = False


@dataclass(frozen=True)
class Wish:
    """A one-shot action that a user wrote as an annotation, bound to a revision."""

    action: str
    revision: str
    actor: str | None = None


@dataclass(frozen=True)
class WriteBack:
    """What came of the last attempt to set the promoted alias; `error` is a sentence, None when it is set."""

    alias: str
    revision: str
    error: str | None = None


@dataclass(frozen=True)
class GateState:
    """A gate that is being asked, or was answered; `round` is what it was asked for, as in a plan.

    `outcome` is None until it is answered; `message` is what it said, or what it waits for.
    """

    round: str
    name: str
    outcome: GateOutcome | None = None
    message: str = ""


@dataclass(frozen=True)
class Observation:
    """All of it, at one moment; `preview` is the route to a candidate without traffic.

    `pairs` is what the collector has joined of the rollout, where requests are copied; `test` what it knows of an A/B
    test.
    `targeted` is the route of requests that are meant for the candidate; it is parked while it lets none of them in.

    `sticky_problem` says why users do not stick to a version although they should, or not yet: `sticky_pending` says
    that the gateway has only to answer.

    `variants` are the models of an A/B test's variants, by name.

    `paused_by` is the program that wrote `spec.paused` last, as far as that is known.
    """

    generation: int
    model: ResolvedModel | Unresolved
    server_image: str
    revisions: Mapping[str, RevisionState] = field(default_factory=dict)
    route: RouteState | None = None
    preview: RouteState | None = None
    targeted: RouteState | None = None
    gateway_problem: str | None = None
    autoscaling_problem: str | None = None
    sticky_problem: str | None = None
    sticky_pending: bool = False
    scrape: Scrape = Scrape()
    pairs: Pairs | Silent | None = None
    test: TestResults | Silent | None = None
    variants: Mapping[str, ResolvedModel | Unresolved] = field(default_factory=dict)
    wish: Wish | None = None
    paused_by: str | None = None
    write_back: WriteBack | None = None
    gates: tuple[GateState, ...] = ()
    name: str = ""
    uid: str = ""

    def revision(self, name: str) -> RevisionState:
        """Return the state of a revision; one of which nothing exists has no pods."""
        return self.revisions.get(name, RevisionState(name))

    def may_reach(self, name: str) -> bool:
        """Whether requests, or copies, may come to a revision: by the routes, or older ones that proxies still have."""
        general, beside = self.route, self.targeted
        if beside and (name in beside.weights or (name in beside.parked and not beside.settled)):
            return True
        return general is not None and (general.weights.get(name, 0) > 0 or not general.settled)
