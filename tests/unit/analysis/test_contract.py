"""What callers rely on: names, errors raised, thresholds, and how fast clear cases are decided."""

import json
import math

import pytest
from sluice.analysis import Arm, Block, ErrorEvidence, Margin, SampleRatio, requests_for_safety, threshold

MARGIN = Margin(ratio=1.25, absolute=0.005)


def blocks_until(evidence: ErrorEvidence, block: Block, *, limit: int = 200) -> int:
    """How many times `block` has to be seen until harm is proven at 5 %."""
    for number in range(1, limit):
        evidence = evidence.observe(block)
        if evidence.harm >= threshold(0.05):
            return number
    raise AssertionError("harm was never proven")


@pytest.mark.parametrize(("requests", "errors"), [(-1, 0), (1, 2), (1, -1), (1.0, 0), (True, 0)])
def test_impossible_counts_are_refused(requests: int, errors: int) -> None:
    with pytest.raises(ValueError, match="errors"):
        Arm(requests, errors)


@pytest.mark.parametrize("weight", [-0.1, 1.0, 10, math.nan])
def test_a_weight_is_a_share_below_one(weight: float) -> None:
    with pytest.raises(ValueError, match="share"):
        Block(weight, Arm(1, 0), Arm(1, 0))


@pytest.mark.parametrize(
    ("ratio", "absolute"), [(0.9, 0.1), (math.inf, 0.1), (math.nan, 0.1), (1, 0), (1, 1), (1, -0.1), (1, math.nan)]
)
def test_impossible_margins_are_refused(ratio: float, absolute: float) -> None:
    with pytest.raises(ValueError, match="margin"):
        Margin(ratio, absolute)


def test_threshold_is_the_logarithm_of_one_over_alpha() -> None:
    assert threshold(0.05) == pytest.approx(math.log(20))
    for alpha in (0, 1, -1, math.nan):
        with pytest.raises(ValueError, match="alpha"):
            threshold(alpha)


def test_nothing_seen_is_no_evidence() -> None:
    evidence = ErrorEvidence.start(MARGIN)
    assert evidence.harm == 0
    assert evidence.safe == pytest.approx(0, abs=1e-5)
    assert evidence.safe <= 0
    assert SampleRatio.start().log_e == pytest.approx(0, abs=1e-5)


def test_a_canary_that_answers_nothing_but_errors_is_harmful_within_six_requests() -> None:
    assert blocks_until(ErrorEvidence.start(MARGIN), Block(0.1, Arm(9, 0), Arm(1, 1))) <= 6


@pytest.mark.parametrize(("weight", "stable", "canary"), [(0.05, 40, 2), (0.1, 27, 3), (0.25, 12, 4), (0.5, 8, 8)])
def test_it_makes_no_difference_when_they_all_arrive_in_the_first_scrape(
    weight: float, stable: int, canary: int
) -> None:
    evidence = ErrorEvidence.start(MARGIN).observe(Block(weight, Arm(stable, 0), Arm(canary, canary)))
    assert evidence.harm >= threshold(0.05)


@pytest.mark.parametrize("stable_errors", [0, 1, 5])
def test_a_fault_after_five_thousand_good_requests_is_found_within_ten(stable_errors: int) -> None:
    evidence = ErrorEvidence.start(MARGIN)
    for _ in range(50):
        evidence = evidence.observe(Block(0.1, Arm(90, stable_errors), Arm(10, 0)))
    assert blocks_until(evidence, Block(0.1, Arm(9, 0), Arm(1, 1))) <= 10


def test_a_fault_after_more_than_a_thousand_looks_is_found_within_twelve() -> None:
    evidence = ErrorEvidence.start(MARGIN)
    for number in range(1500):
        evidence = evidence.observe(Block(0.1, Arm(9, number % 2), Arm(1, 0)))
    assert blocks_until(evidence, Block(0.1, Arm(9, 0), Arm(1, 1))) <= 12


@pytest.mark.parametrize(("absolute", "least", "most"), [(0.005, 600, 800), (0.01, 300, 400), (0.02, 150, 200)])
def test_requests_without_an_error_that_prove_safety(absolute: float, least: int, most: int) -> None:
    assert least <= requests_for_safety(Margin(1.25, absolute), 0.05) <= most


def test_state_survives_json_and_is_small() -> None:
    evidence, mix = ErrorEvidence.start(MARGIN), SampleRatio.start()
    for number in range(50):
        block = Block(0.1, Arm(900 + number, 9), Arm(100, number % 5))
        evidence, mix = evidence.observe(block), mix.observe(block)
    written = json.dumps(evidence.dump(), allow_nan=False)
    assert len(written) < 1000
    assert ErrorEvidence.load(json.loads(written)) == evidence
    assert SampleRatio.load(json.loads(json.dumps(mix.dump()))) == mix
