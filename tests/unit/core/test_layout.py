"""What follows from the facts: pods for whoever may have traffic, and nothing is thrown away too early."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.unit.core.moments import ANALYZING, AT_20, EARLY, PROMOTING, SERVING, Moment, name

# the moment, the version, its pods
PODS = [
    ("stable keeps all of its pods", AT_20, "1", 4),
    ("stable keeps them while the candidate has all traffic", PROMOTING, "1", 4),
    ("a candidate gets what its next weight needs", EARLY.running("2", 0), "2", 1),
    ("half of the traffic needs half of the pods", SERVING.rolling_out("2", step=3, weight=20).running("2", 1), "2", 2),
    ("a candidate that takes over needs all", SERVING.rolling_out("2", step=5, weight=50).running("2", 2), "2", 4),
    ("a warm one keeps what it has", EARLY, "2", 4),
    ("but not more than are wanted", EARLY.edited(replicas=3), "2", 3),
    ("a scale of zero is for all", AT_20.edited(replicas=0), "1", 0),
    ("also for the candidate", AT_20.edited(replicas=0), "2", 0),
    ("who is given up drains", SERVING.running("2", 4).retired("2", due=9), "2", 4),
    ("and is scaled down when due", SERVING.running("2", 4).retired("2", due=0), "2", 0),
    ("but never with traffic", SERVING.running("2", 4).retired("2", due=-60).gateway_at({"1": 80, "2": 20}), "2", 4),
    ("nor while an older route may be live",
     SERVING.running("2", 4).retired("2", due=-60).gateway_at({"1": 100}, accepted=None), "2", 4),
    ("nor while the gateway refuses the route",
     SERVING.running("2", 4).retired("2", due=-60).gateway_at({"1": 100}, accepted=False), "2", 4),
]  # fmt: skip


@pytest.mark.parametrize(("why", "moment", "version", "pods"), PODS, ids=[case[0] for case in PODS])
def test_pods_follow_the_facts(why: str, moment: Moment, version: str, pods: int) -> None:
    assert moment.plan.scale[name(version)] == pods


def many_retired(limit: int, **more: object) -> Moment:
    moment = SERVING.edited(revisionHistoryLimit=limit, **more)
    for version in ("5", "6", "7"):
        moment = moment.running(version, 0).retired(version, due=-60)
    return moment.retired("8", due=60).running("8", 4)


def test_the_oldest_are_forgotten_beyond_the_history_limit() -> None:
    plan = many_retired(2).plan
    assert plan.forget == (name("5"),)
    assert [entry.revision.model_version for entry in plan.status.retired] == ["6", "7", "8"]


def test_without_history_all_that_are_due_go() -> None:
    assert sorted(many_retired(0).plan.forget) == sorted(name(version) for version in ("5", "6", "7"))


def test_orphans_are_forgotten() -> None:
    assert SERVING.running("9", 2).plan.forget == (name("9"),)


def test_an_orphan_with_traffic_stays_even_if_all_facts_are_lost() -> None:
    restored = replace(SERVING, status=Moment().status).wanting("2")
    assert restored.plan.forget == ()


def test_what_is_live_is_never_forgotten() -> None:
    moment = AT_20.edited(revisionHistoryLimit=0)
    assert moment.plan.forget == ()


def test_before_the_first_install_there_is_no_route() -> None:
    assert Moment().plan.split is None
    assert Moment().rolling_out("1").running("1", 3).plan.split is None


@pytest.mark.parametrize(
    ("moment", "split"),
    [(SERVING, {"1": 100}), (AT_20, {"1": 80, "2": 20}), (ANALYZING.wanting("1"), {"1": 100})],
    ids=["serving", "rolling out", "given up"],
)
def test_the_split_names_who_has_traffic(moment: Moment, split: dict[str, int]) -> None:
    assert moment.plan.split == {name(version): share for version, share in split.items()}


def test_a_promotion_keeps_the_pods_of_both() -> None:
    plan = PROMOTING.plan
    assert plan.scale == {name("1"): 4, name("2"): 4}
    assert plan.split == {name("2"): 100}
    assert [entry.revision.model_version for entry in plan.status.retired] == ["1"]


def test_the_old_version_stays_warm_as_long_as_was_asked_for_and_at_least_to_drain() -> None:
    for delay, seconds in ((0, 10), (30, 30)):
        retired = PROMOTING.edited(scaleDownDelaySeconds=delay).plan.status.retired[0]
        assert (retired.scale_down_at - PROMOTING.now).total_seconds() == seconds


def test_the_next_look_is_when_the_next_one_is_due() -> None:
    assert SERVING.retired("2", due=20).running("2", 4).plan.requeue_after == pytest.approx(20.05)
    assert SERVING.retired("2", due=-20).plan.requeue_after == 300


def test_whatever_is_answered_first_nobody_gets_more_than_his_ready_pods_carry() -> None:
    moment = SERVING.rolling_out("2", step=4, weight=50).running("2", 1).asking("promote", "2")
    assert moment.plan.split == {name("1"): 75, name("2"): 25}
