"""A/B test, moment by moment: what is decided, and what is said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sluice.core.observation import Scrape, Units

from tests.unit.core.moments import CRASHED, Moment, name, pod
from tests.unit.core.tested import (
    AWAY,
    HOLD,
    HOUR,
    LATE,
    LIVE,
    START,
    at,
    converted,
    even,
    lost,
    results,
    safe,
    won,
)

LATER = at(1, live=50, age=10 * HOUR + 700)
DECREASE: dict[str, Any] = {"primary": {"metric": "refunds", "direction": "Decrease"}}

# what happens, the moment, the reason, and words that its message must have
RULES = [
    ("the pods start", START.running("2", 1), "ScalingUp", ["1 of 2 pods ready"]),
    ("a smaller share needs fewer pods", at(0, age=5, weight=20).running("2", 1), "StepCompleted",
     ["1/2 start"]),
    ("its pods never come", at(0, age=700).running("2", 1), "RolledBack", ["ProgressDeadlineExceeded", "1 of 2 pods"]),
    ("there is no collector", replace(START, test=AWAY), "AwaitingTest",
     ["can't be reached (refused)", "the test waits"]),
    ("its pods are there", START, "StepCompleted", ["1/2 start"]),
    ("it begins", at(1, age=1), "ShiftingTraffic", ["penguins/2 gets 50 %"]),
    ("it does not begin unmeasured", replace(at(1, age=1), test=AWAY), "AwaitingTest", ["can't be reached (refused)"]),
    ("nobody comes", safe(LIVE), "Analyzing", ["no data: candidate and stable have 0 and 0 requests", "8h left"]),
    ("nobody comes to one", safe(results(LIVE, converted(1, 9), Units())), "Analyzing", ["no data"]),
    ("stable's pods tell nothing", safe(results(LIVE, converted(90, 900), Units())), "Analyzing",
     ["no data", "pods that were started while it was installed"]),
    ("too few count", safe(results(LIVE, converted(90, 199, units=900), converted(1, 900))), "Analyzing",
     ["too few requests yet: of candidate and stable 199 and 900 count of at least 200", "900 and 900 requests came"]),
    ("it is not sure yet", even(LIVE), "Analyzing",
     ["conversion: 0.1 beside 0.1 per request; better by 0 so far", "guards: harm 0 %, safe 100 % of a proof",
      "8h left"]),
    ("it has to go on for a time", won(at(1, live=50, age=HOUR - 60)), "Analyzing",
     ["for another 1m at least, 9h1m at most", "better by 0.1 (at least 0.06"]),
    ("it has won", won(LIVE), "StepCompleted",
     ["2/2 test 50", "the candidate has won; conversion: 0.2 beside 0.1 per request; better by 0.1 (at least 0.06",
      "with 95 % confidence at any time), 2,000 and 2,000 requests"]),
    ("less is better", won(at(1, live=50, **DECREASE)), "RolledBack", ["ProvenWorse: refunds: 0.2 beside 0.1"]),
    ("less has won", lost(at(1, live=50, **DECREASE)), "StepCompleted", ["refunds", "better by 0.1"]),
    ("it is better, and not proven safe", replace(won(LIVE), scrape=Scrape()).counting({"1": (60, 0), "2": (60, 0)}),
     "Analyzing", ["guards: harm 0 %, safe", "60 of at least 100 candidate requests"]),
    ("it is worse", lost(LIVE), "RolledBack",
     ["penguins/2 rolled back from 50 %: ProvenWorse: conversion: 0.05 beside 0.15 per request;",
      "worse by 0.1 (at least"]),
    ("it is worse, soon", lost(at(1, live=50, age=60)), "RolledBack", ["ProvenWorse"]),
    ("it is worse, of too few", results(LIVE, converted(0, 199), converted(150, 250)), "Analyzing", ["too few"]),
    ("it fails", won(LIVE).counting({"1": (900, 0), "2": (900, 300)}), "RolledBack",
     ["HarmProven", "candidate 300 errors in 900 requests"]),
    ("its pods crash", won(LIVE).running("2", 1, pod("2", 3, ready=False, trouble=CRASHED)), "RolledBack", ["Crashed"]),
    ("users come to one only", safe(results(LIVE, converted(900, 2000), converted(1, 3000))), "Analyzing",
     ["do not come to the versions as the weight of 50 % says (sample-ratio mismatch)", "2,000 and 3,000"]),
    ("users come to one only, and it fails", results(LIVE, converted(900, 2000), converted(1, 3000))
     .counting({"1": (900, 0), "2": (900, 300)}), "RolledBack", ["HarmProven"]),
    ("users come to one only, and seem worse", safe(results(LIVE, converted(1, 2000), converted(900, 3000))),
     "Analyzing", ["sample-ratio mismatch"]),
    ("users come to one only, to the end", safe(results(LATE, converted(900, 2000), converted(1, 3000))),
     "Inconclusive", ["nothing could be concluded within 10h", "sample-ratio mismatch", "sluice.dev/promote="]),
    ("the collector is away", replace(won(LIVE), test=AWAY), "Analyzing", ["can't be reached (refused)"]),
    ("the collector is away at the end", replace(even(LATE), test=AWAY), "Analyzing", ["can't be reached"]),
    ("the collector stays away", replace(even(LATER), test=AWAY), "Inconclusive",
     ["nothing could be", "can't be reached"]),
    ("the collector has forgotten", safe(results(LIVE, converted(400, 2000), converted(200, 2000), incomplete=True)),
     "Analyzing", ["had to forget some of the test"]),
    ("the collector has forgotten who is worse", safe(results(LIVE, converted(1, 2000), converted(200, 2000),
     incomplete=True)), "Analyzing", ["had to forget some of the test"]),
    ("the time is over", even(LATE), "NoWinner",
     ["penguins/2 did not win: after 10h it is not proven to be better; conversion: 0.1 beside 0.1"]),
    ("the time is over with too few", safe(results(LATE, converted(90, 99), converted(1, 900, units=99))), "NoWinner",
     ["too few requests: 99 and 900 count of at least 200"]),
    ("the time is over, and it was better", replace(won(LATE), scrape=Scrape()).counting({"1": (60, 0), "2": (60, 0)}),
     "NoWinner", ["it is better, and not proven to be safe"]),
    ("the time is over, it was better, and nobody knows whether it is safe", won(LATE).blind("2-0"), "Analyzing",
     ["the metrics of pod pod-2-0 can't be read"]),
    ("nobody comes to know whether it is safe", won(LATER).blind("2-0"), "Inconclusive", ["nothing could be"]),
    ("it was not better, and nobody knows whether it is safe", even(LATER).blind("2-0"), "NoWinner", ["after 10h"]),
    ("it wins in the last moment", won(LATE), "StepCompleted", ["has won"]),
    ("the time stands still", replace(even(LATE).edited(paused=True)), "Paused", ["paused at 50 %"]),
    ("a person is sure", even(LIVE).asking("promote", "2"), "ActionTaken", ["all steps left are skipped by a person"]),
    ("a person is sure of the opposite", even(LIVE).asking("abort", "2"), "ActionTaken", ["aborted"]),
    ("the winner is held", won(HOLD), "AwaitingPromotion", ["until somebody promotes", "better by 0.1 (at least"]),
    ("a held winner is not held for ever", won(at(2, live=50, onWinner="Hold", age=99 * HOUR)), "AwaitingPromotion",
     ["until somebody promotes"]),
    ("the winner is held, and turns out to be worse", lost(HOLD), "RolledBack", ["ProvenWorse"]),
    ("the winner is held, and fails", won(HOLD).counting({"1": (900, 0), "2": (900, 300)}), "RolledBack",
     ["HarmProven"]),
    ("a held winner is wanted", won(HOLD).asking("promote", "2"), "ActionTaken", ["skipped by a person"]),
    ("a winner is told of", won(at(1, live=50, onWinner="Notify")), "Winner",
     ["penguins/2 has won, and is not promoted: conversion: 0.2 beside 0.1 per request; better by 0.1 (at least 0.06",
      "with 95 % confidence at any time", f"sluice.dev/promote={name('2')} to give it all traffic"]),
    ("a winner is told of in the last moment", won(at(1, live=50, age=10 * HOUR + 1, onWinner="Notify")), "Winner",
     ["has won"]),
    ("a winner is told of after the shortest time only", won(at(1, live=50, age=60, onWinner="Notify")), "Analyzing",
     ["for another 59m at least"]),
    ("then all traffic", won(at(2, live=50)), "ShiftingTraffic", ["penguins/2 gets 100 %"]),
    ("all is done", won(at(2, live=100)), "Promoted", ["penguins/2 is stable now"]),
]  # fmt: skip


@pytest.mark.parametrize(("what", "moment", "reason", "words"), RULES, ids=[case[0] for case in RULES])
def test_each_moment_has_its_reason_and_its_words(what: str, moment: Moment, reason: str, words: list[str]) -> None:
    moment.expect(reason, words)
