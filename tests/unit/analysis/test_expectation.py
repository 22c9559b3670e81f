"""Validity by exact enumeration: whatever happened before, no bet has an expectation above 1 under the null.

Every outcome of a small block is listed with its probability at a point of the null; the expectation of the factor by
which the e-value grows must not exceed 1. This is what makes looking at any time harmless.
"""

import itertools
import math
from collections.abc import Callable, Iterator

import pytest
from scipy.stats import binom, multinomial
from sluice.analysis import Arm, Block, ErrorEvidence, Margin, SampleRatio
from sluice.analysis.absolute import AbsoluteEvidence
from sluice.analysis.ratio import RatioEvidence

ROUNDING = 1e-9
MARGINS = (Margin(1.0, 0.02), Margin(1.25, 0.005), Margin(2.0, 0.1), Margin(5.0, 0.4))
HISTORIES = {
    "nothing": (),
    "good": (Block(0.1, Arm(900, 9), Arm(100, 1)), Block(0.25, Arm(75, 0), Arm(25, 0))),
    "bad": (Block(0.1, Arm(90, 1), Arm(10, 6)), Block(0.5, Arm(5, 0), Arm(5, 5))),
    "odd": (Block(0.3, Arm(3, 3), Arm(2, 0)), Block(0.0, Arm(4, 1), Arm(0, 0)), Block(0.9, Arm(1, 0), Arm(3, 1))),
}


@pytest.fixture(params=list(HISTORIES.values()), ids=list(HISTORIES))
def history(request: pytest.FixtureRequest) -> tuple[Block, ...]:
    past: tuple[Block, ...] = request.param
    return past


def started(margin: Margin, history: tuple[Block, ...]) -> ErrorEvidence:
    evidence = ErrorEvidence.start(margin)
    for block in history:
        evidence = evidence.observe(block)
    # A first round has no past to wait for.
    assert evidence.absolute.waiting_stable.requests * evidence.absolute.waiting_canary.requests == 0
    return evidence


def growth(after: float, before: float) -> float:
    return math.exp(after - before)


@pytest.mark.parametrize("margin", MARGINS, ids=str)
@pytest.mark.parametrize(("weight", "before"), [(0.05, None), (0.5, None), (0.1, 0.5), (0.3, 0.0)])
def test_ratio(margin: Margin, history: tuple[Block, ...], weight: float, before: float | None) -> None:
    evidence = started(margin, history).ratio
    for errors in (1, 2, 5):
        states = _after_errors(evidence, errors, weight, before)
        for true_weight in {weight, weight if before is None else before, weight if before is None else 0.2}:
            for share in (0.0, 0.3, 0.9, 1.0):
                harm = _expected(
                    states, errors, true_weight, margin.ratio * share, lambda e: growth(e.harm, evidence.harm)
                )
                assert harm <= 1 + ROUNDING
            for multiple in (1.0, 1.1, 3.0, 1e6):
                safe = _expected(
                    states, errors, true_weight, margin.ratio * multiple, lambda e: growth(e.safe, evidence.safe)
                )
                assert safe <= 1 + ROUNDING


def _after_errors(evidence: RatioEvidence, errors: int, weight: float, before: float | None) -> list[RatioEvidence]:
    """The state for every number of errors that may fall on the canary."""
    return [
        evidence.observe(Block(weight, Arm(50, errors - canary), Arm(50, canary), weight_before=before))
        for canary in range(errors + 1)
    ]


def _expected(
    states: list[RatioEvidence], errors: int, weight: float, ratio: float, factor: Callable[[RatioEvidence], float]
) -> float:
    share = weight * ratio / (weight * ratio + 1 - weight)
    return sum(float(binom.pmf(c, errors, share)) * factor(state) for c, state in enumerate(states))


