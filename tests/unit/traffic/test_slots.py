"""The way from one split to the next: no step of it loses a request."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sluice.traffic.slots import COMING, LEAVING, PERCENT, PLACES, VACANT, WHOLE, Slot, place, written

BESIDE_COMING = WHOLE - COMING
BESIDE_LEAVING = WHOLE - LEAVING

# How the live route stands with the gateway and its proxies.
SETTLED: dict[str, Any] = {"settled": True}
UNSETTLED: dict[str, Any] = {"settled": False}
REFUSED: dict[str, Any] = {"settled": False, "refused": True}


def slots(*written: tuple[str, int]) -> tuple[Slot, ...]:
    return tuple(Slot(revision, share) for revision, share in written)


@pytest.mark.parametrize(
    ("live", "how", "split", "placed"),
    [
        pytest.param([], REFUSED, {"a": 100}, [("a", WHOLE)], id="the first route is written whole"),
        pytest.param(
            [("a", WHOLE)], SETTLED, {"a": 90, "b": 10}, [("a", BESIDE_COMING), ("b", COMING)], id="who comes is parked"
        ),
        pytest.param(
            [("a", BESIDE_COMING), ("b", COMING)],
            UNSETTLED,
            {"a": 90, "b": 10},
            [("a", BESIDE_COMING), ("b", COMING)],
            id="and stays so until that has settled",
        ),
        pytest.param(
            [("a", BESIDE_COMING), ("b", COMING)],
            SETTLED,
            {"a": 90, "b": 10},
            [("a", 90 * PERCENT), ("b", 10 * PERCENT)],
            id="then it gets its weight",
        ),
        pytest.param(
            [("a", 50 * PERCENT), ("b", 50 * PERCENT)],
            UNSETTLED,
            {"a": 100},
            [("a", BESIDE_LEAVING), ("b", LEAVING)],
            id="who leaves is parked at once",
        ),
        pytest.param(
            [("a", BESIDE_LEAVING), ("b", LEAVING)],
            SETTLED,
            {"a": 100},
            [("a", WHOLE)],
            id="and gone once that has settled",
        ),
        pytest.param(
            [("a", LEAVING), ("b", BESIDE_LEAVING)],
            SETTLED,
            {"b": 100},
            [("b", 0), ("b", WHOLE)],
            id="who is promoted keeps its place",
        ),
        pytest.param(
            [("b", 0), ("b", WHOLE)],
            SETTLED,
            {"b": 90, "c": 10},
            [("c", COMING), ("b", BESIDE_COMING)],
            id="the free place is taken",
        ),
        pytest.param(
            [("a", 90 * PERCENT), ("b", 10 * PERCENT)],
            SETTLED,
            {"a": 90, "c": 10},
            [("a", BESIDE_LEAVING), ("b", LEAVING)],
            id="a successor waits until its predecessor is parked",
        ),
        pytest.param(
            [("a", 30 * PERCENT), ("a", 30 * PERCENT), ("a", 30 * PERCENT), ("b", 10 * PERCENT)],
            SETTLED,
            {"a": 90, "b": 10},
            [("a", 90 * PERCENT - 2 * LEAVING), ("a", LEAVING), ("a", LEAVING), ("b", 10 * PERCENT)],
            id="a revision in three places, as after a test or a hand edit, is parked in all but one of them",
        ),
        pytest.param(
            [("a", 90 * PERCENT - 2 * LEAVING), ("a", LEAVING), ("a", LEAVING), ("b", 10 * PERCENT)],
            SETTLED,
            {"a": 90, "b": 10},
            [("a", 90 * PERCENT), ("a", 0), ("a", 0), ("b", 10 * PERCENT)],
            id="and then stands in that one alone",
        ),
        pytest.param(
            [("b", COMING), ("a", BESIDE_COMING - LEAVING), ("b", LEAVING)],
            UNSETTLED,
            {"b": 100},
            [("b", COMING), ("a", LEAVING), ("b", BESIDE_COMING - LEAVING)],
            id="of its places one that the proxies know takes the traffic",
        ),
        pytest.param(
            [("a", 40 * PERCENT), ("service/mine", 60 * PERCENT)],
            SETTLED,
            {"a": 100},
            [("a", WHOLE)],
            id="a stranger whom somebody wrote in goes at once",
        ),
        pytest.param(
            [("a", BESIDE_LEAVING), ("b", LEAVING)],
            REFUSED,
            {"a": 100},
            [("a", WHOLE)],
            id="who is parked leaves a route that the gateway refuses, perhaps because of him",
        ),
        pytest.param(
            [("a", LEAVING), ("b", BESIDE_LEAVING)],
            SETTLED | {"kept": {"a"}},
            {"b": 100},
            [("a", LEAVING), ("b", BESIDE_LEAVING)],
            id="who is kept stays parked",
        ),
        pytest.param(
            [("a", LEAVING), ("b", BESIDE_LEAVING)],
            SETTLED | {"kept": {"a"}},
            {"a": 100},
            [("a", BESIDE_LEAVING), ("b", LEAVING)],
            id="and has all traffic back in one step",
        ),
        pytest.param(
            [("b", 0), ("b", WHOLE)],
            SETTLED | {"kept": {"a"}},
            {"b": 100},
            [("b", 0), ("b", WHOLE)],
            id="who has left is kept no more",
        ),
        pytest.param(
            [("a", WHOLE)],
            SETTLED,
            {"b": 100},
            [("a", BESIDE_COMING), ("b", COMING)],
            id="a successor of all traffic is made known first",
        ),
        pytest.param(
            [("a", BESIDE_COMING), ("b", COMING)],
            UNSETTLED,
            {"b": 100},
            [("a", BESIDE_COMING), ("b", COMING)],
            id="requests go where they went until it is known",
        ),
        pytest.param(
            [("a", BESIDE_COMING), ("b", COMING)],
            SETTLED,
            {"b": 100},
            [("a", LEAVING), ("b", BESIDE_LEAVING)],
            id="and then all at once to the successor",
        ),
        pytest.param(
            [("a", LEAVING), ("b", BESIDE_LEAVING)],
            UNSETTLED,
            {"a": 100},
            [("a", BESIDE_LEAVING), ("b", LEAVING)],
            id="who had traffic a moment ago gets it back at once",
        ),
        pytest.param(
            [("a", LEAVING), ("service/mine", BESIDE_LEAVING)],
            SETTLED | {"kept": {"a"}},
            {"b": 100},
            [("b", WHOLE)],
            id="where somebody took out who had the traffic, it goes to whom it belongs at once",
        ),
        pytest.param(
            [("a", WHOLE)],
            REFUSED,
            {"b": 100},
            [("b", WHOLE)],
            id="a refused route that leads only to others is written anew",
        ),
        pytest.param(
            [("service/mine", WHOLE)], SETTLED, {"a": 100}, [("a", WHOLE)], id="a hand-made route is written anew"
        ),
    ],
)
def test_the_next_step(
    live: list[tuple[str, int]], how: dict[str, Any], split: dict[str, int], placed: list[tuple[str, int]]
) -> None:
    assert place(split, slots(*live), **how) == slots(*placed)


@st.composite
def splits(draw: st.DrawFn) -> dict[str, int]:
    first, second = draw(st.permutations("abc"))[:2]
    weight = draw(st.integers(0, 99))
    return {first: 100 - weight} | ({second: weight} if weight else {})


@given(splits(), st.lists(st.tuples(splits(), st.sampled_from([SETTLED, REFUSED, UNSETTLED])), max_size=12))
def test_any_history_ends_at_the_last_split(
    start: dict[str, int], wishes: list[tuple[dict[str, int], dict[str, Any]]]
) -> None:
    live = place(start, (), **UNSETTLED)
    for split, how in (*wishes, *[(wishes[-1][0] if wishes else start, SETTLED)] * 5):
        live = place(split, live, **how)
        assert sum(slot.share for slot in live) == WHOLE
        assert len(live) <= 4
    last = wishes[-1][0] if wishes else start
    assert {s.revision: s.share // PERCENT for s in live if s.share} == last


@given(splits(), st.lists(st.tuples(splits(), st.booleans(), st.sets(st.sampled_from("abc"))), max_size=12))
def test_proxies_that_miss_steps_find_every_cluster_in_its_place(
    start: dict[str, int], wishes: list[tuple[dict[str, int], bool, set[str]]]
) -> None:
    live = place(start, (), **UNSETTLED)
    known = [live]  # what proxies may know: every route since the one that has settled
    for split, settled, kept in wishes:
        known = [live] if settled else known
        live = place(split, live, settled=settled, kept=kept)
        for earlier in known:
            assert served(live).items() <= clusters(earlier).items(), "traffic only for whom the proxies know"
            assert served(earlier).items() <= clusters(live).items(), "who has traffic stays where it is"
        known.append(live)


@pytest.mark.parametrize(
    ("placed", "filled"),
    [
        pytest.param([("a", WHOLE)], [("a", WHOLE - 2 * VACANT), ("a", VACANT), ("a", VACANT)], id="one revision"),
        pytest.param(
            [("a", 90 * PERCENT), ("b", 10 * PERCENT)],
            [("a", 90 * PERCENT), ("b", 10 * PERCENT - VACANT), ("b", VACANT)],
            id="the end of the part before it",
        ),
        pytest.param(
            [("b", 0), ("b", BESIDE_LEAVING), ("a", LEAVING)],
            [("b", VACANT), ("b", BESIDE_LEAVING - VACANT), ("a", LEAVING)],
            id="at the front the beginning of the part behind it",
        ),
        pytest.param(
            [("a", BESIDE_LEAVING), ("b", LEAVING), ("a", 0)],
            [("a", BESIDE_LEAVING - VACANT), ("b", LEAVING), ("a", VACANT)],
            id="who is parked has nothing to give",
        ),
    ],
)
def test_vacant_places_are_filled(placed: list[tuple[str, int]], filled: list[tuple[str, int]]) -> None:
    assert written(slots(*placed)) == slots(*filled)


@given(st.lists(st.tuples(st.integers(1, 99), st.booleans()), max_size=6), st.booleans())
def test_one_rollout_after_the_other_changes_no_cluster(rollouts: list[tuple[int, bool]], keeps: bool) -> None:
    stable, before = "v0", "none"
    live = place({stable: 100}, (), **UNSETTLED)
    for number, (weight, promoted) in enumerate(rollouts, 1):
        candidate = f"v{number}"
        last = {candidate: 100} if promoted else {stable: 100}
        for split in ({stable: 100 - weight, candidate: weight}, last):
            for _ in range(4):
                live = place(split, live, settled=True, kept={before} if keeps else ())
                assert len(written(live)) == PLACES
        before, stable = (stable, candidate) if promoted else (before, stable)


def served(route: tuple[Slot, ...]) -> dict[str, int]:
    """Positions of those with traffic, by revision."""
    return {slot.revision: index for index, slot in enumerate(route) if slot.share and not slot.parked}


def clusters(route: tuple[Slot, ...]) -> dict[str, int]:
    return {slot.revision: index for index, slot in enumerate(route) if slot.share}
