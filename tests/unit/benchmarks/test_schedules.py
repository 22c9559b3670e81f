"""Which random schedules are run: some of everything."""

from __future__ import annotations

from benchmarks.schedules import by_range, spread
from tests.simulation.test_schedules import RANGES


def test_seeds_are_spread_over_all_ranges_and_none_is_run_twice() -> None:
    seeds = spread(8_001)
    assert len(set(seeds)) == len(seeds)
    assert by_range(seeds) == {about: 1_000 + (first == 0) for first, about in RANGES.items()}


def test_a_run_that_is_ended_early_has_met_every_range() -> None:
    assert set(by_range(spread(len(RANGES)))) == set(RANGES.values())
