"""Pairs of answers as people read them: what the operator writes, in a status, a record and a decision."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console, RenderableType
from sluice.api.pairs import Classes, Duration, Durations, Flip, Numbers, Pairs
from sluice.cli import records
from sluice.cli.commands.explain import story
from sluice.cli.pairs import ClassesView, FlipView, PairsView, details
from sluice.cli.pairs import pairs as read
from sluice.cli.render import screen, to_json
from sluice.cli.view import build
from sluice.core.pairs import disagreement

from tests.unit.cli.cluster import NOW, model_deployment, rollout
from tests.unit.core.moments import SERVING

SEEN = Pairs(
    joined=3856, different=81, candidate_failed=2, stable_failed=1, both_failed=3,
    classes=Classes(
        rows=3000, changed=45, unknown=4,
        flips=(Flip(stable="Adelie", candidate="[red]Gentoo", count=31), Flip(stable="1", candidate="2", count=9)),
    ),
    numbers=Numbers(rows=10, mean=-0.00012345, mean_size=1234567.0, largest=3.0),
    durations=Durations(
        requests=3850, stable=Duration(mean=0.01, p50=0.0101, p99=0.2), candidate=Duration(mean=0.1, p50=1.25, p99=20.0)
    ),
)  # fmt: skip
STATEMENT = "answers differ in 2.1 % of 3,855 pairs (at most 3.1 % with 95 % confidence at any time)"
MIRROR = SERVING.edited(strategy={"shadow": {"minPairs": 100, "then": "Hold"}}).rolling_out("2", step=1, age=5)


def printed(what: RenderableType) -> str:
    out = io.StringIO()
    Console(file=out, width=200, no_color=True, markup=False, highlight=False).print(what)
    return out.getvalue()


def status_of(*, step: int, seen: Pairs = SEEN) -> Any:
    said = disagreement(MIRROR.spec, seen)
    assert said
    evidence = {"pairs": seen.to_kubernetes(), "disagreement": said.to_kubernetes(), "safe": 0.5}
    raw = model_deployment(rollout=rollout() | {"stepIndex": step, "evidence": evidence})
    raw["spec"]["strategy"] = {"shadow": {"maxErrorRate": 0.02}}
    return raw


def test_what_the_operator_writes_is_what_is_read() -> None:
    view = build(status_of(step=1), (), NOW)
    assert view.evidence
    found = view.evidence.pairs
    assert found
    assert replace(found, at_least=None, at_most=None, classes=None, numbers=None, stable=None, candidate=None) == (
        PairsView(3856, 81, 2, 1, 3, statement=STATEMENT)
    )
    assert (round(found.at_least or 0, 4), round(found.at_most or 0, 4)) == (0.0145, 0.0309)
    assert found.classes == ClassesView(3000, 45, 4, (FlipView("Adelie", "[red]Gentoo", 31), FlipView("1", "2", 9)))
    said = json.loads(to_json(view))["evidence"]["pairs"]
    assert said["classes"]["flips"][0] == {"stable": "Adelie", "candidate": "[red]Gentoo", "count": 31}
    assert said["candidate"] == {"mean": 0.1, "p50": 1.25, "p99": 20.0}


def test_status_shows_all_of_it_while_requests_are_copied() -> None:
    shown = printed(screen(build(status_of(step=1), (), NOW), ()))
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert "answered by both 3856 81 2 1 3" in lines
    assert STATEMENT in lines
    assert "classes Adelie → [red]Gentoo 31 · 1 → 2 9 · others 5 · beyond the first 20 classes 4 (3,000 rows)" in lines
    assert "numbers candidate less stable: mean -0.000123, mean size 1,234,567, largest 3 (10 rows)" in lines
    assert "p50, p99 stable 10.1 ms, 200 ms · candidate 1.25 s, 20.00 s" in lines


def test_status_says_afterwards_what_came_of_it() -> None:
    shown = printed(screen(build(status_of(step=2), (), NOW), ()))
    assert f"in the shadow {STATEMENT}" in shown
    assert "answered by both" not in shown


@pytest.mark.parametrize(
    ("classes", "said"),
    [({"rows": 5}, "all the same (5 rows)"), ({"rows": 5, "unknown": 5}, "beyond the first 20 classes 5 (5 rows)")],
)
def test_where_no_class_has_changed_it_says_so(classes: dict[str, int], said: str) -> None:
    assert details(read({"joined": 5, "classes": classes}, {})) == (("classes", said),)


def test_what_an_older_operator_has_written_can_be_read() -> None:
    older = read({"joined": 300, "different": 12}, {})
    assert (older.joined, older.at_most, older.statement, details(older)) == (300, None, "", ())


def test_a_record_tells_it_and_each_decision_too() -> None:
    after = replace(MIRROR, pairs=SEEN).next()
    assert after.record
    raw = {"metadata": {"name": "penguins-abc-1"}, **after.record.to_kubernetes()}
    shown, decided = records.rollout(raw), records.decisions(raw)
    assert shown.pairs
    assert shown.pairs.statement == STATEMENT
    assert STATEMENT in decided[-1].inputs
    told = printed(story(shown, decided))
    assert f"In the shadow: {STATEMENT}" in told
    assert "Adelie → [red]Gentoo 31" in told
    assert "candidate 1.25 s, 20.00 s" in told


def test_a_record_without_copies_tells_nothing_of_them() -> None:
    after = SERVING.rolling_out("2", step=1, weight=20).next()
    assert after.record
    raw = {"metadata": {"name": "penguins-abc-1"}, **after.record.to_kubernetes()}
    assert records.rollout(raw).pairs is None
    assert "shadow" not in printed(story(records.rollout(raw), records.decisions(raw)))
