"""Which of the outcomes that arrive are new, and whose they are."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Literal, NamedTuple

Kind = Literal["request", "unit"]
KINDS: tuple[Kind, ...] = ("request", "unit")
"""By what an outcome names its user."""

Subject = tuple[Kind, str]


class Key(NamedTuple):
    """What tells an outcome from the others of its experiment."""

    metric: str
    kind: Kind
    subject: str
    key: str


@dataclass(frozen=True)
class Outcome:
    """Something that became of a user."""

    experiment: str
    """Namespace and name of the rollout's record."""
    metric: str
    value: float
    subject: Subject
    key: str = ""
    """Tells several outcomes of one unit apart; a request has one of each metric."""

    @property
    def told_by(self) -> Key:
        """What it is told by from the others."""
        kind, name = self.subject
        return Key(self.metric, kind, name, self.key if kind == "unit" else "")


@dataclass(frozen=True)
class Place:
    """The unit to which a subject leads, and when it first came; None: there was no room for it."""

    unit: str
    first: float | None


@dataclass(frozen=True)
class Sorted:
    """What becomes of the outcomes of one experiment. Each is fresh, or one of the counts."""

    fresh: Mapping[Key, tuple[float, str | None]]
    """New ones to keep: the value, and the unit; None as long as it is unknown."""
    duplicates: int
    late: int
    """Its unit's time was over: it counts for nothing."""
    outside: int
    """There was no room for its unit."""

    @property
    def unknown(self) -> int:
        """How many have to wait for their exposure."""
        return sum(unit is None for _, unit in self.fresh.values())


def sort(
    arrived: Iterable[Outcome],
    known: Set[Key],
    places: Mapping[Subject, Place],
    *,
    now: float,
    window: float | None,
    full: bool,
) -> Sorted:
    """Tell outcomes that may count from those that can't; of a key the first counts.

    Args:
        arrived: in the order of their arrival.
        known: keys that are kept already.
        places: of all subjects whose exposure is known.
        now: Unix seconds.
        window: seconds in which an outcome counts for its unit; None as long as nobody has asked.
        full: no further unit gets in, so that an unknown one never will.
    """
    fresh: dict[Key, tuple[float, str | None]] = {}
    duplicates = late = outside = 0
    for outcome in arrived:
        key = outcome.told_by
        place = places.get(outcome.subject)
        if key in known or key in fresh:
            duplicates += 1
        elif place is None and not (full and key.kind == "unit"):
            fresh[key] = outcome.value, None
        elif place is None or place.first is None:
            outside += 1
        elif window is not None and now > place.first + window:
            late += 1
        else:
            fresh[key] = outcome.value, place.unit
    return Sorted(fresh, duplicates, late, outside)
