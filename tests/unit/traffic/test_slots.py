"""The way from one split to the next: no step of it loses a request."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sluice.traffic.slots import PARKED, PERCENT, WHOLE, Slot, place

PARKED_BESIDE = WHOLE - PARKED


def slots(*written: tuple[str, int]) -> tuple[Slot, ...]:
    return tuple(Slot(revision, share) for revision, share in written)


@pytest.mark.parametrize(
    ("live", "accepted", "split", "placed"),
    [
        pytest.param([], False, {"a": 100}, [("a", WHOLE)], id="the first route is written whole"),
        pytest.param(
            [("a", WHOLE)], True, {"a": 90, "b": 10}, [("a", PARKED_BESIDE), ("b", PARKED)], id="who comes is parked"
        ),
        pytest.param(
            [("a", PARKED_BESIDE), ("b", PARKED)],
            None,
            {"a": 90, "b": 10},
            [("a", PARKED_BESIDE), ("b", PARKED)],
            id="and stays so until the gateway has taken that",
        ),
        pytest.param(
            [("a", PARKED_BESIDE), ("b", PARKED)],
            True,
            {"a": 90, "b": 10},
            [("a", 90 * PERCENT), ("b", 10 * PERCENT)],
            id="then it gets its weight",
        ),
        pytest.param(
            [("a", 50 * PERCENT), ("b", 50 * PERCENT)],
            None,
            {"a": 100},
            [("a", PARKED_BESIDE), ("b", PARKED)],
            id="who leaves is parked at once",
        ),
        pytest.param(
            [("a", PARKED_BESIDE), ("b", PARKED)], True, {"a": 100}, [("a", WHOLE)], id="and gone once that is taken"
        ),
        pytest.param(
            [("a", PARKED), ("b", PARKED_BESIDE)],
            True,
            {"b": 100},
            [("b", 0), ("b", WHOLE)],
            id="who is promoted keeps its place",
        ),
        pytest.param(
            [("b", 0), ("b", WHOLE)],
            True,
            {"b": 90, "c": 10},
            [("c", PARKED), ("b", PARKED_BESIDE)],
            id="the free place is taken",
        ),
        pytest.param(
            [("a", 90 * PERCENT), ("b", 10 * PERCENT)],
            True,
            {"a": 90, "c": 10},
            [("a", PARKED_BESIDE), ("b", PARKED)],
            id="a successor waits until its predecessor is parked",
        ),
        pytest.param(
            [("a", 30 * PERCENT), ("a", 30 * PERCENT), ("a", 30 * PERCENT), ("b", 10 * PERCENT)],
            True,
            {"a": 90, "b": 10},
            [("a", 90 * PERCENT), ("a", 0), ("a", 0), ("b", 10 * PERCENT)],
            id="a revision that somebody wrote down three times stands in one place",
        ),
        pytest.param(
            [("a", 40 * PERCENT), ("service/mine", 60 * PERCENT)],
            True,
            {"a": 100},
            [("a", WHOLE)],
            id="a stranger whom somebody wrote in goes at once",
        ),
        pytest.param(
            [("a", PARKED_BESIDE), ("b", PARKED)],
            False,
            {"a": 100},
            [("a", WHOLE)],
            id="who is parked leaves a route that the gateway refuses, perhaps because of him",
        ),
        pytest.param(
            [("service/mine", WHOLE)], True, {"a": 100}, [("a", WHOLE)], id="a hand-made route is written anew"
        ),
    ],
)
def test_the_next_step(
    live: list[tuple[str, int]], accepted: bool | None, split: dict[str, int], placed: list[tuple[str, int]]
) -> None:
    assert place(split, slots(*live), accepted=accepted) == slots(*placed)


@st.composite
def splits(draw: st.DrawFn) -> dict[str, int]:
    first, second = draw(st.permutations("abc"))[:2]
    weight = draw(st.integers(0, 99))
    return {first: 100 - weight} | ({second: weight} if weight else {})


@given(splits(), st.lists(st.tuples(splits(), st.sampled_from([True, False, None])), max_size=12))
def test_any_history_ends_at_the_last_split_and_no_step_moves_traffic_to_a_stranger(
    start: dict[str, int], wishes: list[tuple[dict[str, int], bool | None]]
) -> None:
    live = place(start, (), accepted=None)
    for split, accepted in (*wishes, *[(wishes[-1][0] if wishes else start, True)] * 4):
        placed = place(split, live, accepted=accepted)
        assert sum(slot.share for slot in placed) == WHOLE
        assert len(placed) <= 4
        before = {slot.revision: index for index, slot in enumerate(live) if slot.share}
        if before.keys() & split.keys():
            for index, slot in enumerate(placed):
                assert slot.share <= PARKED or before.get(slot.revision) == index, "traffic only to a known place"
        live = placed
    last = wishes[-1][0] if wishes else start
    assert {s.revision: s.share // PERCENT for s in live if s.share} == last
