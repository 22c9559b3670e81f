"""The page and the picture that are made from what was measured."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from benchmarks.strategies.__main__ import DOCS, PAGE, PLOT, STORED, names, render
from benchmarks.strategies.grades import COLUMNS, TEXTBOOK, Level, disagreements, grades, level
from benchmarks.strategies.plot import PANELS, svg
from benchmarks.strategies.report import LINES, page
from benchmarks.strategies.results import Result, merged
from benchmarks.strategies.specs import SUBJECTS

MACHINE = {"date": "2026-11-25", "commit": "abc1234", "cores": 2, "cpu": "a processor"}


def row(strategy: str, **changes: Any) -> dict[str, Any]:
    """A canary as the textbook has it, unless said; names of changes are part and field."""
    found: dict[str, Any] = {
        "strategy": strategy, "date": "2026-11-25", "commit": "abc1234", "fields": 4, "required": 0, "components": [],
        "good": {"seconds": 80.0, "requests": 3200, "failed": 0, "downtime": 0.0, "tested_before": 900, "copies": 0,
                 "pod_seconds": 117.0, "flips": {"back": 90, "constant": 120, "split": 150}, "promoted_by": "itself"},
        "command": {"off_seconds": 0.2, "back_seconds": 0.2, "failed": 0, "downtime": 0.0},
        "bad": {"noticed": True, "seen": {"requests": 3, "users": 3}, "hurt": 3, "downtime": 0.0, "failed_elsewhere": 0,
                "decided_to_back": 0.25, "failure_to_back": 0.9},
    }  # fmt: skip
    for name, value in changes.items():
        part, _, field = name.partition("__")
        if field:
            found[part][field] = value
        else:
            found[part] = value
    return found


def result(*rows: dict[str, Any]) -> Result:
    return Result.model_validate(
        {"machine": MACHINE, "rate": 40.0, "users": 200, "replicas": 2, "strategies": list(rows)}
    )


RECREATE = row(
    "recreate", good__failed=343, good__downtime=8.6, good__tested_before=0, good__pod_seconds=1.0,
    good__flips={"back": 0, "constant": 0, "split": 0}, command__back_seconds=8.0, command__downtime=7.5,
    bad__noticed=False, bad__seen={"requests": 2082, "users": 200}, bad__hurt=200, bad__decided_to_back=None,
)  # fmt: skip
AB_TEST = row(
    "abTest", required=2, components=["collector"], good__flips={"back": 0, "constant": 0, "split": 101},
    good__pod_seconds=200.0,
)  # fmt: skip
SHADOW = row(
    "shadow", components=["collector"], good__tested_before=0, good__copies=480,
    good__flips={"back": 0, "constant": 0, "split": 0}, bad__seen={"requests": 0, "users": 0}, bad__hurt=0,
    bad__decided_to_back=None, bad__failure_to_back=None,
)  # fmt: skip
ALL = result(RECREATE, row("canary"), SHADOW, AB_TEST)


@pytest.mark.parametrize(
    ("value", "most", "found"),
    [(0, 0, Level.NONE), (5, 100, Level.NONE), (5.1, 100, Level.LOW), (1, 3, Level.LOW), (34, 100, Level.MEDIUM),
     (2, 3, Level.MEDIUM), (67, 100, Level.HIGH), (1, 1, Level.HIGH)],
)  # fmt: skip
def test_levels_are_thirds_of_the_largest(value: float, most: float, found: Level) -> None:
    assert level(value, most) is found


def test_grades_follow_from_the_figures() -> None:
    none, low, medium, high = Level
    assert grades(ALL) == {
        "recreate": (False, False, False, none, high, high, none),
        "canary": (True, True, False, medium, none, none, none),
        "shadow": (True, True, False, medium, none, none, low),
        "abTest": (True, True, True, high, none, none, high),
    }


def test_one_user_who_switches_at_a_constant_split_ends_targeting() -> None:
    flipped = row("abTest", good__flips={"back": 0, "constant": 1, "split": 101})
    assert grades(result(flipped))["abTest"][2] is False


def test_downtime_on_the_way_back_is_downtime() -> None:
    assert grades(result(row("canary", command__downtime=0.1)))["canary"][0] is False


def test_where_the_measurement_disagrees_with_the_textbook_is_computed() -> None:
    found = {(one.strategy, one.column): (one.said, one.measured) for one in disagreements(ALL)}
    assert found[("canary", "infrastructure cost")] == (Level.LOW, Level.MEDIUM)
    assert ("abTest", "user targeting") not in found
    text = page(ALL, PLOT)
    assert "- canary, infrastructure cost: the textbook says low, measured medium (117 pod-seconds)." in text
    assert "low [medium]" in text


def test_what_was_not_measured_disagrees_with_nothing() -> None:
    old = row("canary", required=None, good__flips=None, command__back_seconds=None)
    columns = {one.column for one in disagreements(result(old))}
    assert not columns & {"user targeting", "rollback duration", "complexity"}
    assert "no [–]" in page(result(old), PLOT)


def test_the_textbook_has_every_strategy_and_every_column() -> None:
    assert set(TEXTBOOK) == set(SUBJECTS)
    assert {len(line) for line in TEXTBOOK.values()} == {len(COLUMNS)}


def test_every_table_of_the_page_is_even() -> None:
    tables = re.findall(r"(?:^\|.*\n)+", page(ALL, PLOT), re.MULTILINE)
    assert len(tables) == 2
    assert len(tables[0].splitlines()) == len(LINES) + 2
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1


STUCK = {"weight": 50, "users": 200, "candidate": 92, "both": 3, "back": 1, "replicas": 4}


def test_whether_users_stick_is_a_table_of_those_that_were_measured() -> None:
    text = page(result(row("recreate"), row("canary", sticking=STUCK), row("abTest", sticking=None)), PLOT)
    assert "| canary, sticky | 4 | 92 of 200, wanted 50 % | 4.0 ± 3.5 | 3 | 1 |" in text
    assert "| abTest | " not in text.partition("## Users who stick")[2].partition("##")[0]
    assert "Users who stick" not in page(ALL, PLOT)


def test_that_nobody_met_the_bad_version_is_no_duration() -> None:
    line = next(line for line in page(ALL, PLOT).splitlines() if line.startswith("| seconds from the decision"))
    assert [cell.strip() for cell in line.strip("|").split("|")][1:] == ["–", "0.2", "nobody met it", "0.2"]


def test_rows_of_another_run_are_told() -> None:
    assert "Of other runs: shadow on 2026-11-20 (commit def)." in page(
        result(row("canary"), row("shadow", date="2026-11-20", commit="def")), PLOT
    )
    assert "Of other runs" not in page(ALL, PLOT)


def test_new_rows_take_the_place_of_old_ones_in_the_order_of_the_table() -> None:
    found = merged([row("canary", fields=1), row("recreate", fields=2)], [row("canary", fields=3), row("blueGreen")])
    assert [(each["strategy"], each["fields"]) for each in found] == [("recreate", 2), ("blueGreen", 4), ("canary", 3)]


def test_the_picture_has_a_bar_of_each_strategy_in_each_panel() -> None:
    drawn = svg(ALL)
    ET.fromstring(drawn)
    for strategy in ("recreate", "canary", "shadow", "abTest"):
        assert drawn.count(f">{strategy}<") == len(PANELS)
    assert ">343<" in drawn
    assert ">0.2<" in drawn
    assert drawn == svg(ALL), "the same figures give the same picture"


def test_a_picture_of_nothing_but_zeros_is_drawn() -> None:
    assert "canary" in svg(result(row("canary", good__failed=0, good__pod_seconds=0.0)))


def test_the_page_is_that_of_the_stored_figures() -> None:
    stored = Result.model_validate_json(STORED.read_text())
    assert (DOCS / PAGE).read_text() == page(stored, PLOT), "run: python -m benchmarks.strategies --render"
    assert (DOCS / PLOT).exists()


def test_rendering_needs_the_stored_figures_only(tmp_path: Any) -> None:
    stored = tmp_path / "strategies.json"
    stored.write_text(ALL.model_dump_json())
    render(stored, tmp_path)
    assert (tmp_path / PAGE).read_text() == page(ALL, PLOT)
    assert f"]({PLOT})" in (tmp_path / PAGE).read_text()


def test_strategies_are_chosen_by_their_names() -> None:
    assert names("canary,recreate") == ["canary", "recreate"]
    with pytest.raises(Exception, match="no such strategy: canery; there are recreate"):
        names("canery")
