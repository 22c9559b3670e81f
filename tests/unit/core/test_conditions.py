"""Conditions tell what is observed; their times change with their status, and with nothing else."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sluice.core.observation import RouteState

from tests.unit.core.moments import ANALYZING, AT_20, DOWN, EARLY, NOW, SERVING, Moment, name

PARKED = SERVING.edited(replicas=0).running("1", 0)
UNKNOWN = replace(SERVING, route=RouteState({name("1"): 100}, accepted=True, settled=False))
REFUSED = SERVING.gateway_at({"1": 100}, accepted=False, message="no such listener")

# the moment, a condition, its status and reason
SAYS = [
    ("installing", Moment(), "Ready", "False", "Installing"),
    ("installing", Moment(), "Available", "False", "NotInstalled"),
    ("serving", SERVING, "Ready", "True", "Serving"),
    ("serving, but some proxy may not know it", UNKNOWN, "Ready", "False", "WaitingForProxies"),
    ("serving, but some proxy may not know it", UNKNOWN, "Available", "True", "PodsReady"),
    ("serving by a new route", replace(UNKNOWN, status=SERVING.plan.status), "Ready", "True", "Serving"),
    ("serving", SERVING, "Available", "True", "PodsReady"),
    ("serving", SERVING, "Progressing", "False", "Complete"),
    ("serving", SERVING, "Degraded", "False", "AsExpected"),
    ("rolling out", AT_20, "Ready", "False", "Pausing"),
    ("rolling out", AT_20, "Available", "True", "PodsReady"),
    ("rolling out", AT_20, "Progressing", "True", "Pausing"),
    ("rolling out", AT_20, "Analyzed", "Unknown", "Running"),
    ("paused", AT_20.edited(paused=True), "Paused", "True", "PausedByUser"),
    ("not paused", AT_20, "Paused", "False", "NotPaused"),
    ("parked in a rollout", AT_20.edited(replicas=0), "Paused", "True", "ScaledToZero"),
    ("inconclusive", SERVING.rolling_out("2", step=2, weight=20, inconclusive=True), "Paused", "True", "Inconclusive"),
    ("rolled back", SERVING.rejected("2").wanting("2"), "Degraded", "True", "RolledBack"),
    ("rolled back", SERVING.rejected("2").wanting("2"), "Available", "True", "PodsReady"),
    ("rolled back", SERVING.rejected("2").wanting("2"), "Analyzed", "False", "HarmProven"),
    ("registry away", replace(SERVING, model=DOWN), "Progressing", "Unknown", "RegistryUnreachable"),
    ("registry away", replace(SERVING, model=DOWN), "Available", "True", "PodsReady"),
    ("no pod ready", SERVING.running("1", 0), "Degraded", "True", "NoReadyPods"),
    ("no pod ready", SERVING.running("1", 0), "Available", "False", "NoReadyPods"),
    ("some pods ready", SERVING.running("1", 2), "Available", "True", "PodsReady"),
    ("some pods ready", SERVING.running("1", 2), "Degraded", "True", "MissingPods"),
    ("scaled to zero", PARKED, "Available", "False", "ScaledToZero"),
    ("route refused", REFUSED, "Available", "False", "RouteNotAccepted"),
    ("no gateway", replace(SERVING, gateway_problem="there is none"), "Degraded", "True", "GatewayNotFound"),
]


@pytest.mark.parametrize(("when", "moment", "kind", "status", "reason"), SAYS, ids=[f"{s[0]}: {s[2]}" for s in SAYS])
def test_a_condition_says_what_is_observed(when: str, moment: Moment, kind: str, status: str, reason: str) -> None:
    condition = moment.plan.status.condition(kind)
    assert condition is not None
    assert (str(condition.status), condition.reason) == (status, reason)


def times(moment: Moment) -> dict[str, float]:
    found = {c.type: c.last_transition_time for c in moment.plan.status.conditions}
    return {kind: (at - NOW) / timedelta(seconds=1) for kind, at in found.items()}


def test_times_change_with_the_status_only() -> None:
    first = ANALYZING.next().later(10)
    assert set(times(first).values()) == {0}, "other counts and another reason are no transition"
    broken = first.running("1", 0)
    assert times(broken) == times(first) | {"Available": 10, "Degraded": 10}
    mended = broken.next().later(5).running("1", 4)
    assert times(mended) == times(first) | {"Available": 15, "Degraded": 15}


@pytest.mark.parametrize(
    ("moment", "columns"),
    [
        (SERVING, {"model": "penguins/1", "weight": None, "ready": "4/4", "verdict": "Successful"}),
        (AT_20, {"model": "penguins/1", "candidate": "penguins/2", "weight": 20, "step": "2/5 pause", "ready": "8/8"}),
        (EARLY.running("2", 0), {"weight": 0, "step": "1/5 setWeight 20", "ready": "4/4"}),
        (SERVING.rolling_out("2", step=5, weight=50), {"step": "promoting", "verdict": "Running"}),
        (SERVING.running("1", 1), {"ready": "1/4"}),
        (SERVING.rejected("2").wanting("2"), {"verdict": "Failed", "weight": None}),
        (replace(SERVING, model=DOWN), {"verdict": "Error"}),
    ],
    ids=["serving", "pausing", "starting", "promoting", "broken", "rolled back", "registry away"],
)
def test_the_columns_can_be_read_at_a_glance(moment: Moment, columns: dict[str, object]) -> None:
    status = moment.plan.status.to_kubernetes()
    assert {key: status.get(key) for key in columns} == columns
