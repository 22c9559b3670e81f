"""Where each revision stands in the route, so that no change of the split loses a request.

Envoy Gateway makes one Envoy cluster per backend, named by its position; a backend with weight 0 has none. When a
cluster and the route that uses it change together, Envoy may know the route before the cluster (or lose the cluster
before the route) for some milliseconds, and answers 500. So a revision keeps its position while it is in the route,
comes in *parked* (its cluster exists, with next to no traffic) before it gets its weight, and is parked again before
it leaves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WHOLE = 1_000_000  # the largest weight of the Gateway API; shares are counted in millionths
PERCENT = WHOLE // 100
PARKED = 1  # one request in a million
FOREIGN = "service/"


@dataclass(frozen=True)
class Slot:
    """One position of a route: a revision and its share in millionths; a share of 0 only holds the place."""

    revision: str
    share: int

    @property
    def foreign(self) -> bool:
        """Whether it leads to something that is no revision of ours, as after a hand edit."""
        return self.revision.startswith(FOREIGN)

    @property
    def parked(self) -> bool:
        """Whether its cluster exists, with next to no traffic."""
        return 0 < self.share <= PARKED


def place(split: Mapping[str, int], live: Sequence[Slot], *, accepted: bool | None) -> tuple[Slot, ...]:
    """Return the backends that lead from the live route to the split: all the way, or one step of it.

    Args:
        split: percent by revision, all above zero.
        live: the backends of the route as it stands; empty when there is none.
        accepted: whether the gateway has taken the live route, or refuses it; None before it has answered.
    """
    wanted = {revision: percent * PERCENT for revision, percent in split.items()}
    found = {slot.revision for slot in live if slot.share}
    if not found & wanted.keys():
        return tuple(Slot(revision, share) for revision, share in wanted.items())
    slots: dict[int, Slot] = {}
    placed: set[str] = set()
    for index, slot in enumerate(live):
        gone = slot.revision not in wanted and slot.parked and accepted is not None
        if slot.share == 0 or gone or slot.foreign or slot.revision in placed:
            continue
        placed.add(slot.revision)
        comes = slot.parked and not accepted
        slots[index] = Slot(slot.revision, PARKED if comes else wanted.get(slot.revision, PARKED))
    somebody_leaves = any(slot.revision not in wanted and slot.share > PARKED and not slot.foreign for slot in live)
    if not somebody_leaves:
        for revision in (revision for revision in wanted if revision not in found):
            slots[next(index for index in range(len(live) + len(wanted)) if index not in slots)] = Slot(
                revision, PARKED
            )
    if all(slot.parked for slot in slots.values()):
        return tuple(live)
    return _whole(slots)


def _whole(slots: Mapping[int, Slot]) -> tuple[Slot, ...]:
    """Hold empty places, and give the largest share what is missing to the whole."""
    largest = max(slots, key=lambda index: slots[index].share)
    missing = WHOLE - sum(slot.share for slot in slots.values())
    filled = {**slots, largest: Slot(slots[largest].revision, slots[largest].share + missing)}
    return tuple(filled.get(index, Slot(slots[largest].revision, 0)) for index in range(max(slots) + 1))
