"""Where each revision stands in the route, so that no change of the split loses a request.

Envoy Gateway makes one Envoy cluster per backend, named by its position; a backend with weight 0 has none. When a
cluster and the route that uses it change together, Envoy may know the route before the cluster (or lose the cluster
before the route) for some milliseconds, and answers 500. So a revision keeps its position while it is in the route,
comes in *parked* (its cluster exists, with next to no traffic) before it gets its weight, and is parked again before
it leaves. Each step waits until the one before it has *settled*: the gateway has taken it, and its proxies had time to
learn of it; of two steps in quick succession they would see only the last.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

WHOLE = 1_000_000  # the largest weight of the Gateway API; shares are counted in millionths
PERCENT = WHOLE // 100
COMING, LEAVING = 1, 2  # parked: one or two requests in a million
FOREIGN = "service/"

# How long after the gateway has taken a route its proxies are given to learn of it.
SETTLING = timedelta(seconds=2)


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
        return 0 < self.share <= LEAVING

    def waits(self, *, settled: bool) -> bool:
        """Whether it has to be known to all proxies before it may get its weight; who had one is known."""
        return self.share == COMING and not settled


def place(
    split: Mapping[str, int],
    live: Sequence[Slot],
    *,
    settled: bool,
    refused: bool = False,
    kept: Collection[str] = (),
    outage: bool = False,
) -> tuple[Slot, ...]:
    """Return the backends that lead from the live route to the split: all the way, or one step of it.

    Args:
        split: percent by revision, all above zero.
        live: the backends of the route as it stands; empty when there is none.
        settled: whether all proxies know the live route.
        refused: whether the gateway refuses the live route.
        kept: revisions that stay parked when they have left the split, to return at once.
        outage: whether nobody answers anyway who has traffic in the live route.
    """
    wanted = {revision: percent * PERCENT for revision, percent in split.items()}
    at_once = tuple(Slot(revision, share) for revision, share in wanted.items())
    ours = [slot for slot in live if slot.share and not slot.foreign]
    carried = any(slot.revision in wanted and not slot.waits(settled=settled) for slot in ours)
    if not ours or outage or (refused and not carried):
        return at_once
    slots: dict[int, Slot] = {}
    placed: set[str] = set()
    for index, slot in enumerate(live):
        stays = slot.revision in wanted or slot.revision in kept
        gone = slot.parked and not stays and (settled or refused)
        if slot.share == 0 or gone or slot.foreign or slot.revision in placed:
            continue
        placed.add(slot.revision)
        if slot.revision in wanted:
            share = COMING if slot.waits(settled=settled) else wanted[slot.revision]
        else:  # until a successor can take them, requests go where they went
            share = LEAVING if carried and not slot.parked else slot.share
        slots[index] = Slot(slot.revision, share)
    somebody_leaves = carried and any(slot.revision not in wanted and not slot.parked for slot in ours)
    if not somebody_leaves:
        for revision in (revision for revision in wanted if revision not in placed):
            slots[next(index for index in range(len(live) + len(wanted)) if index not in slots)] = Slot(
                revision, COMING
            )
    if all(slot.parked for slot in slots.values()):  # who had the traffic is gone, as after a hand edit
        return at_once
    return _whole(slots)


def _whole(slots: Mapping[int, Slot]) -> tuple[Slot, ...]:
    """Hold empty places, and give the largest share what is missing to the whole."""
    largest = max(slots, key=lambda index: slots[index].share)
    missing = WHOLE - sum(slot.share for slot in slots.values())
    filled = {**slots, largest: Slot(slots[largest].revision, slots[largest].share + missing)}
    return tuple(filled.get(index, Slot(slots[largest].revision, 0)) for index in range(max(slots) + 1))
