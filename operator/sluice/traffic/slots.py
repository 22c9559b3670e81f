"""Where each revision stands in the route, so that no change of the split loses a request.

Envoy Gateway makes one Envoy cluster per backend, named by its position; a backend with weight 0 has none. When a
cluster and the route that uses it change together, Envoy may know the route before the cluster (or lose the cluster
before the route) for some milliseconds, and answers 500. So a revision keeps its position while it is in the route,
comes in *parked* (its cluster exists, with next to no traffic) before it gets its weight, and is parked again before
it leaves. Each step waits until the one before it has *settled*: the gateway has taken it, and its proxies had time to
learn of it; of two steps in quick succession they would see only the last.

How long proxies take nobody says, and it may be longer than that. So a route always has places to spare, whose clusters
exist: `written`. Who comes into one is only new endpoints of a cluster that all proxies know; until they know these,
requests go where they went.

Mostly a revision has one position, and which does not matter: `place`. In an A/B test with sticky users it has several,
and their order says whose they are: `arrange`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

WHOLE = 1_000_000  # the largest weight of the Gateway API; shares are counted in millionths
PERCENT = WHOLE // 100
COMING, LEAVING = 1, 2  # parked: one or two requests in a million
VACANT = 3  # of somebody else, in a place that is nobody's
PLACES = 3  # stable, a candidate, and who was stable before
FOREIGN = "service/"
MOST_BACKENDS = 16  # of a rule of the Gateway API
POOR = VACANT * MOST_BACKENDS  # who has no more could not give all vacant places their share

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


@dataclass(frozen=True)
class Standing:
    """A route as it stands.

    Attributes:
        slots: its backends in their order; empty when there is none.
        settled: all proxies know it.
        refused: the gateway refuses it.
        outage: nobody answers anyway who has traffic in it.
    """

    slots: Sequence[Slot]
    settled: bool
    refused: bool = False
    outage: bool = False

    @property
    def ours(self) -> Mapping[int, Slot]:
        """The backends that lead to revisions, by their position."""
        return {index: slot for index, slot in enumerate(self.slots) if slot.share and not slot.foreign}

    def knows(self, slot: Slot) -> bool:
        """Whether all proxies know the cluster of one of its backends."""
        return not slot.waits(settled=self.settled)

    def at_once(self, wanted: Collection[str]) -> bool:
        """Whether there is nothing to be careful with: nobody loses a request who would not do so anyway."""
        ours = self.ours.values()
        carried = any(slot.revision in wanted and self.knows(slot) for slot in ours)
        return not ours or self.outage or (self.refused and not carried)

    def homes(self, revisions: Collection[str], *, least: int = 0) -> Mapping[str, int]:
        """Return the position of each of the revisions, from `least` on; of several the first."""
        found: dict[str, int] = {}
        for index, slot in self.ours.items():
            if index >= least and slot.revision in revisions:
                found.setdefault(slot.revision, index)
        return found


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
    route = Standing(live, settled, refused, outage)
    wanted = {revision: percent * PERCENT for revision, percent in split.items()}
    at_once = tuple(Slot(revision, share) for revision, share in wanted.items())
    if route.at_once(wanted):
        return at_once
    homes, ours = route.homes({*wanted, *kept}), route.ours
    aims = {homes[revision]: Slot(revision, share) for revision, share in wanted.items() if revision in homes}
    stay = {index for revision, index in homes.items() if revision not in wanted}
    carried = any(route.knows(ours[index]) for index in aims)
    if not (carried and any(index not in aims and not slot.parked for index, slot in ours.items())):
        there = {*aims, *stay, *(index for index in ours if not _gone(index, route, {*aims, *stay}))}
        free = (index for index in range(MOST_BACKENDS) if index not in there)
        # Who finds no place, or somebody who has just begun to leave, comes with a later step.
        comers = zip(_without(wanted, homes), free, strict=False)
        aims |= {index: Slot(revision, wanted[revision]) for revision, index in comers}
    return _step(aims, stay, route) or at_once


def arrange(
    shape: Callable[[Collection[str]], Sequence[Slot]],
    live: Sequence[Slot],
    *,
    control: str,
    challengers: Collection[str],
    settled: bool,
    refused: bool = False,
    kept: Collection[str] = (),
    outage: bool = False,
) -> tuple[Slot, ...]:
    """Return the backends that lead from the live route to those wanted, in their order: all the way, or one step.

    Who is on trial gets his shares when all have their places, and not before, so that users move once; who has some
    already keeps them. What is missing to the whole meanwhile is control's.

    Args:
        shape: returns the backends as they are to be while some of the challengers have their shares, and the others
            only hold their places.
        live: the backends of the route as it stands; empty when there is none.
        control: the revision that has had the traffic.
        challengers: who is on trial.
        settled: whether all proxies know the live route.
        refused: whether the gateway refuses the live route.
        kept: revisions that stay parked behind them, as far as there is room, to return at once.
        outage: whether nobody answers anyway who has traffic in the live route.
    """
    route, wanted = Standing(live, settled, refused, outage), shape(challengers)
    revisions = {slot.revision for slot in wanted}
    if route.at_once(revisions):
        return tuple(wanted)
    ours = route.ours
    tried = {slot.revision for slot in ours.values() if not slot.parked and slot.revision in challengers}
    ready = all(
        index in ours and ours[index].revision == slot.revision and route.knows(ours[index])
        for index, slot in enumerate(wanted)
    )
    aims = dict(enumerate(wanted if ready else shape(tried)))
    others = [revision for revision in kept if revision not in revisions]
    homes = route.homes(others, least=len(aims))
    stay = {*homes.values()}
    free = (i for i in range(len(aims), MOST_BACKENDS) if i not in ours or _gone(i, route, stay))
    displaced = _without(route.homes(others), homes)
    behind = {index: revision for revision, index in zip(displaced, free, strict=False)}
    return _step(aims, stay, route, control, behind) or tuple(wanted)


def written(slots: Sequence[Slot]) -> tuple[Slot, ...]:
    """Return the backends as they stand in the route: vacant places, which have a share of 0, are filled.

    Each has the end (or the beginning) of the part of a neighbour, so that the same requests go to the same revision.
    """
    filled = dict(enumerate(slots))
    rich = [index for index, slot in filled.items() if slot.share > POOR]
    for index in range(max(len(slots), PLACES)):
        if index not in filled or not filled[index].share:
            host = max((one for one in rich if one < index), default=rich[0])
            filled[index] = Slot(filled[host].revision, VACANT)
            filled[host] = Slot(filled[host].revision, filled[host].share - VACANT)
    return tuple(filled[index] for index in range(len(filled)))


def _step(
    aims: Mapping[int, Slot],
    stay: Collection[int],
    route: Standing,
    control: str | None = None,
    behind: Mapping[int, str] | None = None,
) -> tuple[Slot, ...] | None:
    """Bring a route as near to what it is to be as its proxies allow; None: nobody is there to take the requests.

    Args:
        aims: what is to be, by position.
        stay: other positions that stay parked.
        route: as it stands.
        control: the revision that takes what is missing to the whole; None: who has the largest share.
        behind: revisions that come in to stay parked, by their new positions.
    """
    comes = {**(behind or {}), **{index: aim.revision for index, aim in aims.items()}}
    places = {*(index for index, aim in aims.items() if _fits(aim, route.ours.get(index))), *stay}
    there = {index: slot for index, slot in route.ours.items() if not _gone(index, route, places)}
    known = {index for index in places & aims.keys() if route.knows(there[index])}
    wanted = {aim.revision for aim in aims.values()}
    takers = {index for index, slot in there.items() if slot.revision in wanted and route.knows(slot)}
    slots: dict[int, Slot] = {}
    for index in range(max(len(route.slots), *(index + 1 for index in comes))):
        slot = there.get(index)
        if slot is None:
            if index in comes:
                slots[index] = Slot(comes[index], COMING)
        elif index in known:
            slots[index] = aims[index]
        elif index in places and index in aims:
            slots[index] = slot
        else:  # until a successor can take them, requests go where they went
            relieved = takers & _successors(slot, there, known, wanted, control)
            slots[index] = Slot(slot.revision, LEAVING) if relieved and not slot.parked else slot
    carriers = known | takers | {index for index in there if not slots[index].parked}
    if not carriers:
        return None
    fit = sorted(carriers, key=lambda index: (_fitness(index, slots[index], known, control), -index), reverse=True)
    return _whole(slots, fit)


def _successors(
    slot: Slot, there: Mapping[int, Slot], known: Collection[int], wanted: Collection[str], control: str | None
) -> set[int]:
    """Return the positions that may take the requests of one that is to leave.

    Everybody may who is wanted; but of who is wanted himself, in another place, only his own places, and control.
    """
    if slot.revision not in wanted:
        return set(there)
    own = {index for index in known if there[index].revision == slot.revision}
    if slot.revision == control:
        return own
    return own | {index for index, other in there.items() if other.revision == control}


def _fitness(index: int, slot: Slot, known: Collection[int], control: str | None) -> tuple[bool, bool, int]:
    """Say how well a position can take what is missing to the whole: the last of control's moves the fewest users."""
    return slot.revision == control, index in known, slot.share if control is None else index


def _fits(aim: Slot, slot: Slot | None) -> bool:
    return slot is not None and slot.revision == aim.revision


def _gone(index: int, route: Standing, places: Collection[int]) -> bool:
    """Whether a position has been parked for long enough to be free for somebody else."""
    return index not in places and route.ours[index].parked and (route.settled or route.refused)


def _without(revisions: Collection[str], others: Collection[str]) -> Iterator[str]:
    return (revision for revision in revisions if revision not in others)


def _whole(slots: Mapping[int, Slot], carriers: Sequence[int]) -> tuple[Slot, ...]:
    """Hold empty places, and give the first carrier what is missing to the whole.

    What is too much is taken from the first who has it, and from the next ones what he has not.
    """
    filled, missing = dict(slots), WHOLE - sum(slot.share for slot in slots.values())
    for index in carriers:
        slot = filled[index]
        share = max(slot.share + missing, min(slot.share, POOR + 1))
        filled[index], missing = Slot(slot.revision, share), missing - share + slot.share
    return tuple(filled.get(index, Slot(slots[carriers[0]].revision, 0)) for index in range(max(slots) + 1))
