"""Which users belong to an experiment, and to which version."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass


@dataclass(frozen=True)
class Exposure:
    """A version answered a request."""

    experiment: str
    """Namespace and name of the rollout's record."""
    unit: str
    """Hash of the user's id."""
    revision: str
    request: str


@dataclass(frozen=True)
class Admitted:
    """What becomes of the exposures of one experiment."""

    requests: Mapping[str, str]
    """New ones, with their units."""
    units: Mapping[str, str]
    """New ones, with their revisions."""
    crossed: frozenset[str]
    """Units that came to a second revision."""
    duplicates: int
    full: int
    """Exposures of units for which there was no room."""


def admit(arrived: Iterable[Exposure], requests: Set[str], units: Mapping[str, str], room: int) -> Admitted:
    """Let units in as long as there is room: those who came until then are an experiment by themselves.

    Of a request the first exposure counts. A unit stays with its first revision, wherever it comes later.

    Args:
        arrived: in the order of their arrival.
        requests: known already.
        units: known already, with their revisions.
        room: how many more units may come in.
    """
    fresh: dict[str, str] = {}
    new: dict[str, str] = {}
    crossed: set[str] = set()
    duplicates = full = 0
    for exposure in arrived:
        if exposure.request in requests or exposure.request in fresh:
            duplicates += 1
            continue
        fresh[exposure.request] = exposure.unit
        first = units.get(exposure.unit) or new.get(exposure.unit)
        if first is None and len(new) >= room:
            full += 1
        elif first is None:
            new[exposure.unit] = exposure.revision
        elif first != exposure.revision:
            crossed.add(exposure.unit)
    return Admitted(fresh, new, frozenset(crossed), duplicates, full)
