"""What the benchmarks of scale read off what they see."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.contestants import has_phase, has_ready_condition
from benchmarks.scale import ROWS, table
from benchmarks.soak import growth


def item(generation: int, **status: Any) -> dict[str, Any]:
    return {"metadata": {"generation": generation}, "status": status}


READY = [{"type": "Ready", "status": "False"}]


@pytest.mark.parametrize(
    ("seen", "done"),
    [
        (item(2, observedGeneration=2, conditions=READY), True),
        (item(2, observedGeneration=1, conditions=READY), False),
        (item(2, observedGeneration=2), False),
        ({"metadata": {"generation": 1}}, False),
    ],
    ids=["answered", "of an older spec", "half", "nothing"],
)
def test_sluice_has_answered_when_its_condition_is_of_the_present_spec(seen: dict[str, Any], done: bool) -> None:
    assert has_ready_condition(seen) is done


def test_argo_rollouts_writes_the_generation_as_text() -> None:
    assert has_phase(item(2, observedGeneration="2", phase="Healthy"))
    assert not has_phase(item(2, observedGeneration="1", phase="Healthy"))
    assert not has_phase(item(2, observedGeneration="2"))


def test_growth_is_per_hour_in_the_second_half_of_those_who_lived_through_it() -> None:
    samples = [{"seconds": 60.0 * n, "mib": {"1": 100.0 + max(0, n - 10), "2": 50.0}} for n in range(21)]
    samples[5]["mib"] = {"3": 1.0}
    assert growth(samples) == pytest.approx({"1": 60.0, "2": 0.0})


def test_the_table_has_a_row_for_each_figure() -> None:
    result = dict.fromkeys(ROWS.values(), 1.25) | {"name": "Sluice", "objects": 1000}
    lines = table([result, result]).splitlines()
    assert lines[0] == "|  | Sluice, 1,000 | Sluice, 1,000 |"
    assert len(lines) == len(ROWS) + 2
