"""The strategies that are measured, and the least that each of them needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

USER_HEADER = "x-user-id"
METRIC = "conversion"

Fields = Mapping[str, Any]


@dataclass(frozen=True)
class Held:
    """A rollout of a good version with sticky users, which stays at a weight in percent until somebody ends it."""

    title: str
    strategy: Fields
    weight: int
    traffic: Fields = field(default_factory=lambda: {"sticky": {"header": USER_HEADER}})


@dataclass(frozen=True)
class Subject:
    """A strategy as it is measured.

    Attributes:
        strategy: the `strategy` part of the spec.
        traffic: what the `traffic` part has because of it.
        analysis: the `analysis` part, where the default can't be proven with the users that there are.
        least: the smallest of both that does what is measured; everything else has a default.
        components: what has to be installed beside the operator.
        held: how it is measured whether users stick, where they do.
    """

    strategy: Fields
    least: Fields
    traffic: Fields = field(default_factory=dict)
    analysis: Fields = field(default_factory=dict)
    components: tuple[str, ...] = ()
    held: Held | None = None

    @property
    def written(self) -> int:
        """Return how many fields are written in this measurement."""
        return sum(len(list(leaves(part))) for part in (self.strategy, self.traffic, self.analysis) if part)

    @property
    def required(self) -> int:
        """Return how many fields have to be written beyond the name of the strategy."""
        return sum(leaf != {} for part in self.least.values() for leaf in leaves(part))


SUBJECTS: Mapping[str, Subject] = {
    "recreate": Subject({"recreate": {}}, {"strategy": {"recreate": {}}}),
    "blueGreen": Subject(
        {"blueGreen": {"preview": {"pathPrefix": "/bench-preview"}, "verify": {"maxErrorRate": 0.02}}},
        {"strategy": {"blueGreen": {}}},
    ),
    "canary": Subject(
        {"canary": {"steps": [
            {"setWeight": 10}, {"analysis": {"marginAbsolute": 0.03}}, {"setWeight": 50}, {"analysis": {}},
        ]}},
        {"strategy": {"canary": {}}},
        held=Held("canary, sticky", {"canary": {"steps": [
            {"setWeight": 10}, {"pause": {"duration": "25s"}}, {"setWeight": 50}, {"pause": {"duration": "1h"}},
        ]}}, weight=50),
    ),
    # With `then: Canary`, the default, most of what is measured would be the canary's.
    "shadow": Subject(
        {"shadow": {"percent": 100, "minPairs": 100, "then": "Promote"}},
        {"strategy": {"shadow": {}}},
        components=("collector",),
    ),
    # Without `sticky` each request would be a user of its own.
    "abTest": Subject(
        {"abTest": {
            "primary": {"metric": METRIC, "aggregate": "Mean", "window": "5s"},
            "minUnits": 50, "minDuration": "20s", "maxDuration": "10m",
        }},
        {"strategy": {"abTest": {"primary": {"metric": METRIC}}}, "traffic": {"sticky": {"header": USER_HEADER}}},
        traffic={"sticky": {"header": USER_HEADER}},
        # A hundred users without a failure prove no smaller margin, and there are hardly more of them.
        analysis={"minRequests": 50, "metrics": [{"name": "errors", "errorRate": {"marginAbsolute": 0.08}}]},
        components=("collector",),
        # Nobody tells outcomes, so that nothing is concluded.
        held=Held("abTest", {"abTest": {"primary": {"metric": METRIC, "aggregate": "Mean"}}}, weight=50),
    ),
}  # fmt: skip


def leaves(value: object) -> Iterator[object]:
    """Yield what a user writes: every value that holds no other."""
    inside: Sequence[object] = ()
    if isinstance(value, Mapping):
        inside = list(value.values())
    elif isinstance(value, list):
        inside = value
    elif value is None:
        return
    if not inside:
        yield value
    for each in inside:
        yield from leaves(each)
