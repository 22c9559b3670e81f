"""A canary whose users stick to a version: users are what counts, at each weight anew, and none of it is multiplied."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from sluice.api.record import Evidence
from sluice.core.evidence import Judgement
from sluice.core.experiments import unit, window, windows
from sluice.core.metrics import over_windows
from sluice.core.moves import with_weight
from sluice.core.observation import Counters, Scrape
from sluice.core.plan import Experiment
from sluice.core.strategies.registry import STRATEGIES

from tests.unit.core.moments import ANALYZING, NOW, SERVING, STEPS, Moment, name, pod
from tests.unit.core.test_evidence import knowing, looked, rollout

STICKY = {"gateway": {"name": "public"}, "sticky": {"header": "x-user-id"}}
PLANNED = 2  # weights of STEPS at which both versions have users
STEADY = SERVING.edited(traffic=STICKY)


def counting(moment: Moment, counts: dict[str, tuple[int, int]]) -> Moment:
    """Users and failed ones of the first pod of each version; each makes ten requests, all of which fail."""
    found = {p.uid: Counters("a", 0, 0) for _, pods in moment.pods for p in pods if p.ready}
    for version, (users, failed) in counts.items():
        found[f"{version}-0"] = Counters("a", 10 * users, 10 * users, users=users, users_failed=failed)
    return replace(moment, scrape=Scrape(found))


def at(step: int, weight: int, **more: Any) -> Moment:
    moment = STEADY.rolling_out("2", step=step, weight=weight, age=10, window=window(STEADY.spec, None, weight), **more)
    assert moment.record
    evidence = moment.record.status.evidence
    cursors = {uid: cursor.model_copy(update={"users": True}) for uid, cursor in evidence.cursors.items()}
    return knowing(moment, evidence.model_copy(update={"cursors": cursors}))


AT_20 = at(2, 20)


def weighted(moment: Moment, weight: int, step: int) -> Moment:
    """The moment after the candidate has got another weight, long enough for it to be the only one."""
    facts = with_weight(moment.situation, rollout(moment), weight)
    assert facts.rollout
    changed = {"weight_live_at": NOW, "weights_before": (), "step_index": step}
    return replace(
        moment, status=facts.model_copy(update={"rollout": facts.rollout.model_copy(update=changed)})
    ).gateway_at({"1": 100 - weight, "2": weight})


def judged(moment: Moment) -> Judgement:
    found = moment.situation.judgement
    assert found
    return found


def evidence(moment: Moment) -> Evidence:
    return moment.situation.evidence


def test_users_are_what_counts() -> None:
    seen = counting(AT_20, {"1": (400, 3), "2": (100, 1)})
    total = evidence(seen).total
    assert (total.stable_requests, total.stable_errors) == (400, 3)
    assert (total.candidate_requests, total.candidate_errors) == (100, 1)
    assert unit(seen.spec) == "users by header x-user-id"
    assert "candidate 1 failed of 100 users" in seen.outcome.message


def test_each_weight_has_a_window_of_its_own() -> None:
    assert windows(AT_20.spec) == (20, 50)
    numbers = [window(AT_20.spec, None, weight) for weight in (0, 13, 20, 49, 50, 100)]
    assert numbers == [None, None, 1, 1, 2, 2]
    assert window(AT_20.spec, 2, 13) == 2, "who lacks pods for a while is where he was"
    assert windows(ANALYZING.spec) == ()
    assert window(ANALYZING.spec, None, 50) is None


def test_a_new_weight_begins_at_one_and_what_was_proven_of_harm_stays() -> None:
    first = looked(counting(AT_20, {"1": (400, 0), "2": (100, 4)}))
    second = weighted(first, 50, 4)
    seen = evidence(looked(counting(second, {"1": (400, 0), "2": (100, 4)})))
    assert (evidence(first).window, seen.window) == (1, 2)
    assert all(len(one.closed) == 1 for one in seen.metrics)
    assert judged(first).harm > 0.2
    assert judged(second).harm == pytest.approx(judged(first).harm), "a window without users is worth 1, as before"


def test_safety_is_proven_at_each_weight_by_its_own_users() -> None:
    first = looked(counting(AT_20, {"1": (4000, 0), "2": (1000, 0)}))
    second = weighted(first, 50, 2)
    assert judged(first).safe > 1
    assert judged(second).safe == 0
    assert judged(counting(second, {"1": (5000, 0), "2": (2000, 0)})).safe > 1


def test_a_controller_that_died_before_it_wrote_the_weight_has_closed_nothing() -> None:
    first = looked(counting(AT_20, {"1": (400, 8), "2": (100, 5)}))
    later = looked(weighted(first, 50, 4))
    assert evidence(later).window == 2
    again = evidence(knowing(first, evidence(first)))
    assert again.window == 1
    assert not any(one.closed for one in again.metrics)


def test_harm_is_the_average_over_all_weights_that_were_planned() -> None:
    first = looked(counting(AT_20, {"1": (400, 0), "2": (100, 20)}))
    once = judged(first).harm
    second = looked(counting(weighted(first, 50, 4), {"1": (500, 0), "2": (200, 40)}))
    assert 0 < once < judged(second).harm
    assert over_windows((3.0,), 1) == 3.0
    assert over_windows((3.0,), 4) == pytest.approx(math.log((math.exp(3) + 3) / 4))
    assert over_windows((3.0, -2.0), 2) == pytest.approx(math.log((math.exp(3) + math.exp(-2)) / 2))
    assert over_windows((3.0, 3.0, 3.0), 2) == pytest.approx(3.0), "steps that were taken out count all the same"


def test_a_version_that_fails_is_harmful_by_a_few_users() -> None:
    assert judged(counting(AT_20, {"1": (80, 0), "2": (20, 20)})).harmful


def test_without_sticky_users_nothing_is_averaged() -> None:
    first = looked(ANALYZING.counting({"1": (400, 8), "2": (100, 5)}))
    assert evidence(first).window is None
    facts = with_weight(first.situation, rollout(first), 50)
    later = looked(replace(first, status=facts).counting({"1": (700, 8), "2": (400, 15)}))
    assert not any(one.closed for one in evidence(later).metrics)
    assert evidence(later).sample_ratio is not None


def test_users_who_do_not_come_as_the_weight_says_prove_nothing() -> None:
    odd = counting(AT_20, {"1": (4000, 0), "2": (4000, 0)})  # as where a user is drawn anew for each request
    assert judged(odd).mismatch
    assert "users do not come to the versions as the weight of 20 % says" in odd.outcome.message
    assert odd.outcome.reason == "Analyzing"
    assert not judged(counting(AT_20, {"1": (4000, 0), "2": (1000, 0)})).mismatch
    failing = counting(AT_20, {"1": (4000, 0), "2": (4000, 4000)})
    assert failing.outcome.reason == "RolledBack", "harm needs no proportion"


@pytest.mark.parametrize("users", [700, 1400])
def test_a_user_who_counts_twice_or_not_at_all_is_no_mismatch(users: int) -> None:
    assert not judged(counting(AT_20, {"1": (4000, 0), "2": (users, 0)})).mismatch
    requests = ANALYZING.counting({"1": (4000, 0), "2": (users, 0)})
    assert judged(requests).mismatch, "a request can't"


CHANGES: list[tuple[str, Callable[[Moment], Moment]]] = [
    ("a pod comes", lambda moment: moment.running("2", 5)),
    ("a pod goes", lambda moment: moment.running("1", 3)),
    ("a pod is not ready for a moment", lambda moment: moment.running("1", 3, pod("1", 3, ready=False))),
]


@pytest.mark.parametrize(("what", "change"), CHANGES, ids=[change[0] for change in CHANGES])
def test_proportions_say_nothing_once_users_have_changed_pods(what: str, change: Callable[[Moment], Moment]) -> None:
    begun = looked(counting(AT_20, {"1": (400, 0), "2": (100, 0)}))
    changed = looked(counting(change(begun), {"1": (500, 0), "2": (125, 0)}))
    before = replace(changed, pods=begun.pods)
    for moment in (changed, before):
        assert not judged(counting(moment, {"1": (4500, 0), "2": (4100, 0)})).mismatch, what
    next_one = weighted(before, 50, 4)
    assert judged(counting(next_one, {"1": (5000, 0), "2": (125, 0)})).mismatch, "another weight is another sample"
    assert judged(counting(begun, {"1": (4500, 0), "2": (4100, 0)})).mismatch, "without the change it is one"


def test_a_restarted_server_counts_its_users_again() -> None:
    begun = looked(counting(AT_20, {"1": (400, 0), "2": (100, 0)}))
    again = counting(begun, {"1": (4500, 0), "2": (4100, 0)})
    runs = {uid: replace(one, start="b") if uid == "2-0" else one for uid, one in again.scrape.counters.items()}
    assert not judged(replace(again, scrape=Scrape(runs))).mismatch


@pytest.mark.parametrize("lowered", [10, 20])
def test_users_who_are_back_at_stable_for_want_of_pods_are_no_evidence(lowered: int) -> None:
    first = looked(counting(at(4, 50), {"1": (400, 0), "2": (400, 0)}))
    less = looked(counting(weighted(first, lowered, 4), {"1": (500, 50), "2": (400, 0)}))
    assert rollout(less).window == 2
    assert evidence(less).metrics == evidence(first).metrics
    assert evidence(less).total.stable_requests == 500, "they are told all the same"
    back = looked(counting(weighted(less, 50, 4), {"1": (600, 50), "2": (420, 0)}))
    assert evidence(back).metrics != evidence(less).metrics
    assert not judged(counting(back, {"1": (600, 50), "2": (4000, 0)})).mismatch, "some are counted on both sides"


def test_what_is_proven_is_proven_by_users() -> None:
    proven = counting(AT_20, {"1": (4000, 0), "2": (1000, 0)})
    assert "safe at 20 %: candidate 0 failed of 1000 users, stable 0 of 4000" in proven.outcome.message
    paused = counting(at(1, 20), {"1": (4000, 0), "2": (1000, 1)}).edited(
        strategy={"canary": {"steps": [{"setWeight": 20}, {"pause": {}}]}}
    )
    steps = STRATEGIES["canary"].begun(paused.spec, 1)
    waits = paused.status.model_copy(update={"rollout": rollout(paused).model_copy(update={"steps": steps})})
    assert "candidate 1 failed of 1000 users" in replace(paused, status=waits).outcome.message


def test_too_few_users_are_said_to_be_users() -> None:
    assert "too little traffic yet: 10 of at least 100 candidate users" in (
        counting(AT_20.edited(analysis={"minRequests": 100}), {"1": (40, 0), "2": (10, 0)}).outcome.message
    )


def test_the_first_users_wait_until_they_can_stay() -> None:
    first = at(0, 0)
    held = replace(first, sticky_problem="there is no BackendTrafficPolicy")
    assert held.outcome.reason == "AwaitingUsers"
    assert "there is no BackendTrafficPolicy" in held.outcome.message
    assert first.outcome.reason == "ShiftingTraffic"
    assert first.next().status.rollout
    assert rollout(first.next()).window == 1
    assert replace(AT_20, sticky_problem="it is gone").outcome.reason != "AwaitingUsers", "nobody is moved for it"


def test_users_are_assigned_from_the_first_weight_to_the_end() -> None:
    assert at(0, 0).plan.experiment == Experiment(name("2"), 99, 1)
    assert AT_20.plan.experiment == Experiment(name("2"), 99, 1)
    assert at(5, 50).plan.experiment == Experiment(name("2"), 99, 2), "also while it takes over"
    assert ANALYZING.plan.experiment is None
    assert STEADY.plan.experiment is None


def test_mirror_steps_come_before_users() -> None:
    steps = [{"mirror": {"percent": 50}}, *STEPS]
    moment = STEADY.edited(strategy={"canary": {"steps": steps}}).rolling_out("2", step=1)
    assert moment.plan.experiment is None
    assert moment.plan.mirror is not None


EDITS: list[tuple[str, dict[str, Any]]] = [
    ("steps", {"strategy": {"canary": {"steps": [{"setWeight": 10}, {"analysis": {}}]}}}),
    ("whose users they are", {"traffic": STICKY | {"sticky": {"cookie": "session"}}}),
    ("that users stick", {"traffic": {"gateway": {"name": "public"}}}),
]


@pytest.mark.parametrize(("what", "edit"), EDITS, ids=[edit[0] for edit in EDITS])
def test_what_is_changed_on_the_way_begins_another_rollout_with_other_users(what: str, edit: dict[str, Any]) -> None:
    outcome = AT_20.edited(**edit).outcome
    assert outcome.reason == "StepsChanged", what
    assert outcome.facts.rollout is None
    assert "begins another rollout" in outcome.message


def test_later_steps_may_change() -> None:
    later = AT_20.edited(strategy={"canary": {"steps": [*STEPS, {"pause": {"duration": "5s"}}]}})
    assert later.outcome.reason != "StepsChanged"
