"""Durations out of the pods' cells: compared only where both arms were counted above the same edges."""

from __future__ import annotations

import json
from bisect import bisect_left
from itertools import accumulate

import pytest
from sluice.analysis import Margin
from sluice.analysis.cells import EDGES
from sluice.analysis.latency import ENOUGH
from sluice.api.record import Cursor, Evidence
from sluice.core.durations import between, counted, prepared
from sluice.core.observation import Counters

MARGINS = (Margin(1.2, 0.02),)
HERE = EDGES.index(1.0)


def cells(**seconds: int) -> tuple[int, ...]:
    """Cells of so many answers each: `at_1=5` are five answers that took one second, `at_0_02=1` one of 20 ms."""
    counts = [0] * (len(EDGES) + 1)
    for name, number in seconds.items():
        counts[bisect_left(EDGES, float(name.removeprefix("at_").replace("_", ".")))] += number
    return tuple(accumulate(counts))


def pod(durations: tuple[int, ...] | None, start: str = "a") -> Counters:
    return Counters(start, 1000, 0, durations)


CHOSEN = prepared(Evidence(), MARGINS, {"s": pod(cells(at_1=ENOUGH))})


def looked(evidence: Evidence, **pods: Counters) -> Evidence:
    """The evidence after a look, as far as cursors go."""
    cursors = {
        uid: Cursor(start=c.start, requests=0, errors=0, durations=counted(c, evidence.edges))
        for uid, c in pods.items()
    }
    return evidence.model_copy(update={"cursors": {**evidence.cursors, **cursors}})


def test_cut_points_are_chosen_once_from_all_of_stables_pods() -> None:
    half = cells(at_1=ENOUGH // 2)
    assert prepared(Evidence(), MARGINS, {"s": pod(half)}).edges == ()
    chosen = prepared(Evidence(), MARGINS, {"s": pod(half), "t": pod(half)})
    assert chosen.cuts[0] == HERE
    assert {HERE, HERE + 2} <= set(chosen.edges)
    slower = prepared(chosen, MARGINS, {"s": pod(cells(at_10=10_000))})
    assert (slower.cuts, slower.edges) == (chosen.cuts, chosen.edges)


def test_without_a_latency_metric_nothing_is_kept_of_durations() -> None:
    evidence = prepared(CHOSEN, (), {"s": pod(cells(at_1=1000))})
    assert evidence.edges == ()
    assert counted(pod(cells(at_1=5)), evidence.edges) is None


def test_what_chose_the_cut_points_is_not_compared_at_them() -> None:
    pods = {"s": pod(cells(at_1=1000))}, {"c": pod(cells(at_5=50))}
    assert between(Evidence(), CHOSEN, *pods, fresh={"s", "c"}) is None
    after = looked(CHOSEN, **pods[0], **pods[1])
    found = between(after, after, *pods, fresh={"s", "c"})
    assert found
    assert [arm.number for arm in found] == [0, 0]


def test_each_answer_is_counted_once_and_where_it_belongs() -> None:
    before = looked(CHOSEN, s=pod(cells(at_1=100, at_2=10)), c=pod(cells(at_1=7)))
    found = between(
        before, before, {"s": pod(cells(at_1=150, at_2=13))}, {"c": pod(cells(at_1=8, at_2=4))}, fresh=set()
    )
    assert found
    stable, canary = found
    assert (stable.number, stable.above[HERE], stable.above[HERE + 2]) == (53, 3, 3)
    assert (canary.number, canary.above[HERE]) == (5, 4)


def test_a_restarted_container_and_a_new_pod_count_from_zero_and_an_old_one_from_where_it_is_first_seen() -> None:
    before = looked(CHOSEN, s=pod(cells(at_1=100)), c=pod(cells(at_1=7)))
    stable = {"s": pod(cells(at_1=30), start="b"), "old": pod(cells(at_1=500))}
    found = between(before, before, stable, {"c": pod(cells(at_1=7)), "new": pod(cells(at_2=3))}, fresh={"new"})
    assert found
    assert [arm.number for arm in found] == [30, 3]
    assert found[1].above[HERE] == 3


def test_a_pod_that_was_counted_above_other_edges_begins_anew() -> None:
    before = looked(CHOSEN, s=pod(cells(at_1=100)), c=pod(cells(at_1=7)))
    blind = before.model_copy(update={"cursors": before.cursors | {"c": Cursor(start="a", requests=0, errors=0)}})
    found = between(blind, blind, {"s": pod(cells(at_1=110))}, {"c": pod(cells(at_1=70))}, fresh={"c"})
    assert found
    assert [arm.number for arm in found] == [10, 0]
    wider = prepared(before, (*MARGINS, Margin(3.0, 0.02)), {})
    assert between(before, wider, {}, {}, fresh=set()) is None


@pytest.mark.parametrize("arm", [0, 1])
def test_one_server_that_tells_no_durations_stops_the_comparison(arm: int) -> None:
    before = looked(CHOSEN, s=pod(cells(at_1=100)), c=pod(cells(at_1=7)))
    arms = [{"s": pod(cells(at_1=200))}, {"c": pod(cells(at_1=20))}]
    arms[arm]["mute"] = pod(None)
    assert between(before, before, arms[0], arms[1], fresh={"mute"}) is None


def test_cells_that_go_back_count_nothing() -> None:
    before = looked(CHOSEN, s=pod(cells(at_1=100, at_5=50)), c=pod(cells(at_1=7)))
    found = between(before, before, {"s": pod(cells(at_1=160, at_5=40))}, {"c": pod(cells(at_1=6))}, fresh=set())
    assert found
    assert (found[0].number, found[0].above[HERE], found[1].number) == (50, 0, 0)


def test_a_cursor_is_small() -> None:
    assert len(json.dumps(looked(CHOSEN, s=pod(cells(at_1=100))).to_kubernetes())) < 500