@pytest.mark.parametrize("margin", MARGINS, ids=str)
@pytest.mark.parametrize("requests", [(1, 1), (4, 1), (2, 3), (9, 2)], ids=str)
def test_absolute(margin: Margin, history: tuple[Block, ...], requests: tuple[int, int]) -> None:
    evidence, delta = started(margin, history).absolute, margin.absolute
    outcomes = list(itertools.product(range(requests[0] + 1), range(requests[1] + 1)))
    waiting = (evidence.waiting_stable.requests, evidence.waiting_canary.requests)
    assert waiting in {(0, 0), (4, 0)}
    fresh = AbsoluteEvidence(delta, evidence.harmful, evidence.safely, evidence.seen_stable, evidence.seen_canary)
    states = [
        fresh.observe(stable=Arm(requests[0], s), canary=Arm(requests[1], c)) for s, c in outcomes
    ]  # every outcome of the block
    for stable in (1e-9, 0.001, 0.01, 0.1, 0.3, 0.599):
        at = stable + delta if stable + delta < 1 else 1.0
        for canary in (at, at * 0.9, at * 0.3, 0.0):
            assert (
                _mean(outcomes, requests, stable, canary, [growth(e.harm, fresh.harm) for e in states]) <= 1 + ROUNDING
            )
        for canary in (at, min(1.0, at * 1.1), (1 + at) / 2, 1.0):
            assert (
                _mean(outcomes, requests, stable, canary, [growth(e.safe, fresh.safe) for e in states]) <= 1 + ROUNDING
            )


def _mean(
    outcomes: list[tuple[int, int]], requests: tuple[int, int], stable: float, canary: float, values: list[float]
) -> float:
    chances = (float(binom.pmf(s, requests[0], stable) * binom.pmf(c, requests[1], canary)) for s, c in outcomes)
    return math.fsum(chance * value for chance, value in zip(chances, values, strict=True))


@pytest.mark.parametrize(("weight", "before"), [(0.01, None), (0.5, None), (0.1, 0.4), (0.2, 0.0)])
def test_sample_ratio(history: tuple[Block, ...], weight: float, before: float | None) -> None:
    mix = SampleRatio.start()
    for block in history:
        mix = mix.observe(block)
    for requests in (1, 2, 7):
        states = [
            mix.observe(Block(weight, Arm(requests - c, 0), Arm(c, 0), weight_before=before))
            for c in range(requests + 1)
        ]
        for true_weight in (weight, weight if before is None else (weight + before) / 2):
            mean = sum(
                float(binom.pmf(c, requests, true_weight)) * growth(state.log_e, mix.log_e)
                for c, state in enumerate(states)
            )
            assert mean <= 1 + ROUNDING


# Whole runs: requests assigned at random, arms silent now and then, both margins together.


def _blocks(weight: float, requests: int) -> Iterator[tuple[tuple[int, ...], Block]]:
    """Every way in which `requests` fall on stable good, stable failed, canary good, canary failed."""
    for cells in itertools.product(range(requests + 1), repeat=4):
        if sum(cells) == requests:
            yield cells, Block(weight, Arm(cells[0] + cells[1], cells[1]), Arm(cells[2] + cells[3], cells[3]))


def _runs(evidence: ErrorEvidence, weights: tuple[float, ...]) -> Iterator[tuple[list[tuple[int, ...]], ErrorEvidence]]:
    if not weights:
        yield [], evidence
        return
    for cells, block in _blocks(weights[0], 2):
        for rest, final in _runs(evidence.observe(block), weights[1:]):
            yield [cells, *rest], final


@pytest.mark.parametrize("margin", [Margin(1.25, 0.05), Margin(2.0, 0.3)], ids=str)
def test_whole_runs_with_both_margins(margin: Margin) -> None:
    weights = (0.2, 0.2, 0.6)
    runs = list(_runs(ErrorEvidence.start(margin), weights))
    for stable in (0.0, 0.02, 0.2, 0.6):
        tolerated = min(1.0, max(margin.ratio * stable, stable + margin.absolute))
        for canary in (tolerated, 0.7 * tolerated):
            assert _mean_of_runs(runs, weights, stable, canary, lambda e: e.harm) <= 1 + ROUNDING
        for canary in (tolerated, (1 + tolerated) / 2):
            assert _mean_of_runs(runs, weights, stable, canary, lambda e: e.safe) <= 1 + ROUNDING


def _mean_of_runs(
    runs: list[tuple[list[tuple[int, ...]], ErrorEvidence]],
    weights: tuple[float, ...],
    stable: float,
    canary: float,
    log_e: Callable[[ErrorEvidence], float],
) -> float:
    laws = [
        {
            cells: float(multinomial.pmf(cells, 2, _cell_chances(weight, stable, canary)))
            for cells, _ in _blocks(weight, 2)
        }
        for weight in weights
    ]
    return math.fsum(
        math.prod(law[cells] for law, cells in zip(laws, path, strict=True)) * math.exp(log_e(final))
        for path, final in runs
    )


def _cell_chances(weight: float, stable: float, canary: float) -> list[float]:
    return [(1 - weight) * (1 - stable), (1 - weight) * stable, weight * (1 - canary), weight * canary]
