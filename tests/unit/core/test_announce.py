"""Events for what is no decision: once when it begins, once when it is over."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sluice.core.observation import WriteBack

from tests.unit.core.moments import AT_20, DOWN, EARLY, SERVING, Moment, name

QUIET = SERVING.next()  # its status has been written
BETWEEN = AT_20.next()
GATEWAY = "there is no Gateway models/public"


def told(moment: Moment) -> list[tuple[str, str]]:
    return [(str(event.type), event.reason) for event in moment.plan.events]


@pytest.mark.parametrize(
    ("moment", "reason"),
    [
        (replace(QUIET, model=DOWN), "RegistryUnreachable"),
        (replace(QUIET, gateway_problem=GATEWAY), "GatewayNotFound"),
        (QUIET.running("1", 0), "NoReadyPods"),
        (QUIET.gateway_at({"1": 100}, accepted=False, message="no listener"), "RouteNotAccepted"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_trouble_is_told_when_it_begins_and_when_it_is_over(moment: Moment, reason: str) -> None:
    assert told(moment) == [("Warning", reason)]
    during = moment.next()
    assert told(during) == [], "not again at the next look"
    over = replace(during, model=QUIET.model, gateway_problem=None, pods=QUIET.pods, route=QUIET.route)
    assert told(over) == [("Normal", "Recovered")]
    assert f"no more {reason}" in over.plan.events[0].message


def test_one_pod_of_four_that_is_missing_is_a_condition_and_no_event() -> None:
    assert told(QUIET.running("1", 3)) == []


def test_the_first_look_at_an_alias_that_is_not_there_is_told() -> None:
    assert told(replace(Moment(), model=DOWN)) == [("Warning", "RegistryUnreachable")]


def test_a_pause_and_its_end_are_told() -> None:
    paused = BETWEEN.edited(paused=True)
    assert told(paused) == [("Normal", "PausedByUser")]
    assert "set it to false" in paused.plan.events[0].message
    assert told(paused.next()) == []
    assert ("Normal", "Resumed") in told(paused.next().edited(paused=False))


def test_a_first_install_without_pods_is_as_it_was_asked_for() -> None:
    assert "ScaledToZero" not in [reason for _, reason in told(Moment().edited(replicas=0).next())]


def test_a_step_that_waits_for_a_person_is_told_once() -> None:
    held = EARLY.edited(strategy={"canary": {"steps": [{"setWeight": 20}, {"pause": {}}]}})
    held = held.rolling_out("2", step=1, weight=20, age=10)
    assert told(held) == [("Normal", "AwaitingPromotion")]
    assert told(held.next()) == []


def test_a_rollback_is_told_by_the_decision_alone() -> None:
    harmful = AT_20.counting({"1": (80, 0), "2": (20, 20)})
    assert [reason for _, reason in told(harmful)] == ["RolledBack"]
    assert told(harmful.next()) == []


def test_an_alias_that_was_written_back_is_told() -> None:
    wanted = QUIET.edited(model={"uri": "models:/penguins@candidate", "promotedAlias": "champion"})
    done = replace(wanted.next(), write_back=WriteBack("champion", name("1")))
    assert told(done) == [("Normal", "AliasMoved")]
    assert done.plan.events[0].message == "the alias champion names penguins/1 now"
