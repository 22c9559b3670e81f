"""A/B tests with variants: who is tested, who wins, who leaves, and what is never concluded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sluice.analysis import SampleRatio
from sluice.analysis.difference import half_width
from sluice.api.record import Evidence, RolloutOutcome, VariantRecord
from sluice.api.status import Verdict
from sluice.core import observation, variants
from sluice.core.observation import ResolvedModel, Units, Unresolved
from sluice.core.plan import Experiment

from tests.unit.core.moments import CRASHED, NOW, SERVING, ZERO, Moment, model, name, pod, revision

HOUR = 3600
LARGE: dict[str, Any] = {"name": "large", "model": {"uri": "models:/penguins@large"}, "weight": 20}
SMALL: dict[str, Any] = {"name": "small", "model": {"uri": "models:/penguins@small"}, "weight": 10}
WANTS: dict[str, Any] = {
    "primary": {"metric": "conversion"}, "minDuration": "1h", "maxDuration": "10h", "weight": 30,
}  # fmt: skip
AWAY = Unresolved("AliasNotFound", "there is no alias large: set it")


def wanting(*versions: str | None, spec: Mapping[str, Any] | None = None, **wants: Any) -> Moment:
    """Stable is 1; the candidate and the variants name these versions, None: nothing."""
    tested = [LARGE, SMALL][: len(versions) - 1]
    moment = SERVING.edited(strategy={"abTest": WANTS | {"variants": tested} | wants}, **(spec or {}))
    found: dict[str, ResolvedModel | Unresolved] = {
        one["name"]: model(number) if number else AWAY for one, number in zip(tested, versions[1:], strict=True)
    }
    first = moment.wanting(versions[0]) if versions[0] else replace(moment, model=AWAY)
    return replace(first, variants=found)


def at(step: int, *versions: str, live: bool = True, age: float = 2 * HOUR, **wants: Any) -> Moment:
    """A test of the candidate and one or two variants, with all of their pods; nobody was dropped yet."""
    asked = wanting(*versions, **wants)
    begun = asked.next()
    assert begun.status.rollout
    began = NOW - timedelta(seconds=age)
    chosen = begun.status.rollout.variants
    weight = chosen[0].weight if live else 0
    moment = asked.rolling_out(versions[0], step=step, weight=weight, age=age, variants=chosen)
    shares = {one.revision.name: one.weight for one in chosen} if live else {}
    route = observation.RouteState({name("1"): 100 - sum(shares.values()), **shares}, accepted=True, settled=True)
    for version in versions[1:]:
        moment = moment.running(version, 4)
    evidence = Evidence.model_validate(
        {"cursors": {p.uid: ZERO for _, pods in moment.pods for p in pods}, "since": began,
         "weightSince": began if live else None}
    )  # fmt: skip
    assert moment.record
    kept = tuple(VariantRecord(name=one.name, revision=one.revision.name, evidence=evidence) for one in chosen[1:])
    status = moment.record.status.model_copy(update={"evidence": evidence, "variants": kept})
    record = moment.record.model_copy(update={"status": status})
    return replace(moment, route=route, record=record, test=observation.TestResults({}))


def converted(users: int, of: int, *, units: int | None = None) -> Units:
    return Units(units or of, of, float(users), float(users))


def results(moment: Moment, **more: Any) -> Moment:
    """Who converted, by version: `v1=(400, 4000)`."""
    units = {key: value for key, value in more.items() if key.startswith("v")}
    found = {name(key[1:]): value if isinstance(value, Units) else converted(*value) for key, value in units.items()}
    rest = {key: value for key, value in more.items() if key not in units}
    return replace(moment, test=observation.TestResults(found, **rest))


def safe(moment: Moment, **errors: int) -> Moment:
    """All have answered as many requests as their weights say, some of them with errors."""
    rollout = moment.status.rollout
    assert rollout
    shares = {one.revision.model_version: one.weight for one in rollout.variants}
    counts = {version: (100 * share, errors.get(f"v{version}", 0)) for version, share in shares.items()}
    return moment.counting({"1": (100 * (100 - sum(shares.values())), 0)} | counts)


def even(moment: Moment) -> Moment:
    return safe(results(moment, v1=(500, 5000), v2=(300, 3000), v3=(200, 2000)))


def best(moment: Moment) -> Moment:
    return safe(results(moment, v1=(500, 5000), v2=(450, 3000), v3=(500, 2000)))


START, LIVE, HOLD = at(0, "2", "3", live=False, age=5), at(1, "2", "3"), at(1, "2", "3", onWinner="Hold")
LATE = at(1, "2", "3", age=10 * HOUR + 1)

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
    outcome = moment.outcome
    assert outcome.reason == reason, outcome.message
    assert all(word in outcome.message for word in words), outcome.message


def arms(moment: Moment) -> list[tuple[str, str | None]]:
    """Who is, or was, in the test, and why he left it."""
    rollout = moment.status.rollout
    return [(one.name, one.dropped) for one in rollout.variants] if rollout else []


def split(moment: Moment) -> dict[str, int]:
    versions = {name(number): number for number in "1234"}
    return {versions[one]: share for one, share in (moment.plan.split or {}).items()}


def test_all_get_their_users_in_one_write_and_keep_them() -> None:
    begun = at(1, "2", "3", live=False, age=1)
    assert split(begun) == {"1": 50, "2": 30, "3": 20}
    assert split(even(LIVE)) == {"1": 50, "2": 30, "3": 20}
    assert dict(LIVE.plan.scale) == {name("1"): 4, name("2"): 4, name("3"): 1}, "who is warm keeps what he has"


def test_who_has_no_pods_gets_no_requests_and_nobody_else_more_than_his() -> None:
    lost = even(LIVE).running("3", 0)
    assert split(lost) == {"1": 70, "2": 30}
    assert lost.outcome.reason == "Analyzing"
    after = lost.next()
    rollout = after.status.rollout
    assert rollout
    assert rollout.variants[1].lost_at == NOW
    assert after.later(500).outcome.reason == "Analyzing"
    assert "ProgressDeadlineExceeded" in after.later(700).outcome.message
    back = after.running("3", 4)
    assert split(back) == {"1": 50, "2": 30, "3": 20}
    assert back.next().later(700).outcome.reason == "Analyzing"


def test_who_is_worse_leaves_and_only_his_users_move() -> None:
    worse = safe(results(LIVE, v1=(500, 5000), v2=(300, 3000), v3=(50, 2000)))
    assert split(worse) == {"1": 70, "2": 30}
    after = worse.next()
    assert arms(after) == [("candidate", None), ("large", "ProvenWorse")]
    assert after.plan.status.rejected[-1].revision == revision("3")
    assert worse.plan.experiment == Experiment(name("2"), 30, challengers=((name("2"), 30), (None, 20)))
    assert after.outcome.reason == "Analyzing"


def test_when_the_candidate_leaves_the_next_one_is_what_the_rollout_is_about() -> None:
    after = safe(results(LIVE, v1=(500, 5000), v2=(50, 3000), v3=(200, 2000))).next()
    assert after.status.rollout
    assert after.status.rollout.revision == revision("3")
    assert (after.status.rollout.weight, after.status.challengers) == (20, "3")
    assert split(after) == {"1": 80, "3": 20}
    assert after.situation.evidence.total.candidate_requests == 2000, "what was counted for it stays"
    assert after.outcome.reason == "Analyzing", after.outcome.message
    won = safe(results(after, v1=(500, 5000), v2=(50, 3000), v3=(600, 2000)))
    assert "large penguins/3: it has won" in won.outcome.message or "it has won" in won.outcome.message


def test_who_came_after_one_has_left_is_compared_with_those_who_came_then() -> None:
    """Late users convert more, at every version; and stable has more of them."""
    left = safe(results(LIVE, v1=(500, 5000), v2=(300, 3000), v3=(50, 2000))).next()
    assert left.status.rollout
    assert left.status.rollout.variants[1].dropped_at == NOW
    soon = safe(results(left.later(60), v1=(500, 5000), v2=(300, 3000), v3=(50, 2000))).next()
    matured = safe(results(soon.later(600), v1=(600, 6000), v2=(350, 3500), v3=(50, 2000))).next()
    late = safe(results(matured.later(HOUR), v1=(600 + 3500, 13000), v2=(350 + 1500, 6500), v3=(50, 2000)))
    judgement = late.situation.judgement
    assert judgement
    assert judgement.test
    assert [(part.control.matured, part.treatment.matured) for part in judgement.test.counts.parts] == [(6000, 3500)]
    assert judgement.test.difference
    assert judgement.test.difference.estimate == pytest.approx(0, abs=1e-9)
    assert late.outcome.reason == "Analyzing"


def test_the_last_one_is_rolled_back() -> None:
    first = safe(results(LIVE, v1=(500, 5000), v2=(50, 3000), v3=(20, 2000))).next()
    assert first.outcome.reason == "RolledBack"
    after = first.next()
    assert after.status.rollout is None
    assert {one.revision.model_version: one.reason for one in after.status.rejected} == {
        "2": "ProvenWorse", "3": "ProvenWorse",
    }  # fmt: skip
    assert split(first) == {"1": 100}


def promoted(moment: Moment) -> Moment:
    """Let the winner have all traffic and become stable."""
    for _ in range(6):
        moment = moment.next()
        rollout = moment.status.rollout
        if rollout is None:
            return moment
        shares = {name("1"): 100 - rollout.weight, rollout.revision.name: rollout.weight}
        route = observation.RouteState({n: s for n, s in shares.items() if s}, accepted=True, settled=True)
        moment = replace(moment, route=route)
    raise AssertionError(moment.outcome.message)


def test_a_variant_that_wins_is_stable_and_what_the_model_names_is_not_rolled_out_over_it() -> None:
    after = promoted(best(LIVE))
    assert after.status.stable == revision("3")
    lost = {one.revision.model_version: one for one in after.status.rejected}
    assert lost["2"].reason == "NoWinner"
    assert "large penguins/3 was preferred; conversion: 0.15 beside 0.1" in lost["2"].message
    assert after.outcome.reason == "NoWinner"
    assert after.plan.status.rollout is None
    says = {one.type: str(one.status) for one in after.plan.status.conditions}
    assert (says["Ready"], says["Degraded"]) == ("True", "False")


def test_nor_is_the_old_version_if_that_is_what_the_model_names() -> None:
    single = at(1, "2", "3")
    moment = replace(best(single), model=model("1"))
    assert moment.outcome.reason == "Superseded", "who was tested as the candidate is so no more"
    alone = wanting("1", "3").next()
    assert alone.status.rollout
    assert [one.name for one in alone.status.rollout.variants] == ["large"]
    direct = replace(alone.running("3", 4), wish=observation.Wish("promote-full", name("3")))
    after = promoted(replace(direct.next(), wish=None))
    assert after.status.stable == revision("3")
    assert (after.status.rejected[-1].revision, after.status.rejected[-1].reason) == (revision("1"), "NoWinner")
    assert after.outcome.reason == "NoWinner"


def test_a_variant_that_has_won_waits_for_a_person_where_nobody_is_promoted_unasked() -> None:
    told = best(at(1, "2", "3", onWinner="Notify"))
    assert told.outcome.reason == "Winner"
    assert split(told) == {"1": 100}
    after = replace(told.next(), route=SERVING.route)
    assert {one.revision.model_version: one.reason for one in after.status.rejected} == {"2": "NoWinner", "3": "Winner"}
    said = after.plan.status
    assert (said.rollout, said.verdict) == (None, Verdict.WINNER)
    assert "penguins/3 has won its test and is not promoted" in (said.message or "")
    assert f"sluice.dev/promote={name('3')}" in (said.message or "")
    asked = after.asking("promote", "3")
    assert asked.outcome.message == "penguins/3 has won its test, and is promoted by a person"
    done = promoted(replace(asked.next(), wish=None).next().running("3", 4))
    assert done.status.stable == revision("3")
    assert done.plan.status.rollout is None


def test_what_a_person_prefers_ends_the_test_for_all_others() -> None:
    moment = even(LIVE).asking("promote", "3").next()
    assert arms(moment) == [("candidate", "NoWinner"), ("large", None)]
    assert moment.status.rollout
    assert moment.status.rollout.direct
    refused = START.asking("promote", "3").next()
    assert arms(refused) == [("candidate", None), ("large", None)]


def test_an_abort_leaves_nobody() -> None:
    moment = even(LIVE).asking("abort", "2")
    assert split(moment) == {"1": 100}
    after = moment.next()
    assert {one.revision.model_version: one.reason for one in after.status.rejected} == {"2": "Aborted", "3": "Aborted"}
    assert {one.revision.model_version for one in after.status.retired} >= {"2", "3"}
    assert after.status.rollout is None


def test_a_held_winner_has_his_share_and_the_others_none() -> None:
    moment = best(HOLD)
    assert split(moment) == {"1": 80, "3": 20}
    held = moment.next()
    assert held.status.step == "3/3 hold"
    route = observation.RouteState({name("1"): 80, name("3"): 20}, accepted=True, settled=True)
    assert replace(held, route=route).outcome.reason == "AwaitingPromotion"


def test_all_challengers_share_the_probability_of_an_error() -> None:
    for one in even(LIVE).situation.challengers:
        assert one.judgement
        assert one.judgement.test
        assert (one.judgement.test.alpha.harm, one.judgement.test.alpha.safe) == (0.025, 0.025)
    found = even(LIVE).situation.judgement
    assert found
    assert found.test
    assert found.test.difference
    # Tightest at twice minUnits of who has fewer users of the two: 30 of 80.
    deviation = (0.09 * 8000 * (1 / 3000 + 1 / 5000)) ** 0.5
    expected = deviation * half_width(8000, 0.025, 2 * 200 * 80 / 30)
    assert found.test.difference.upper - found.test.difference.estimate == pytest.approx(expected, rel=0.01)


def test_each_share_is_one_beside_stable() -> None:
    rollout = LIVE.status.rollout
    assert rollout
    assert variants.share(rollout) == pytest.approx(30 / 80)
    assert variants.split_range(rollout, 50, {30}) == (30 / 80, 30 / 80)
    gone = variants.without(rollout, name("3"), "HarmProven", "it failed", NOW)
    assert variants.split_range(gone, 50, {30}) == (30 / 100, 30 / 80), "until the proxies know"
    assert variants.split_range(gone, 70, {30}) == (0.3, 0.3)
    assert variants.split_range(gone, 70, {0, 30}) == (0, 30 / 80), "while nobody knows what was"


def test_requests_are_expected_by_the_share_beside_stable() -> None:
    for one in even(LIVE).situation.challengers:
        assert SampleRatio.load(one.evidence.sample_ratio).log_e < 0, "3,000 and 2,000 beside 5,000, as they should be"


UNITS = {"1": 5000, "2": 3000, "3": 2000}


@pytest.mark.parametrize(
    ("units", "dropped", "expected"),
    [
        ({}, False, False),
        ({"3": 2300}, False, True),
        ({"1": 5700}, False, True),
        ({"1": 5400, "3": 1600}, False, True),
        ({"1": 6000, "3": 1000}, True, False),
        ({"1": 6000, "2": 2500, "3": 1000}, True, True),
        ({"1": 4000, "3": 3000}, True, True),
    ],
)
def test_users_come_to_all_versions_as_their_weights_say(units: dict[str, int], dropped: bool, expected: bool) -> None:
    rollout = LIVE.status.rollout
    assert rollout
    if dropped:
        rollout = variants.without(rollout, name("3"), "HarmProven", "it failed", NOW)
    counted = UNITS | units
    by_revision = {name(number): counted[number] for number in "23"}
    assert variants.mismatch(rollout, counted["1"], by_revision) is expected


def test_the_record_keeps_all_that_was_tested_and_what_became_of_it() -> None:
    begun = wanting("2", "3").plan
    assert begun.entry
    settled = begun.entry.record.spec.variants
    assert [(one.name, one.revision, one.weight) for one in settled] == [
        ("candidate", revision("2"), 30), ("large", revision("3"), 20),
    ]  # fmt: skip
    plan = best(LIVE).plan
    assert plan.entry
    found = plan.entry.record.status
    assert [(one.name, one.outcome, one.cause) for one in found.variants] == [
        ("candidate", RolloutOutcome.NO_WINNER, "NoWinner"), ("large", RolloutOutcome.IN_PROGRESS, None),
    ]  # fmt: skip
    assert all("97.5 % confidence" in (one.statement or "") for one in found.variants)
    assert found.variants[1].evidence
    assert found.variants[1].evidence.total.candidate_requests == 2000
    assert found.evidence.total.candidate_requests == 3000
    inputs = found.decisions[-1].inputs.variants
    assert [(one.name, one.ready, one.total.candidate_requests) for one in inputs] == [("large", 4, 2000)]
    end = promoted(best(LIVE)).record
    assert end
    assert [(one.name, one.outcome) for one in end.status.variants] == [
        ("candidate", RolloutOutcome.NO_WINNER), ("large", RolloutOutcome.PROMOTED),
    ]  # fmt: skip
    assert end.status.outcome is RolloutOutcome.PROMOTED


def test_the_record_keeps_what_was_counted_of_who_has_left() -> None:
    after = safe(results(LIVE, v1=(500, 5000), v2=(50, 3000), v3=(200, 2000))).next().later(10)
    plan = safe(results(after, v1=(500, 5000), v2=(50, 3000), v3=(200, 2000))).plan
    assert plan.entry
    record = plan.entry.record
    assert record.spec.candidate == revision("2")
    assert record.status.evidence.total.candidate_requests == 3000
    assert [one.name for one in record.status.variants if one.evidence] == ["large"]
    assert "worse by" in (record.status.variants[0].statement or "")


def test_no_winner_is_no_failure_of_any() -> None:
    plan = even(LATE).plan
    assert plan.entry
    assert plan.status.verdict is Verdict.NO_WINNER
    assert {one.outcome for one in plan.entry.record.status.variants} == {RolloutOutcome.NO_WINNER}


def test_without_variants_nothing_of_them_is_stored() -> None:
    moment = SERVING.edited(strategy={"abTest": WANTS}).wanting("2")
    assert "variants" not in moment.plan.status.to_kubernetes()["rollout"]
    assert moment.plan.entry
    assert "variants" not in moment.plan.entry.record.status.to_kubernetes()


def test_whoever_changes_a_variant_begins_another_test() -> None:
    changed = even(LIVE).edited(strategy={"abTest": WANTS | {"variants": [LARGE | {"weight": 15}]}})
    assert changed.outcome.reason == "StepsChanged"
    assert changed.next().status.rollout is None
    other = even(LIVE).edited(strategy={"canary": {}})
    assert other.outcome.reason == "StepsChanged"
    assert other.next().status.rollout is None


def test_an_alias_of_another_model_is_never_written() -> None:
    wants = {"model": {"uri": "models:/penguins@champion", "promotedAlias": "live"}}
    moment = wanting("2", "3").edited(**wants)
    other = revision("3").model_copy(update={"model_name": "whales"})
    status = SERVING.status.model_copy(update={"stable": other})
    held = replace(
        moment.rejected("2"), status=status.model_copy(update={"rejected": moment.rejected("2").status.rejected})
    )
    assert replace(held, variants={"large": model("2")}).plan.write_back is None


counts = st.builds(Units, *(st.integers(0, 3000) for _ in range(2)), *(st.floats(0, 3000) for _ in range(2)))


pods_of_two = st.tuples(st.integers(0, 4), st.integers(0, 4))


@given(st.tuples(counts, counts, counts), st.booleans(), pods_of_two, st.sampled_from([LIVE, LATE, START]))
@settings(max_examples=200, deadline=None)
def test_weights_sum_to_the_whole_and_nobody_has_some_without_pods(
    units: tuple[Units, Units, Units], incomplete: bool, pods: tuple[int, int], moment: Moment
) -> None:
    first, second, control = units
    moment = moment.running("2", pods[0]).running("3", pods[1])
    moment = safe(results(moment, v1=control, v2=first, v3=second, incomplete=incomplete))
    plan = moment.plan
    assert plan.split is not None
    assert sum(plan.split.values()) == 100
    assert all(moment.seen.revision(one).ready for one in plan.split)
    few = min(first.matured, control.matured) < 200 and min(second.matured, control.matured) < 200
    if few or incomplete:
        assert "ProvenWorse" not in moment.outcome.message
        assert "has won" not in moment.outcome.message


@given(st.integers(0, 4), st.integers(0, 4), st.integers(1, 4), st.sampled_from([best, even]))
@settings(max_examples=50, deadline=None)
def test_an_operator_that_starts_anew_decides_the_same(ready: int, others: int, looks: int, counted: Any) -> None:
    counted(LIVE.running("2", ready).running("3", others)).decides_the_same_anew(looks)
