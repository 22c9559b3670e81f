"""What an operator with a clock that was ahead has written holds nothing up."""

from __future__ import annotations

from datetime import timedelta

from sluice.core.future import without_future

from tests.unit.core.moments import AT_20, NOW, SERVING, SPEC

HOUR = 3600.0


def test_a_pause_that_began_in_an_hour_begins_now() -> None:
    ahead = SERVING.later(HOUR).rolling_out("2", step=1, weight=20).later(-HOUR)
    again = ahead.next()
    assert again.status.rollout
    assert again.status.rollout.step_started_at == NOW
    assert again.later(61).plan.status.rollout != again.status.rollout, "its 60 seconds are over"


def test_what_is_retired_is_scaled_down_after_its_delay_and_not_an_hour_later() -> None:
    ahead = SERVING.retired("2", due=HOUR + 30)
    (entry,) = without_future(ahead.status, SPEC, NOW).retired
    assert entry.scale_down_at <= NOW + timedelta(seconds=SPEC.scale_down_delay_seconds)


def test_facts_of_the_past_stay_as_they_are() -> None:
    moment = AT_20.retired("3", due=5)
    assert without_future(moment.status, SPEC, NOW) is moment.status
