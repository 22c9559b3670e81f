"""A/B tests with variants: who is compared with whom, how sure one has to be, and who comes in which shares."""

from __future__ import annotations

import pytest
from sluice.analysis import SampleRatio
from sluice.analysis.difference import half_width
from sluice.core import variants

from tests.unit.core.moments import NOW, name
from tests.unit.core.tested import HOUR
from tests.unit.core.varied import LIVE, even, results, safe


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
