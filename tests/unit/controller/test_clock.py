"""No step of any clock passes a deadline or holds one up."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from sluice.controller.clock import SteadyClock

START = datetime(2030, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@dataclass
class Machine:
    """A monotonic clock, and a wall clock that somebody sets."""

    passed: float = 0.0
    step: timedelta = timedelta(0)

    @property
    def wall(self) -> datetime:
        return START + self.step + timedelta(seconds=self.passed)

    def clock(self) -> SteadyClock:
        return SteadyClock(lambda: self.wall, lambda: self.passed)


def test_the_api_servers_time_counts_and_not_the_machines() -> None:
    machine = Machine(step=HOUR)
    clock = machine.clock()
    assert clock() == START + HOUR, "nothing else is known yet"
    clock.hear(START)
    machine.passed += 5
    assert clock() == START + timedelta(seconds=5)


@given(st.lists(st.tuples(st.floats(0.01, 30), st.sampled_from([-3600, -1, 0, 0, 0, 3600])), max_size=30))
def test_whatever_is_told_a_second_is_a_second_within_a_tenth(moments: list[tuple[float, int]]) -> None:
    machine = Machine()
    clock = machine.clock()
    clock.hear(START)
    for seconds, step in moments:
        before = clock()
        machine.passed += seconds
        clock.hear(START + timedelta(seconds=machine.passed + step))
        assert 0.89 * seconds <= (clock() - before).total_seconds() <= 1.11 * seconds


def test_after_a_long_sleep_of_the_machine_the_clock_follows() -> None:
    machine = Machine()
    clock = machine.clock()
    clock.hear(START)
    for _ in range(120):
        machine.passed += 1
        clock.hear(START + timedelta(seconds=machine.passed + 10))
    assert clock() - (START + timedelta(seconds=130)) >= -timedelta(seconds=2)
