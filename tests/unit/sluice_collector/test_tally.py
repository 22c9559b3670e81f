"""What is counted, and that its order does not matter."""

from __future__ import annotations

import math
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from sluice_collector import exact
from sluice_collector.compare import Compared, compare
from sluice_collector.latency import RATIO, Latency
from sluice_collector.protocol import shown
from sluice_collector.tally import LABELS, OTHER, Flips, Tally

from tests.unit.sluice_collector.worlds import answer, both

FLOATS = st.floats(min_value=-1e100, max_value=1e100)
STORED = TypeAdapter(Tally)


def pair(stable: object, candidate: object) -> Compared:
    ours, theirs = both("r", stable, candidate)
    return compare(ours, theirs)


@given(st.lists(st.lists(FLOATS)))
def test_sums_are_exact_however_they_are_cut(batches: list[list[float]]) -> None:
    parts: exact.Parts = ()
    for batch in batches:
        parts = exact.add(parts, batch)
    everything = [value for batch in batches for value in batch]
    assert sum(map(Fraction, parts)) == sum(map(Fraction, everything))
    assert exact.total(parts) == math.fsum(everything)


def test_small_differences_are_not_lost_beside_large_ones() -> None:
    tally = Tally().plus([pair(0.0, 1e16), pair(0.0, 1.0), pair(1e16, 0.0)])
    assert (tally.numeric.count, tally.numeric.mean) == (3, 1 / 3)
    assert tally.numeric.largest == 1e16


def test_errors_are_counted_by_side() -> None:
    fine, broken = answer("r", "stable"), answer("r", "stable", status=500, predictions=None)
    tally = Tally().plus([compare(fine, broken), compare(broken, fine), compare(broken, fine), compare(broken, broken)])
    counts = (tally.pairs, tally.disagreements, tally.stable_errors, tally.candidate_errors, tally.both_failed)
    assert counts == (4, 3, 3, 2, 1)
    assert tally.stable_latency.count == tally.candidate_latency.count == 0


def test_what_clients_did_wrong_does_not_count() -> None:
    refused = answer("r", "stable", status=400, predictions=None)
    assert Tally().plus([compare(refused, refused)]) == Tally()


def test_what_cannot_be_compared_is_unpaired_on_both_sides() -> None:
    large = answer("r", "stable", predictions=None)
    tally = Tally().plus([compare(large, large)])
    assert (tally.pairs, tally.stable_unpaired, tally.candidate_unpaired) == (0, 1, 1)


def test_labels_beyond_the_bound_are_counted_together() -> None:
    flips = Flips()
    for _ in range(2):
        flips = flips.plus((f"s{number}", f"c{number % 30}") for number in range(100))
    assert set(flips.counts) == {f"s{number}" for number in range(LABELS)} | {OTHER}
    candidates = {label for row in flips.counts.values() for label in row}
    assert candidates == {f"c{number}" for number in range(LABELS)} | {OTHER}
    assert sum(count for row in flips.counts.values() for count in row.values()) == 200
    assert flips.counts["s0"] == {"c0": 2}


@given(st.lists(st.tuples(st.text(max_size=3), st.text(max_size=3)), max_size=80))
def test_no_flip_is_lost_and_no_side_has_too_many_labels(pairs: list[tuple[str, str]]) -> None:
    flips = Flips().plus(pairs).plus(reversed(pairs))
    assert sum(count for row in flips.counts.values() for count in row.values()) == 2 * len(pairs)
    assert len(flips.counts) <= LABELS + 1
    assert len({label for row in flips.counts.values() for label in row}) <= LABELS + 1


@given(st.lists(st.floats(min_value=1e-6, max_value=86_400), min_size=1), st.sampled_from([0.5, 0.99]))
def test_quantiles_are_at_most_half_a_cell_off(seconds: list[float], share: float) -> None:
    latency = Latency().plus(seconds)
    exactly = sorted(seconds)[math.ceil(share * len(seconds)) - 1]
    assert exactly / RATIO**0.51 <= latency.quantile(share) <= exactly * RATIO**0.51
    assert math.isclose(latency.mean, math.fsum(seconds) / len(seconds), rel_tol=1e-3, abs_tol=1e-9)


def test_no_time_at_all_has_a_cell() -> None:
    latency = Latency().plus([0.0, 0.0])
    assert (latency.count, latency.mean) == (2, 0.0)
    assert 0 < latency.quantile(0.5) < 2e-6


@given(st.lists(st.tuples(st.sampled_from("abc") | FLOATS, st.sampled_from("abc") | FLOATS)))
def test_counts_come_back_from_the_database_as_they_were(pairs: list[tuple[object, object]]) -> None:
    tally = Tally().plus(pair(*one) for one in pairs)
    assert STORED.validate_json(STORED.dump_json(tally)) == tally


def test_nothing_is_zeros() -> None:
    durations = {"count": 0, "mean": 0.0, "p50": 0.0, "p99": 0.0}
    assert shown(Tally()).model_dump(by_alias=True) == {
        "pairs": 0,
        "disagreements": 0,
        "stableErrors": 0,
        "candidateErrors": 0,
        "bothFailed": 0,
        "unpaired": {"stable": 0, "candidate": 0},
        "classes": [],
        "numeric": {"count": 0, "meanDelta": 0.0, "meanAbsDelta": 0.0, "maxAbsDelta": 0.0},
        "latency": {"stable": durations, "candidate": durations},
    }
