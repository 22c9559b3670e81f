"""Latency as evidence: valid by enumeration and simulation, quick in clear cases, exact across restarts."""

import copy
import itertools
import json
import math
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom
from sluice.analysis import Answers, Arm, LatencyEvidence, Margin, Slowness, threshold
from sluice.analysis.absolute import AbsoluteEvidence
from sluice.analysis.cells import EDGES, above, later, quantile
from sluice.analysis.latency import ENOUGH, choose_cuts, needed

from tests.unit.analysis.latencies import (
    AT_THE_MARGIN,
    MARGIN,
    NO_DIFFERENCE,
    WORSE,
    Scenario,
    answers,
    cells,
    run,
)

ROUNDING = 1e-9
ALPHA = 0.05
BETWEEN = Margin(ratio=1.25, absolute=0.02)  # 1.25 times an edge lies between two
CUTS = (40, 46, 52, 68)


def constant(seconds: float, number: int) -> tuple[int, ...]:
    return (*(number * (seconds <= edge) for edge in EDGES), number)


# Cells


def test_twenty_per_cent_are_two_cells_exactly() -> None:
    assert later(40, 1.2) == (42, 42)
    assert later(40, 1.44) == (44, 44)
    assert later(40, 1.0) == (40, 40)


@given(edge=st.integers(0, len(EDGES) - 1), ratio=st.floats(1, 100))
def test_a_shifted_cut_lies_between_its_edges(edge: int, ratio: float) -> None:
    lower, upper = later(edge, ratio)
    assert edge <= lower <= upper
    assert EDGES[lower] <= EDGES[edge] * ratio * (1 + 3e-5)
    assert upper >= len(EDGES) or EDGES[edge] * ratio <= EDGES[upper] * (1 + 3e-5)
    assert upper - lower <= 1 or lower == len(EDGES) - 1


def test_nothing_is_known_to_be_above_an_edge_that_does_not_exist() -> None:
    assert above(constant(1000.0, 5), len(EDGES) - 1) == 5
    assert above(constant(1000.0, 5), len(EDGES)) == 0


@given(st.lists(st.floats(1e-4, 100), min_size=1, max_size=50), st.floats(0.01, 1))
def test_a_quantile_is_the_first_edge_that_so_many_do_not_exceed(seconds: list[float], share: float) -> None:
    import numpy as np

    edge = quantile(cells(np.array(seconds)), share)
    enough = share * len(seconds)
    assert edge == len(EDGES) - 1 or sum(s <= EDGES[edge] for s in seconds) >= enough
    assert edge == 0 or sum(s <= EDGES[edge - 1] for s in seconds) < enough


# Cut points


def test_cut_points_are_stables_quantiles_and_one_far_out() -> None:
    counts = [0] * len(EDGES)
    for edge, number in ((50, 500), (60, 400), (70, 95), (80, 5)):
        counts[edge] = number
    assert choose_cuts((*itertools.accumulate(counts), 1000)) == (50, 60, 70, 86)


def test_no_cut_points_are_chosen_from_too_few_answers() -> None:
    assert choose_cuts(constant(0.02, ENOUGH - 1)) is None
    assert choose_cuts(constant(0.02, ENOUGH)) is not None


@pytest.mark.parametrize("seconds", [1e-9, 0.01, 60.0, 1e9])
def test_any_durations_have_cut_points_that_evidence_accepts(seconds: float) -> None:
    cuts = choose_cuts(constant(seconds, 1000))
    assert cuts
    evidence = LatencyEvidence.start(BETWEEN, cuts)
    edges = needed(cuts, [BETWEEN])
    both = answers(constant(seconds, 50), edges)
    assert evidence.observe(stable=both, canary=both).harm <= 0


def test_needed_edges_are_the_cuts_and_where_each_margin_leads() -> None:
    assert needed((40, 120), [MARGIN]) == (40, 42, 120, 122)
    assert needed((40, 128), [MARGIN, BETWEEN]) == (40, 42, 43, 128, 129)


@pytest.mark.parametrize("above", [{40: 5}, {40: 1, 42: 2}, {40: -1}], ids=str)
def test_impossible_answers_are_refused(above: dict[int, int]) -> None:
    with pytest.raises(ValueError, match="answers above rising edges"):
        Answers(4, above)


