"""Counters become evidence: every request once, in the right share, whatever happens to pods and to us."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sluice.api.record import Evidence
from sluice.api.status import Rollout
from sluice.core.evidence import unsettled
from sluice.core.moves import with_weight

from tests.unit.core.moments import ANALYZING, AT_20, EARLY, NOW, SERVING, Moment, pod

AGE = 10.0  # of the rollout in ANALYZING, in seconds


def rollout(moment: Moment) -> Rollout:
    found = moment.status.rollout
    assert found is not None
    return found


def looked(moment: Moment) -> Moment:
    """The moment after its counters were taken in, with no decision."""
    situation = moment.situation
    return knowing(replace(moment, status=situation.status), situation.evidence)


def knowing(moment: Moment, evidence: Evidence) -> Moment:
    assert moment.record is not None
    status = moment.record.status.model_copy(update={"evidence": evidence})
    return replace(moment, record=moment.record.model_copy(update={"status": status}))


def weighted(moment: Moment, weight: int) -> Moment:
    """The moment after the candidate got another weight."""
    return replace(moment, status=with_weight(moment.situation, rollout(moment), weight))


def counted(moment: Moment) -> tuple[int, int, int, int]:
    """Requests and errors of stable, then of the candidate."""
    total = rollout(looked(moment)).evidence.total
    return total.stable_requests, total.stable_errors, total.candidate_requests, total.candidate_errors


def test_what_was_counted_before_is_not_counted_again() -> None:
    first = ANALYZING.counting({"1": (80, 1), "2": (20, 2)})
    second = looked(first).counting({"1": (100, 1), "2": (25, 5)})
    assert counted(first) == (80, 1, 20, 2)
    assert counted(second) == (100, 1, 25, 5)
    assert counted(looked(second)) == (100, 1, 25, 5)


def test_a_restarted_container_counts_from_zero() -> None:
    before = looked(ANALYZING.counting({"1": (80, 0), "2": (20, 0)}, start="a"))
    assert counted(before.counting({"1": (80, 0), "2": (3, 1)}, start="b")) == (160, 0, 23, 1)


def test_counters_that_go_back_without_a_restart_count_nothing() -> None:
    before = looked(ANALYZING.counting({"1": (80, 5), "2": (20, 5)}))
    assert counted(before.counting({"1": (70, 1), "2": (19, 0)})) == (80, 5, 20, 5)


@pytest.mark.parametrize("silent", ["1-3", "2-2"])
def test_while_a_ready_pod_is_silent_nothing_is_taken_in_and_nothing_is_lost(silent: str) -> None:
    blind = ANALYZING.counting({"1": (80, 0), "2": (20, 0)}).blind(silent)
    assert counted(blind) == (0, 0, 0, 0)
    assert counted(looked(blind).counting({"1": (90, 0), "2": (30, 0)})) == (90, 0, 30, 0)


@pytest.mark.parametrize("gone", [{"ready": False}, {"ready": True, "terminating": True}], ids=["unready", "ending"])
def test_a_pod_that_takes_no_traffic_may_be_silent(gone: dict[str, bool]) -> None:
    counters = ANALYZING.counting({"1": (80, 0), "2": (20, 0)})
    assert counted(counters.running("2", 3, pod("2", 3, **gone)).blind("2-3")) == (80, 0, 20, 0)


AGES = [
    ("2", AGE - 1, (80, 0, 520, 7), "a new pod of the candidate counts from zero"),
    ("1", AGE - 1, (580, 7, 20, 0), "a new pod of stable counts from zero"),
    ("2", AGE + 1, (80, 0, 20, 0), "a warm pod of the candidate counts from where it is first seen"),
    ("1", AGE + 1, (80, 0, 20, 0), "an old pod of stable counts from where it is first seen"),
    ("1", -3600, (80, 0, 20, 0), "a pod from the future counts as old: a clock was set"),
]


@pytest.mark.parametrize(("version", "age", "expected", "why"), AGES, ids=[case[3] for case in AGES])
def test_a_pod_never_seen_before(version: str, age: float, expected: tuple[int, int, int, int], why: str) -> None:
    unseen = pod(version, 9, created=NOW - timedelta(seconds=age))
    counters = ANALYZING.running(version, 4, unseen).counting({"1": (80, 0), "2": (20, 0)})
    found = counters.scrape.counters[unseen.uid]
    known = {**counters.scrape.counters, unseen.uid: replace(found, requests=500, errors=7)}
    first = replace(counters, scrape=replace(counters.scrape, counters=known))
    assert counted(first) == expected
    assert counted(looked(first)) == expected


def test_before_the_first_weight_nothing_counts() -> None:
    warm = EARLY.counting({"1": (1000, 10), "2": (5000, 2500)})
    assert counted(warm) == (0, 0, 0, 0)
    assert looked(warm).situation.evidence.cursors["2-0"].requests == 5000


def test_cursors_of_pods_that_are_gone_are_dropped() -> None:
    before = looked(ANALYZING.counting({"1": (80, 0), "2": (20, 0)}))
    after = looked(before.running("2", 0, pod("2", 7)).counting({"1": (80, 0)}))
    assert sorted(uid for uid in after.situation.evidence.cursors if uid.startswith("2")) == ["2-7"]


def test_a_new_weight_begins_its_own_count_and_keeps_the_evidence() -> None:
    before = looked(ANALYZING.counting({"1": (80, 1), "2": (20, 1)}))
    after = weighted(before, 50).situation.evidence
    assert after.at_weight.candidate_requests == 0
    assert after.total.candidate_requests == 20
    assert after.metrics == before.situation.evidence.metrics


def test_evidence_that_was_stored_before_the_weight_counts_at_the_old_one_if_the_weight_never_was() -> None:
    before = looked(ANALYZING.counting({"1": (80, 1), "2": (20, 1)}))
    died_in_between = knowing(before, weighted(before, 50).situation.evidence)
    assert died_in_between.situation.evidence.at_weight.candidate_requests == 0, "after its look at the new weight"
    assert before.situation.evidence.at_weight.candidate_requests == 20, "before that nothing was reset"


def test_without_its_record_a_rollout_counts_from_now_on() -> None:
    lost = replace(ANALYZING.counting({"1": (80, 0), "2": (20, 20)}), record=None)
    entry = lost.plan.entry
    assert entry is not None
    assert entry.record.status.evidence.total.candidate_requests == 0
    assert entry.record.status.evidence.since == NOW


def raised(*, live: float | None, counted_at: float | None = None) -> Moment:
    """The weight went from 20 to 50 at NOW; the gateway took it, and we counted last, so many seconds later."""
    changed = weighted(ANALYZING, 50)
    found = rollout(changed).model_copy(update={"weight_live_at": live and NOW + timedelta(seconds=live)})
    assert changed.record is not None
    counted = {"counted_at": counted_at and NOW + timedelta(seconds=counted_at)}
    evidence = changed.record.status.evidence.model_copy(update=counted)
    return knowing(replace(changed, status=changed.status.model_copy(update={"rollout": found})), evidence)


SETTLING = [
    ("not live yet", raised(live=None, counted_at=60), {20}),
    ("just live", raised(live=60, counted_at=61), {20}),
    ("live for long, but not counted since", raised(live=60, counted_at=59), {20}),
    ("live and counted since", raised(live=60, counted_at=66), set()),
    ("never counted", raised(live=60), {20}),
]


@pytest.mark.parametrize(("when", "moment", "shares"), SETTLING, ids=[case[0] for case in SETTLING])
def test_the_weight_before_counts_until_the_new_one_is_live_and_settled(
    when: str, moment: Moment, shares: set[int]
) -> None:
    assert unsettled(rollout(moment), moment.situation.evidence) - {0} == shares


def test_a_slow_gateway_is_no_mismatch_of_the_split() -> None:
    moment = raised(live=None, counted_at=1)
    for n in range(1, 30):
        moment = looked(moment.later(1).counting({"1": (80 * n, 0), "2": (20 * n, 0)}))
    judgement = moment.situation.judgement
    assert judgement is not None
    assert not judgement.mismatch
    assert judgement.requests == 580


def test_a_weight_that_the_gateway_took_is_noted_once() -> None:
    taken = looked(raised(live=None).gateway_at({"1": 50, "2": 50}).later(7))
    assert rollout(taken).weight_live_at == NOW + timedelta(seconds=7)
    assert rollout(looked(taken.later(5))).weight_live_at == NOW + timedelta(seconds=7)


def test_a_route_that_somebody_edits_unsettles_the_weight() -> None:
    edited = looked(AT_20.gateway_at({"1": 1, "2": 99}))
    assert rollout(edited).weight_live_at is None
    assert 99 in unsettled(rollout(edited), edited.situation.evidence)


def test_at_full_weight_requests_count_but_there_is_nothing_to_compare() -> None:
    full = SERVING.rolling_out("2", step=5, weight=100, age=100).counting({"2": (500, 500)})
    judgement = full.situation.judgement
    assert judgement is not None
    assert counted(full) == (0, 0, 500, 500)
    assert not judgement.harmful


def test_a_dead_candidate_is_proven_by_its_first_requests() -> None:
    judgement = ANALYZING.counting({"1": (80, 0), "2": (20, 20)}).situation.judgement
    assert judgement is not None
    assert judgement.harmful


def test_requests_that_end_after_the_weight_went_to_zero_still_count() -> None:
    moment = weighted(ANALYZING, 0).gateway_at({"1": 100})
    assert counted(moment.counting({"1": (80, 0), "2": (20, 20)})) == (80, 0, 20, 20)
