"""A/B tests with variants, moment by moment: what is decided, and what is said."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from tests.unit.core.moments import CRASHED, NOW, Moment, model, pod
from tests.unit.core.varied import AWAY, LATE, LIVE, START, at, best, even, results, safe, wanting

RULES = [
    ("all differ from stable", wanting("2", "3"), "RolloutStarted",
     ["testing candidate penguins/2 (30 %), large penguins/3 (20 %) beside penguins/1"]),
    ("the model is what is served", wanting("1", "3"), "RolloutStarted", ["testing large penguins/3 (20 %) beside"]),
    ("all are what is served", wanting("1", "1"), "Complete", ["penguins/1 serves all traffic"]),
    ("two names mean the same", wanting("2", "2", "3"), "RolloutStarted",
     ["candidate penguins/2 (30 %), small penguins/3"]),
    ("one was sent away", wanting("2", "3").rejected("3"), "RolloutStarted",
     ["testing candidate penguins/2 (30 %) beside"]),
    ("all were sent away", wanting("2", "3").rejected("3").rejected("2", "NoWinner"), "NoWinner", ["did not win"]),
    ("a variant names nothing", wanting("2", None), "AliasNotFound",
     ["variant large: there is no alias", "test waits"]),
    ("the model names nothing", wanting(None, "3"), "AliasNotFound", ["there is no alias"]),
    ("pods of one are missing", START.running("3", 0), "ScalingUp", ["large penguins/3: 0 of 1 pods ready"]),
    ("pods of one never come", replace(START.running("3", 0), now=NOW + timedelta(seconds=700)), "VariantDropped",
     ["large penguins/3 dropped from 0 %: ProgressDeadlineExceeded: 0 of 1 pods"]),
    ("the candidate's never come", replace(START.running("2", 0), now=NOW + timedelta(seconds=700)), "VariantDropped",
     ["candidate penguins/2 dropped"]),
    ("all pods are there", START, "StepCompleted", ["penguins/2 and penguins/3 are ready"]),
    ("it begins", at(1, "2", "3", live=False, age=1), "ShiftingTraffic",
     ["candidate penguins/2 (30 %), large penguins/3 (20 %) get their shares"]),
    ("nobody is better", even(LIVE), "Analyzing",
     ["candidate penguins/2: conversion: 0.1 beside 0.1", "large penguins/3: conversion"]),
    ("both are better", best(LIVE), "StepCompleted",
     ["large penguins/3: it has won; conversion: 0.25 beside 0.1", "with 97.5 % confidence at any time"]),
    ("one is better", safe(results(LIVE, v1=(500, 5000), v2=(600, 3000), v3=(200, 2000))), "StepCompleted",
     ["candidate penguins/2: it has won"]),
    ("it has to go on for a time", best(at(1, "2", "3", age=60)), "Analyzing", ["for another 59m"]),
    ("the best is not proven safe", safe(results(LIVE, v1=(500, 5000), v2=(600, 3000), v3=(500, 2000)), v3=8),
     "StepCompleted", ["candidate penguins/2: it has won"]),
    ("one is worse", safe(results(LIVE, v1=(500, 5000), v2=(300, 3000), v3=(50, 2000))), "VariantDropped",
     ["large penguins/3 dropped from 20 %: ProvenWorse: conversion: 0.025 beside 0.1", "97.5 % confidence"]),
    ("the candidate is worse", safe(results(LIVE, v1=(500, 5000), v2=(50, 3000), v3=(200, 2000))), "VariantDropped",
     ["candidate penguins/2 dropped from 30 %: ProvenWorse"]),
    ("one fails", safe(even(LIVE), v3=400), "VariantDropped",
     ["large penguins/3 dropped from 20 %: HarmProven", "400 errors in 2000 requests"]),
    ("the pods of one crash", even(LIVE).running("3", 1, pod("3", 9, ready=False, trouble=CRASHED)), "VariantDropped",
     ["large penguins/3 dropped from 20 %: Crashed"]),
    ("users come to one only", safe(results(LIVE, v1=(500, 5000), v2=(300, 3000), v3=(900, 6000))), "Analyzing",
     ["as their weights say (sample-ratio mismatch)"]),
    ("a mismatch to the end", safe(results(LATE, v1=(500, 5000), v2=(300, 3000), v3=(900, 6000))), "Inconclusive",
     ["nothing could be concluded"]),
    ("the time is over", even(LATE), "NoWinner",
     ["penguins/2 and penguins/3 did not win: candidate penguins/2: after 10h it is", "large penguins/3: after 10h"]),
    ("it wins in the last moment", best(LATE), "StepCompleted", ["large penguins/3: it has won"]),
    ("a variant is another version", replace(even(LIVE), variants={"large": model("4")}), "Superseded",
     ["large is penguins/4 now: another test begins"]),
    ("the candidate is another version", replace(even(LIVE), model=model("4")), "Superseded",
     ["candidate is penguins/4 now: another test begins"]),
    ("the registry is away", replace(even(LIVE), model=AWAY, variants={"large": AWAY}), "Analyzing", ["conversion"]),
    ("a person ends it", even(LIVE).asking("abort", "2"), "ActionTaken", ["penguins/2 and penguins/3 aborted"]),
    ("a person ends it by another name", even(LIVE).asking("abort", "3"), "ActionTaken", ["aborted"]),
    ("a person prefers one", even(LIVE).asking("promote", "3"), "ActionTaken", ["penguins/3: all steps left are"]),
    ("a person means another one", even(LIVE).asking("promote", "4"), "ActionTaken", ["refused: the candidate is"]),
    ("too early for a person", START.asking("promote", "3"), "ActionTaken", ["can't be skipped"]),
]  # fmt: skip


@pytest.mark.parametrize(("what", "moment", "reason", "words"), RULES, ids=[case[0] for case in RULES])
def test_each_moment_has_its_reason_and_its_words(what: str, moment: Moment, reason: str, words: list[str]) -> None:
    moment.expect(reason, words)
