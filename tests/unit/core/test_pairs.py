"""What is said of pairs: bounds that agree with what decides, in words that are never surer than that."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sluice.analysis import Arm, harm_above, safe_below, threshold
from sluice.api.pairs import LONGEST_LABEL, MOST_FLIPS, Classes, Disagreement, Duration, Durations, Flip, Numbers, Pairs
from sluice.api.spec import ModelDeploymentSpec
from sluice.core import pairs
from sluice.core.observation import Silent
from sluice.core.record import MAX_BYTES

from tests.unit.core.moments import SERVING, Moment

COUNTS = st.integers(1, 100_000).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n)))
SECONDS = Duration(mean=0.0123456789, p50=0.0101, p99=0.2)
FLIPS = (Flip(stable="Adelie", candidate="Gentoo", count=1031), Flip(stable="Gentoo", candidate="Adelie", count=2))
WHOLE = Pairs(
    joined=3856, different=81, candidate_failed=2, stable_failed=1, both_failed=3,
    classes=Classes(rows=3000, changed=1033, flips=FLIPS),
    numbers=Numbers(rows=10, mean=-0.5, mean_size=0.75, largest=3.0),
    durations=Durations(requests=3850, stable=SECONDS, candidate=SECONDS),
)  # fmt: skip


def spec(**alpha: float) -> ModelDeploymentSpec:
    return SERVING.edited(analysis={"alpha": alpha}).spec


def found(joined: int, different: int, **alpha: float) -> Disagreement:
    said = pairs.disagreement(spec(**alpha), Pairs(joined=joined, different=different))
    assert said
    return said


@settings(deadline=None, max_examples=100)
@given(
    counts=COUNTS, limit=st.floats(0.0005, 0.9), harm=st.sampled_from([0.01, 0.05]), safe=st.sampled_from([0.05, 0.1])
)
def test_a_limit_is_kept_or_exceeded_where_the_bounds_end(
    counts: tuple[int, int], limit: float, harm: float, safe: float
) -> None:
    said, seen = found(*counts, harm=harm, safe=safe), Arm(*counts)
    assert said.at_least <= said.share <= said.at_most
    assert (said.at_most < limit) is (safe_below(limit, seen) >= threshold(safe))
    assert (said.at_least > limit) is (harm_above(limit, seen) >= threshold(harm))


@settings(deadline=None, max_examples=200)
@given(counts=COUNTS)
def test_words_are_never_surer_than_the_numbers(counts: tuple[int, int]) -> None:
    said, seen = found(*counts), Pairs(joined=counts[0], different=counts[1])

    def told(text: str, what: str) -> float:
        (number,) = re.findall(rf"{what} ([\d.]+) %", text)
        return float(number) / 100

    at_most, at_least = told(said.statement, "at most"), told(pairs.difference(spec(), seen), "at least")
    assert said.at_most - 1e-7 <= at_most <= max(said.at_most * 1.12, said.at_most + 1e-4)
    assert said.at_least * 0.88 <= at_least <= said.at_least + 1e-7
    assert "e-" not in said.statement


def test_both_sentences_say_what_there_is() -> None:
    assert pairs.agreement(spec(safe=0.1), WHOLE) == (
        "answers differ in 2.1 % of 3,855 pairs (at most 3.1 % with 90 % confidence at any time); the candidate alone "
        "failed 2, stable alone 1"
    )
    assert pairs.difference(spec(harm=0.01), Pairs(joined=1200, different=600, candidate_failed=600)) == (
        "answers differ in 50 % of 1,200 pairs (at least 43 % with 99 % confidence at any time); the candidate alone "
        "failed 600, stable alone 0"
    )


@pytest.mark.parametrize("nothing", [None, Pairs()])
def test_nothing_is_no_share(nothing: Pairs | None) -> None:
    assert pairs.disagreement(spec(), nothing) is None
    assert pairs.agreement(spec(), nothing) == pairs.difference(spec(), nothing) == "no pair yet"


def test_no_label_of_a_class_is_in_a_message() -> None:
    """They are the user's data; messages go to Events, logs and chats."""
    told = seen_by(MIRROR, WHOLE).next()
    assert told.record
    assert "Adelie" not in str([*told.record.status.decisions, told.status.message, told.status.conditions])


def seen_by(moment: Moment, pairs: Pairs | Silent) -> Moment:
    return replace(moment, pairs=pairs)


MIRROR = SERVING.edited(strategy={"shadow": {"minPairs": 100, "then": "Hold"}}).rolling_out("2", step=1, age=5)


def test_status_and_record_have_all_of_it_and_decisions_only_the_counts() -> None:
    after = seen_by(MIRROR, WHOLE).next()
    assert after.status.rollout
    assert after.record
    summary, record = after.status.rollout.evidence, after.record.status
    assert summary.pairs == record.evidence.pairs == WHOLE
    assert summary.disagreement == record.disagreement == pairs.disagreement(MIRROR.spec, WHOLE)
    decided = record.decisions[-1].inputs
    assert decided.pairs == Pairs(joined=3856, different=81, candidate_failed=2, stable_failed=1, both_failed=3)
    assert decided.disagreement == record.disagreement


def test_what_was_seen_stays_while_the_collector_is_away_and_after_the_end() -> None:
    after = seen_by(seen_by(MIRROR, WHOLE).next(), Silent("away"))
    assert after.next().record.status.disagreement == pairs.disagreement(MIRROR.spec, WHOLE)  # type: ignore[union-attr]
    ended = after.asking("abort", "2").next()
    assert ended.status.rollout is None
    assert ended.record
    assert ended.record.status.evidence.pairs == WHOLE
    assert ended.record.status.disagreement == pairs.disagreement(MIRROR.spec, WHOLE)


def test_the_largest_that_can_be_seen_is_small() -> None:
    label, most = "\N{PENGUIN}" * LONGEST_LABEL, 10**15
    flips = tuple(Flip(stable=label, candidate=label, count=most) for _ in range(MOST_FLIPS))
    number = -math.pi * 1e100
    largest = Pairs(
        joined=most, different=most, candidate_failed=1, stable_failed=most, both_failed=most,
        classes=Classes(rows=most, changed=most, unknown=most, flips=flips),
        numbers=Numbers(rows=most, mean=number, mean_size=-number, largest=-number),
        durations=WHOLE.durations,
    )  # fmt: skip
    after = seen_by(MIRROR, largest).next()
    assert after.status.rollout
    summary: Any = after.status.rollout.evidence.to_kubernetes()
    assert len(str(summary).encode()) < 4096
    assert len(str(after.status.to_kubernetes()).encode()) < MAX_BYTES / 8