@pytest.mark.parametrize("cuts", [(), (5, 5), (6, 5), (-1, 5), (5, len(EDGES))], ids=str)
def test_impossible_cut_points_are_refused(cuts: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="cut points"):
        LatencyEvidence.start(MARGIN, cuts)


# Validity: no bet has an expectation above 1, whatever happened before


def observed(blocks: Iterable[tuple[Answers, Answers]], margin: Margin, cuts: tuple[int, ...]) -> LatencyEvidence:
    evidence = LatencyEvidence.start(margin, cuts)
    for stable, canary in blocks:
        evidence = evidence.observe(stable=stable, canary=canary)
    return evidence


def split(number: int, counts: tuple[int, ...], edges: tuple[int, ...]) -> Answers:
    """Answers of which so many are above each edge."""
    return Answers(number, dict(zip(edges, counts, strict=True)))


# A small world: two cut points, and stable's and the canary's answers in one of three places: fast, slower, slowest.
SMALL_CUTS = (40, 60)


def block(number: int, outcome: tuple[int, int], margin: Margin) -> Answers:
    """`outcome`: how many are above the first cut (and where it leads), how many above the second."""
    return Answers(number, {edge: outcome[edge >= 60] for edge in needed(SMALL_CUTS, [margin])})


OUTCOMES = {number: [(a, b) for a in range(number + 1) for b in range(a + 1)] for number in (2, 3)}


def chance(number: int, outcome: tuple[int, int], rates: tuple[float, float]) -> float:
    """Probability of an outcome; `rates` of being above the first and the second cut."""
    share = min(1.0, rates[1] / rates[0]) if rates[0] else 0.0
    return float(binom.pmf(outcome[0], number, rates[0]) * binom.pmf(outcome[1], outcome[0], share))


HISTORIES: dict[str, list[tuple[tuple[int, tuple[int, int]], tuple[int, tuple[int, int]]]]] = {
    "nothing": [],
    "good": [((900, (400, 9)), (100, (30, 1))), ((75, (40, 0)), (25, (9, 0)))],
    "bad": [((90, (40, 1)), (10, (10, 6))), ((5, (2, 0)), (5, (5, 5)))],
}


@pytest.mark.parametrize("margin", [MARGIN, BETWEEN, Margin(2.0, 0.2)], ids=str)
@pytest.mark.parametrize("past", HISTORIES.values(), ids=HISTORIES.keys())
def test_expected_growth_is_at_most_one(
    margin: Margin, past: list[tuple[tuple[int, tuple[int, int]], tuple[int, tuple[int, int]]]]
) -> None:
    before = observed([(block(*s, margin), block(*c, margin)) for s, c in past], margin, SMALL_CUTS)

    states = {
        (s, c): before.observe(stable=block(3, s, margin), canary=block(2, c, margin))
        for s, c in itertools.product(OUTCOMES[3], OUTCOMES[2])
    }

    def growth(canary: tuple[float, float], log_e: Callable[[LatencyEvidence], float]) -> float:
        return math.fsum(
            chance(3, s, stable) * chance(2, c, canary) * math.exp(log_e(state)) for (s, c), state in states.items()
        ) / math.exp(log_e(before))

    for stable in ((0.0, 0.0), (0.3, 0.0), (0.5, 0.1), (0.7, 0.3)):
        at = (stable[0] + margin.absolute, stable[1] + margin.absolute)
        for within in (at, (at[0], stable[1]), (0.5 * at[0], 0.5 * at[1]), (0.0, 0.0)):
            assert growth(within, lambda e: e.harm) <= 1 + ROUNDING
        for beyond in (at, (at[0], 0.0), (1.0, 0.0)):
            assert growth(beyond, lambda e: e.cuts[0].safe.safe) <= 1 + ROUNDING
        for beyond in (at, (1.0, at[1]), (1.0, 1.0)):
            assert growth(beyond, lambda e: e.cuts[1].safe.safe) <= 1 + ROUNDING


def test_between_edges_harm_looks_above_and_safety_below() -> None:
    """All answers of the canary are in the cell in which the tolerated cut lies: they prove neither."""
    edges = needed((40,), [BETWEEN])
    lower, upper = later(40, BETWEEN.ratio)
    assert edges == (40, lower, upper)
    fast, within = split(500, (0, 0, 0), edges), split(500, (500, 500, 0), edges)
    evidence = observed([(fast, within)] * 4, BETWEEN, (40,))
    assert evidence.harm < 0
    assert evidence.safe < 0
    assert observed([(fast, split(500, (500, 500, 500), edges))], BETWEEN, (40,)).harm > 100
    assert observed([(fast, split(500, (500, 0, 0), edges))], BETWEEN, (40,)).safe > 3


