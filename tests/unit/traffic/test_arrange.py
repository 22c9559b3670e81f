"""The way into a test with sticky users, and out of it: no step of it loses a request, and users move once."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sluice.traffic.assignment import Arm, growing, pieces
from sluice.traffic.slots import COMING, LEAVING, MOST_BACKENDS, PERCENT, WHOLE, Slot, arrange, place

Route = tuple[Slot, ...]

SETTLED: dict[str, Any] = {"settled": True}
UNSETTLED: dict[str, Any] = {"settled": False}
REFUSED: dict[str, Any] = {"settled": False, "refused": True}
MOST_STEPS = 8


@dataclass(frozen=True)
class Wish:
    """A split without a test, or the test of a revision: its seed, its weight, and the share it has now.

    Or a canary with sticky users (`grows`), whose share may be any.
    """

    control: str
    treatment: str
    weight: int
    share: int
    seed: str | None = None
    grows: bool = False

    @property
    def wanted(self) -> Route:
        return self._slots(self.share)

    def _slots(self, share: int) -> Route:
        names = (self.control, self.treatment)
        cut = growing(self.seed or "", share) if self.grows else pieces(self.seed or "", [self.weight], [share])
        return tuple(Slot(names[arm], size) for arm, size in cut)

    def step(self, live: Route, **how: Any) -> Route:
        if self.seed is None:
            split = {self.control: 100 - self.share, self.treatment: self.share}
            return place({name: share for name, share in split.items() if share}, live, **how)
        return arrange(
            lambda on: self._slots(self.share if on else 0), live, control=self.control,
            challengers={self.treatment}, **how,
        )  # fmt: skip


@st.composite
def wishes(draw: st.DrawFn) -> Wish:
    control, treatment = draw(st.permutations("abc"))[:2]
    weight = draw(st.integers(1, 99))
    share = draw(st.sampled_from([0, weight]) | st.integers(0, weight))
    return Wish(control, treatment, weight, share, draw(st.sampled_from([None, *"stuvwxyz"])), draw(st.booleans()))


def shares(route: Route, *, positions: int = MOST_BACKENDS) -> dict[str, int]:
    found: dict[str, int] = {}
    for slot in route[:positions]:
        found[slot.revision] = found.get(slot.revision, 0) + slot.share
    return found


def served(route: Route) -> set[tuple[int, str]]:
    """Positions with traffic, and who has it there."""
    return {(index, slot.revision) for index, slot in enumerate(route) if slot.share and not slot.parked}


def clusters(route: Route) -> set[tuple[int, str]]:
    return {(index, slot.revision) for index, slot in enumerate(route) if slot.share}


def test_a_test_begins_in_three_steps() -> None:
    wish = Wish("a", "b", 50, 50, seed_with(first=Arm.CONTROL))
    began = wish.step((Slot("a", WHOLE),), **SETTLED)
    assert began[0] == Slot("a", WHOLE - 11 * COMING)
    assert {slot.share for slot in began[1:]} == {COMING}
    assert [slot.revision for slot in began] == [slot.revision for slot in wish.wanted]
    assert wish.step(began, **UNSETTLED) == began
    assert wish.step(began, **SETTLED) == wish.wanted


def test_a_test_ends_in_one_step_and_takes_itself_down_in_another() -> None:
    wish = Wish("a", "b", 50, 50, "s")
    ended = place({"a": 100}, wish.wanted, **UNSETTLED)
    assert len(served(ended)) == 1
    assert shares(ended)["a"] == WHOLE - LEAVING * len([slot for slot in wish.wanted if slot.revision == "b"])
    after = place({"a": 100}, ended, **SETTLED)
    assert shares(after) == {"a": WHOLE}
    assert len(clusters(after)) == 1


def test_who_is_kept_moves_behind_the_pieces() -> None:
    wish = Wish("a", "b", 50, 0, seed_with(first=Arm.CONTROL))
    live = (Slot("a", WHOLE - LEAVING), Slot("old", LEAVING))
    began = wish.step(live, **SETTLED, kept={"old"})
    assert began[1] == Slot("b", COMING), "who is parked and known to be may go"
    assert began[12] == Slot("old", COMING)
    settled = wish.step(began, **SETTLED, kept={"old"})
    assert settled[12] == Slot("old", COMING)
    assert settled[:10] == wish.wanted[:10], "only the last piece of control's gives something up for it"


def test_no_more_are_kept_than_there_is_room_for() -> None:
    kept = [f"old{number}" for number in range(8)]
    live = (Slot("a", WHOLE - 8 * LEAVING), *(Slot(name, LEAVING) for name in kept))
    wish = Wish("a", "b", 30, 30, "s")
    for _ in range(MOST_STEPS):
        live = wish.step(live, **SETTLED, kept=frozenset(kept))
        assert len(live) <= MOST_BACKENDS
    assert len(live) == MOST_BACKENDS
    assert sum(slot != piece for slot, piece in zip(live, wish.wanted, strict=False)) == 1


def test_nobody_comes_into_the_treatment_before_all_its_places_are_known() -> None:
    """Otherwise a user could come to it, go, and come again."""
    wish = Wish("a", "b", 50, 50, seed_with(first=Arm.TREATMENT))
    live: Route = (Slot("a", WHOLE),)
    seen = []
    for _ in range(MOST_STEPS):
        live = wish.step(live, **SETTLED)
        seen.append(shares(live).get("b", 0) // PERCENT)
    assert set(seen) == {0, 50}
    assert seen == sorted(seen)
    assert live == wish.wanted


def test_a_place_that_somebody_has_taken_out_takes_nobody_else_out_of_the_treatment() -> None:
    wish = Wish("a", "b", 50, 50, "s")
    broken = list(wish.wanted)
    lost = next(index for index, slot in enumerate(broken) if slot.revision == "b")
    broken[lost] = Slot("b", 0)
    repaired = wish.step(tuple(broken), **UNSETTLED)
    assert repaired[lost] == Slot("b", COMING)
    assert shares(repaired)["b"] == 50 * PERCENT - wish.wanted[lost].share + COMING
    assert wish.step(repaired, **SETTLED) == wish.wanted


def test_who_was_on_trial_can_be_the_control_of_the_next_test_without_a_step_between() -> None:
    first, second = Wish("a", "b", 1, 1, "s"), Wish("b", "a", 1, 0, "s")
    live = first.wanted
    for _ in range(MOST_STEPS):
        live = second.step(live, **SETTLED)
    assert live == second.wanted


def test_the_parked_are_nobodys_successors() -> None:
    """Requests go on to whom they went, even if he is not wanted, until somebody who is can take them."""
    live = (Slot("strange", WHOLE - LEAVING), Slot("kept", LEAVING))
    began = Wish("a", "b", 50, 50, "s").step(live, **UNSETTLED, kept={"kept"})
    assert began[0].revision == "strange"
    assert began[0].share > WHOLE - 20


def seed_with(first: Arm) -> str:
    return next(seed for seed in map(str, range(100)) if pieces(seed, [50], [50])[0][0] == first)


@pytest.mark.parametrize("share", [0, 10, 50])
def test_a_canarys_share_grows_and_falls_in_one_write(share: int) -> None:
    before, after = Wish("a", "b", 99, 20, "s", grows=True), Wish("a", "b", 99, share, "s", grows=True)
    assert after.step(before.wanted, **UNSETTLED) == after.wanted
    assert before.step(after.wanted, **SETTLED) == before.wanted


@pytest.mark.parametrize("seed", "abcdefgh")
def test_who_is_kept_beside_a_canary_takes_no_piece_away(seed: str) -> None:
    wish, kept = Wish("a", "b", 99, 50, seed, grows=True), {f"old{number}" for number in range(4)}
    live: Route = (Slot("a", WHOLE - 4 * LEAVING), *(Slot(name, LEAVING) for name in sorted(kept)))
    for _ in range(MOST_STEPS):
        live = wish.step(live, **SETTLED, kept=kept)
        assert min(slot.share for slot in live) >= 0
    assert shares(live)["b"] == WHOLE // 2
    assert kept <= shares(live).keys()


@pytest.mark.parametrize("share", [0, 10, 50])
def test_a_share_that_changes_moves_no_boundary_but_its_own(share: int) -> None:
    before, after = Wish("a", "b", 50, 50, "s"), Wish("a", "b", 50, share, "s")
    assert after.step(before.wanted, **UNSETTLED) == after.wanted, "at once: everybody is known"
    assert before.step(after.wanted, **UNSETTLED) == before.wanted


@given(wishes(), st.lists(st.tuples(wishes(), st.booleans(), st.sets(st.sampled_from("abc"))), max_size=10))
def test_proxies_that_miss_steps_find_every_cluster_in_its_place(
    start: Wish, history: list[tuple[Wish, bool, set[str]]]
) -> None:
    live = start.step((), **UNSETTLED)
    known = [live]  # what proxies may know: every route since the one that has settled
    for wish, settled, kept in history:
        known = [live] if settled else known
        live = wish.step(live, settled=settled, kept=kept)
        assert sum(slot.share for slot in live) == WHOLE
        assert len(live) <= MOST_BACKENDS
        assert served(live)
        for earlier in known:
            assert served(live) <= clusters(earlier), "traffic only for whom the proxies know"
            assert served(earlier) <= clusters(live), "who has traffic stays where it is"
        known.append(live)


@given(wishes(), st.lists(st.tuples(wishes(), st.sampled_from([SETTLED, REFUSED, UNSETTLED])), max_size=10), wishes())
def test_any_history_ends_at_the_last_wish(start: Wish, history: list[tuple[Wish, dict[str, Any]]], last: Wish) -> None:
    live = start.step((), **UNSETTLED)
    for wish, how in history:
        live = wish.step(live, **how)
    for _ in range(MOST_STEPS):
        live = last.step(live, **SETTLED)
    if last.seed is None:
        split = {last.control: 100 - last.share, last.treatment: last.share}
        assert {name: share // PERCENT for name, share in shares(live).items()} == {n: s for n, s in split.items() if s}
        assert len(clusters(live)) == len([share for share in split.values() if share])
    else:
        assert live == last.wanted
    assert last.step(live, **SETTLED) == live, "and then nothing changes any more"


edited = st.lists(
    st.builds(Slot, st.sampled_from(["a", "b", "c", "service/mine"]), st.sampled_from([0, 1, 2, 3, 1000, 500_000])),
    max_size=MOST_BACKENDS,
).map(tuple)


@given(edited, wishes(), st.sets(st.sampled_from("abc")))
def test_it_ends_from_whatever_somebody_wrote_into_the_route(live: Route, wish: Wish, kept: set[str]) -> None:
    for _ in range(MOST_STEPS):
        live = wish.step(live, **SETTLED, kept=kept)
        assert sum(slot.share for slot in live) == WHOLE
        assert all(slot.share >= 0 for slot in live)
        assert len(live) <= MOST_BACKENDS
    pieces_alone = live[: len(wish.wanted)]
    if wish.seed is not None:
        assert [slot.revision for slot in pieces_alone] == [slot.revision for slot in wish.wanted]
        assert shares(pieces_alone).get(wish.treatment, 0) // PERCENT == shares(wish.wanted)[wish.treatment] // PERCENT
    assert not any(slot.foreign and slot.share for slot in live)


@given(wishes(), st.lists(st.tuples(st.integers(0, 99), st.booleans()), max_size=8))
def test_the_treatment_never_has_more_than_its_share(start: Wish, looks: list[tuple[int, bool]]) -> None:
    live = Wish(start.control, start.treatment, start.weight, 0).step((), **UNSETTLED)
    for share, settled in looks:
        wish = Wish(start.control, start.treatment, start.weight, min(share, start.weight), start.seed or "s")
        live = wish.step(live, settled=settled)
        assert shares(live).get(start.treatment, 0) <= wish.share * PERCENT + MOST_BACKENDS * LEAVING


@dataclass(frozen=True)
class Several:
    """A test of three versions beside control, of whom some have ready pods; the others' places are control's."""

    seed: str
    here: frozenset[str]

    def shape(self, on: Collection[str]) -> Route:
        weights, names = (30, 20, 10), ("b", "c", "d")
        shares = [
            weight if name in self.here and name in on else 0 for name, weight in zip(names, weights, strict=True)
        ]
        who = ("a", *(name if name in self.here else "a" for name in names))
        return tuple(Slot(who[arm], size) for arm, size in pieces(self.seed, weights, shares))

    def step(self, live: Route, **how: Any) -> Route:
        if not self.here:
            return place({"a": 100}, live, **how)
        return arrange(self.shape, live, control="a", challengers=self.here, **how)


def users_of(route: Route, name: str) -> set[int]:
    """Positions of the hash range, coarsely, that belong to a revision."""
    found, begin = set(), 0
    for slot in route:
        if slot.revision == name:
            found |= {*range(-(-begin // 500), -(-(begin + slot.share) // 500))}
        begin += slot.share
    return found


present = st.sets(st.sampled_from("bcd")).map(frozenset)


def test_a_test_of_several_begins_for_all_in_one_write() -> None:
    wish, seen = Several("s", frozenset("bcd")), []
    live: Route = (Slot("a", WHOLE),)
    for _ in range(MOST_STEPS):
        live = wish.step(live, **SETTLED)
        seen.append(tuple(shares(live).get(name, 0) // PERCENT for name in "bcd"))
    assert set(seen) == {(0, 0, 0), (30, 20, 10)}
    assert live == wish.shape("bcd")


@given(st.sampled_from("stuvwxyz"), st.lists(st.tuples(present, st.booleans(), st.sets(st.just("old"))), max_size=12))
def test_proxies_find_every_cluster_while_challengers_come_and_go(
    seed: str, history: list[tuple[frozenset[str], bool, set[str]]]
) -> None:
    live = Several(seed, frozenset()).step((), **UNSETTLED)
    known = [live]
    for here, settled, kept in history:
        known = [live] if settled else known
        live = Several(seed, here).step(live, settled=settled, kept=kept)
        assert sum(slot.share for slot in live) == WHOLE
        assert len(live) <= MOST_BACKENDS
        for earlier in known:
            assert served(live) <= clusters(earlier), "traffic only for whom the proxies know"
            assert served(earlier) <= clusters(live), "who has traffic stays where it is"
        known.append(live)
    for _ in range(MOST_STEPS):
        live = Several(seed, frozenset("bcd")).step(live, **SETTLED)
    assert live == Several(seed, frozenset("bcd")).shape("bcd")


@given(st.sampled_from("stuvwxyz"), st.lists(st.sampled_from("bc"), max_size=8), st.data())
def test_whoever_comes_and_goes_moves_nobody_who_stays(seed: str, flips: list[str], data: st.DataObject) -> None:
    """One has pods all the time, and never gets or gives up a user; the others' users go to control and come back."""
    everybody = Several(seed, frozenset("bcd"))
    live, here = everybody.shape("bcd"), set("bcd")
    mine = {name: users_of(live, name) for name in "abcd"}
    for name in flips:
        here ^= {name}
        for _ in range(data.draw(st.integers(1, 4))):
            live = Several(seed, frozenset(here)).step(live, settled=data.draw(st.booleans()))
            assert len(users_of(live, "d") ^ mine["d"]) <= 4, "but for who is at an edge"
            for other in "bc":
                assert len(users_of(live, other) - mine[other]) <= 4, "nobody but his own"
            assert len(mine["a"] - users_of(live, "a")) <= 4
