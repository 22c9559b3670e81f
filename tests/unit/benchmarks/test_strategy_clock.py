"""The operator dates things by another clock than the clients."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sluice.api.record import Period, RolloutRecord, RolloutRecordSpec, RolloutRecordStatus
from sluice.api.status import Revision

from benchmarks.strategies.clock import heard
from benchmarks.strategies.figures import Span

NOW = datetime(2026, 11, 25, 12, 0, 0, tzinfo=UTC)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def test_moments_are_counted_from_one_that_both_know() -> None:
    clock = heard(NOW, 500.0)
    assert clock.at(later(1.5)) == pytest.approx(501.5)
    assert clock.at(later(-3)) == pytest.approx(497.0)


def test_periods_of_a_record_are_spans_of_one_weight() -> None:
    candidate = Revision(name="abc", model_name="penguins", model_version="2", image="server:1", digest="sha256:0")
    record = RolloutRecord(
        spec=RolloutRecordSpec(model_deployment="m", uid="u", strategy="canary", candidate=candidate, started_at=NOW),
        status=RolloutRecordStatus(
            periods=(Period(weight=0, since=NOW, until=later(4)), Period(weight=50, since=later(4)))
        ),
    )
    first, second = heard(NOW, 500.0).spans(record)
    assert (first.weight, first.since, first.until) == pytest.approx((0, 500.0, 504.0))
    assert second == Span(50, 504.0)