def test_each_cut_is_the_absolute_test_of_its_counts() -> None:
    edges = needed(CUTS, [MARGIN])
    stable, canary = split(90, (45, 40, 9, 8, 1, 1, 0, 0), edges), split(10, (9, 8, 7, 3, 2, 1, 1, 1), edges)
    evidence = observed([(stable, canary)] * 3, MARGIN, CUTS)
    expected = []
    for cut in CUTS:
        state = AbsoluteEvidence.start(MARGIN.absolute)
        for _ in range(3):
            state = state.observe(stable=Arm(90, stable.above[cut]), canary=Arm(10, canary.above[cut + 2]))
        expected.append(state)
    assert [cut.harm for cut in evidence.cuts] == expected
    assert math.exp(evidence.harm) == pytest.approx(sum(math.exp(state.harm) for state in expected) / 4)
    assert evidence.safe == min(state.safe for state in expected)


# Whole rollouts

REPETITIONS = 20


@pytest.mark.parametrize("scenario", NO_DIFFERENCE, ids=lambda s: s.name)
def test_a_canary_within_the_margin_is_promoted_and_not_rolled_back(scenario: Scenario) -> None:
    found = [run(scenario, seed, blocks=24) for seed in range(REPETITIONS)]
    assert sum(outcome.harm is not None for outcome in found) <= ALPHA * REPETITIONS
    assert all(outcome.safe is not None for outcome in found)


@pytest.mark.parametrize("scenario", AT_THE_MARGIN, ids=lambda s: s.name)
def test_a_canary_at_the_margin_is_neither_proven_safe_nor_harmful(scenario: Scenario) -> None:
    found = [run(scenario, 1000 + seed, blocks=24) for seed in range(REPETITIONS)]
    assert sum(outcome.safe is not None for outcome in found) <= ALPHA * REPETITIONS
    assert sum(outcome.harm is not None for outcome in found) <= ALPHA * REPETITIONS


