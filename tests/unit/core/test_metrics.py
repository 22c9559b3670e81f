"""Several metrics of a rollout: harm by all together, safety by each, and words that name the one that decides."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from itertools import accumulate
from typing import Any

import pytest
from sluice.analysis import threshold
from sluice.analysis.cells import EDGES
from sluice.core import findings
from sluice.core.evidence import Judgement
from sluice.core.observation import Counters, Scrape

from tests.unit.core.moments import ANALYZING, Moment
from tests.unit.core.test_evidence import looked

BOTH = {
    "metrics": [{"name": "errors", "errorRate": {}}, {"name": "latency", "latency": {}}],
    "minRequests": 10,
}


def with_metrics(moment: Moment, **analysis: Any) -> Moment:
    return moment.edited(analysis=BOTH | analysis)


def cells(*answers: tuple[float, int]) -> tuple[int, ...]:
    counts = [0] * (len(EDGES) + 1)
    for seconds, number in answers:
        counts[bisect_left(EDGES, seconds)] += number
    return tuple(accumulate(counts))


def counting(moment: Moment, counts: dict[str, list[tuple[float, int]]], errors: int = 0, warm: int = 125) -> Moment:
    """Answers of the first pod of each version, as pairs of seconds and how many; all other pods have none.

    The candidate's have come after `warm` requests during its warm-up.
    """
    found = {p.uid: Counters("a", 0, 0, cells()) for _, pods in moment.pods for p in pods if p.ready}
    for version, answers in counts.items():
        failed, before = (errors, warm) if version == "2" else (0, 0)
        requests = before + failed + sum(number for _, number in answers)
        found[f"{version}-0"] = Counters("a", requests, failed, cells(*answers))
    return replace(moment, scrape=Scrape(found))


def judged(moment: Moment) -> Judgement:
    found = moment.situation.judgement
    assert found is not None
    return found


def message(moment: Moment) -> str:
    return moment.outcome.message


START = looked(counting(with_metrics(ANALYZING), {"1": [(0.02, 500)], "2": []}))


def test_a_slow_candidate_is_rolled_back_and_the_message_names_what_is_slow() -> None:
    slow = counting(START, {"1": [(0.02, 600)], "2": [(0.3, 25)]})
    assert judged(slow).harmful
    assert slow.outcome.reason == "RolledBack"
    assert "HarmProven: slower: 100 % of the candidate's answers took longer than 1.2 x 22 ms" in message(slow)
    assert "0 % of stable's longer than 22 ms; tolerated: 2 points more" in message(slow)


def test_a_candidate_that_became_slow_after_many_fast_answers_is_slow_of_late() -> None:
    good = START
    for look in range(1, 21):
        good = looked(counting(good, {"1": [(0.02, 500 + 100 * look), (0.3, 50 * look)], "2": [(0.02, 50 * look)]}))
    slow = counting(good, {"1": [(0.02, 2700), (0.3, 1000)], "2": [(0.02, 1000), (0.3, 120)]})
    assert "HarmProven: slower of late; in total 11 % of the candidate's answers took longer than" in message(slow)


def test_a_candidate_that_fails_is_rolled_back_for_its_errors() -> None:
    failing = counting(START, {"1": [(0.02, 600)], "2": [(0.02, 5)]}, errors=10)
    assert "HarmProven: error rate: candidate 10 errors in 140 requests" in message(failing)


def test_harm_is_the_average_of_the_e_values() -> None:
    slow = counting(START, {"1": [(0.02, 540)], "2": [(0.3, 2)]})
    found = judged(slow)
    errors, latency = (one.harm * threshold(0.05) for one in found.metrics)
    from math import exp, log

    assert found.harm == pytest.approx(log((exp(errors) + exp(latency)) / 2) / threshold(0.05))


def test_the_step_is_passed_when_each_metric_is_proven_safe_and_the_message_says_which_is_not() -> None:
    wide = with_metrics(ANALYZING, metrics=[{"name": "errors", "errorRate": {}}, {"name": "pace", "latency": {}}])
    start = looked(counting(wide, {"1": [(0.02, 500)], "2": []}))
    later = counting(start, {"1": [(0.02, 1200), (0.3, 12)], "2": [(0.02, 160), (0.3, 18)]})
    found = judged(later)
    errors, pace = found.metrics
    assert errors.safe > 1 > pace.safe == found.safe
    assert not found.passed
    assert "safe errors 100 %, pace " in message(later)
    fine = counting(start, {"1": [(0.02, 1300)], "2": [(0.02, 200)]})
    assert judged(fine).passed


def test_with_one_metric_no_name_is_needed() -> None:
    assert "harm 0 %, safe 1 % of a proof" in message(ANALYZING.counting({"1": (8, 0), "2": (2, 0)}))


def test_it_says_why_durations_are_not_compared_yet() -> None:
    start = with_metrics(ANALYZING)
    few = counting(start, {"1": [(0.02, 90)], "2": []}, warm=22)
    assert "compared when stable has answered 100 requests" in message(few)
    warming = counting(START, {"1": [(0.02, 600)], "2": []})
    assert "no durations of the candidate yet; a pod's first seconds do not count" in message(warming)
    counters = warming.scrape.counters
    mute = replace(warming, scrape=Scrape({**counters, "1-3": Counters("a", 0, 0)}))
    assert "pod pod-1-3 tells no durations: its model server is of another version" in message(mute)


def test_evidence_about_durations_survives_and_grows_with_each_look() -> None:
    first = looked(counting(START, {"1": [(0.02, 600)], "2": [(0.02, 60)]}))
    second = counting(first, {"1": [(0.02, 700)], "2": [(0.02, 120)]})
    assert judged(second).metrics[1].safe > judged(first).metrics[1].safe > 0
    assert judged(second).metrics[1].safe == judged(looked(second)).metrics[1].safe


def test_evidence_in_another_form_begins_anew() -> None:
    first = looked(counting(START, {"1": [(0.02, 600)], "2": [(0.02, 60)]}))
    evidence = first.situation.evidence
    old = tuple(one.model_copy(update={"state": {"format": "latency/0"}}) for one in evidence.metrics)
    from tests.unit.core.test_evidence import knowing

    assert judged(knowing(first, evidence.model_copy(update={"metrics": old}))).metrics[1].safe == 0


def test_the_margin_of_a_step_replaces_that_of_every_metric_and_harm_keeps_its_own() -> None:
    later = {"1": [(0.02, 900)], "2": [(0.02, 80)]}
    strict = START  # its step says marginAbsolute 0.05, the metric itself 0.02
    own = START.edited(
        strategy={"canary": {"steps": [{"setWeight": 20}, {"pause": {"duration": "60s"}}, {"analysis": {}}]}}
    )
    assert judged(counting(strict, later)).metrics[1].safe > judged(counting(own, later)).metrics[1].safe
    assert judged(counting(strict, later)).metrics[1].harm == judged(counting(own, later)).metrics[1].harm


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.0004724, "0.47 ms"), (0.0216, "22 ms"), (0.45, "450 ms"), (1.0, "1 s"), (60.5, "60 s")]
)
def test_durations_are_short_texts(seconds: float, text: str) -> None:
    assert findings.duration(seconds) == text
