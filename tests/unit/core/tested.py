"""Moments of A/B tests, built with verbs: how far it is, and what the collector has counted."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import strategies as st
from sluice.core import observation
from sluice.core.observation import Silent, Units
from sluice.core.strategies.ab_test import ABTestStrategy

from tests.unit.core.moments import SERVING, Moment, name

WANTS: dict[str, Any] = {"primary": {"metric": "conversion"}, "minDuration": "1h", "maxDuration": "10h"}
STICKY = {"gateway": {"name": "public"}, "sticky": {"header": "x-user-id"}}
AWAY = Silent("the collector can't be reached (refused)")
HOUR = 3600


def at(step: int, *, live: int = 0, age: float = 2 * HOUR, spec: dict[str, Any] | None = None, **wants: Any) -> Moment:
    moment = SERVING.edited(strategy={"abTest": WANTS | wants}, **(spec or {}))
    return replace(moment.rolling_out("2", step=step, weight=live, age=age), test=observation.TestResults({}))


def results(moment: Moment, treatment: Units, control: Units, **more: Any) -> Moment:
    found = {name("2"): treatment, name("1"): control, "another": Units(9, 9, 9.0, 9.0)}
    return replace(moment, test=observation.TestResults(found, **more))


def converted(users: int, of: int, *, units: int | None = None) -> Units:
    return Units(units or of, of, float(users), float(users))


def safe(moment: Moment) -> Moment:
    return moment.counting({"1": (3000, 0), "2": (3000, 0)})


def won(moment: Moment) -> Moment:
    return safe(results(moment, converted(400, 2000), converted(200, 2000)))


def even(moment: Moment) -> Moment:
    return safe(results(moment, converted(200, 2000), converted(200, 2000)))


def lost(moment: Moment) -> Moment:
    return safe(results(moment, converted(100, 2000), converted(300, 2000)))


def sticky(moment: Moment) -> Moment:
    """The same moment, of a test that keeps users: what was counted so far are users."""
    moment = moment.edited(traffic=STICKY)
    assert moment.record
    assert moment.status.rollout
    evidence = moment.record.status.evidence
    cursors = {uid: cursor.model_copy(update={"users": True}) for uid, cursor in evidence.cursors.items()}
    status = moment.record.status.model_copy(update={"evidence": evidence.model_copy(update={"cursors": cursors})})
    steps = ABTestStrategy().begun(moment.spec, moment.status.rollout.step_index)
    rollout = moment.status.rollout.model_copy(update={"steps": steps})
    return replace(
        moment,
        record=moment.record.model_copy(update={"status": status}),
        status=moment.status.model_copy(update={"rollout": rollout}),
    )


START, LIVE, HOLD = at(0, age=5), at(1, live=50), at(2, live=50, onWinner="Hold")
LATE = at(1, live=50, age=10 * HOUR + 1)

counts = st.builds(Units, *(st.integers(0, 3000) for _ in range(2)), *(st.floats(0, 3000) for _ in range(2)))