@pytest.mark.parametrize(
    ("scenario", "most"), list(zip(WORSE, (250, 4000, 60, 60, 500), strict=True)), ids=lambda s: getattr(s, "name", s)
)
def test_a_slow_canary_is_always_found(scenario: Scenario, most: int) -> None:
    found = [run(scenario, seed) for seed in range(REPETITIONS)]
    assert all(outcome.safe is None for outcome in found)
    exposed = sorted(math.inf if outcome.harm is None else outcome.harm for outcome in found)
    assert exposed[-1] < math.inf
    assert exposed[REPETITIONS * 9 // 10] <= most


@pytest.mark.parametrize("good", [0, 50])
def test_a_canary_that_is_slow_each_time_is_found_within_fifteen_answers(good: int) -> None:
    """From the start, or after 5,000 good ones."""
    cuts = choose_cuts(constant(0.02, 1000))
    assert cuts
    edges = needed(cuts, [MARGIN])
    fine = [(answers(constant(0.02, 90), edges), answers(constant(0.02, 10), edges))] * good
    evidence, number = observed(fine, MARGIN, cuts), 0
    while evidence.harm < threshold(ALPHA):
        number += 1
        evidence = evidence.observe(stable=answers(constant(0.02, 9), edges), canary=answers(constant(0.32, 1), edges))
    assert number <= 15


def test_where_stable_is_slower_than_all_cut_points_nothing_is_safe() -> None:
    """There both arms look alike, whatever the canary does."""
    margin, cuts = Margin(1.2, 0.2), choose_cuts(constant(0.02, 1000))
    assert cuts
    edges = needed(cuts, [margin])
    stable, canary = (
        tuple(fast + slow for fast, slow in zip(constant(0.02, 400), constant(seconds, 600), strict=True))
        for seconds in (5.0, 50.0)
    )
    evidence = observed([(answers(stable, edges), answers(canary, edges))] * 5, margin, cuts)
    assert min(cut.safe.safe for cut in evidence.cuts) > threshold(ALPHA)
    assert evidence.safe == 0


def test_it_says_how_slow() -> None:
    edges = needed((EDGES.index(1.0),), [MARGIN])
    evidence = LatencyEvidence.start(MARGIN, (EDGES.index(1.0),))
    evidence = evidence.observe(stable=split(100, (11, 5), edges), canary=split(100, (70, 61), edges))
    evidence = evidence.observe(stable=split(100, (11, 5), edges), canary=split(0, (0, 0), edges))
    seen = evidence.most_harmful
    assert seen == Slowness(seconds=1.0, ratio=1.2, canary=0.61, stable=0.11, answers=100)
    assert evidence.least_safe == seen


# State


def streams() -> st.SearchStrategy[list[tuple[tuple[int, ...], tuple[int, ...]]]]:
    counts = st.lists(st.integers(0, 1000), min_size=9, max_size=9).map(lambda c: tuple(sorted(c, reverse=True)))
    return st.lists(st.tuples(counts, counts), max_size=4)


def fed(stream: list[tuple[tuple[int, ...], tuple[int, ...]]], evidence: LatencyEvidence) -> LatencyEvidence:
    edges = needed(CUTS, [MARGIN])
    for stable, canary in stream:
        evidence = evidence.observe(
            stable=split(stable[0], stable[1:], edges), canary=split(canary[0], canary[1:], edges)
        )
    return evidence


@settings(deadline=None, max_examples=30)
@given(before=streams(), after=streams())
def test_a_restart_in_the_middle_changes_nothing(before: list[Any], after: list[Any]) -> None:
    start = LatencyEvidence.start(MARGIN, CUTS)
    written = json.dumps(fed(before, start).dump(), allow_nan=False)
    assert len(written) < 1024 * len(CUTS)
    resumed = LatencyEvidence.load(json.loads(written))
    assert fed(after, resumed) == fed(before + after, start)


@settings(deadline=None, max_examples=30)
@given(past=streams(), stable=st.integers(1, 300), canary=st.integers(1, 300), share=st.floats(0, 1))
def test_a_slower_canary_is_more_harmful_and_less_safe(past: list[Any], stable: int, canary: int, share: float) -> None:
    evidence, edges = fed(past, LatencyEvidence.start(MARGIN, CUTS)), needed(CUTS, [MARGIN])
    same = split(stable, (stable // 2,) * 8, edges)
    slow, slower = (split(canary, (int(canary * part),) * 8, edges) for part in (share / 2, share))
    less, more = (evidence.observe(stable=same, canary=arm) for arm in (slow, slower))
    assert more.harm >= less.harm - 1e-4
    assert more.safe <= less.safe + 1e-4


def test_evidence_between_edges_survives_json() -> None:
    edges = needed(CUTS, [BETWEEN])
    number = len(edges)
    arms = split(90, (9,) * number, edges), split(10, (7,) * number, edges)
    evidence = observed([arms, arms], BETWEEN, CUTS)
    assert LatencyEvidence.load(json.loads(json.dumps(evidence.dump()))) == evidence


GOOD = fed([((90, *[9] * 8), (10, *[1] * 8))], LatencyEvidence.start(MARGIN, CUTS)).dump()

SPOILT: dict[str, Callable[[dict[str, Any]], object]] = {
    "format missing": lambda d: d.pop("format"),
    "format of another version": lambda d: d.update(format="latency/0"),
    "ratio below one": lambda d: d.update(ratio=0.5),
    "ratio a text": lambda d: d.update(ratio="1.2"),
    "no cuts": lambda d: d.update(cuts=[]),
    "cuts no list": lambda d: d.update(cuts={}),
    "cut no object": lambda d: d.update(cuts=[1]),
    "edge missing": lambda d: d["cuts"][0].pop("edge"),
    "edge out of range": lambda d: d["cuts"][-1].update(edge=len(EDGES)),
    "edges falling": lambda d: d["cuts"].reverse(),
    "harm missing": lambda d: d["cuts"][0].pop("harm"),
    "two margins": lambda d: d["cuts"][0]["harm"].update(delta=0.3),
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT.keys())
def test_garbage_is_refused(spoil: Callable[[dict[str, Any]], object]) -> None:
    data = copy.deepcopy(GOOD)
    assert LatencyEvidence.load(data).dump() == GOOD
    spoil(data)
    with pytest.raises(ValueError, match=r"stored evidence|margin"):
        LatencyEvidence.load(data)
