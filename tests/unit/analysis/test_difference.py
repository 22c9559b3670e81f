"""The difference of two means: an independent calculation, and what it promises, simulated."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sluice.analysis.difference import Difference, Sample, difference, half_width, stratified

ALPHA, TIGHTEST, MIN_UNITS, REPETITIONS = 0.05, 800, 200, 1000
LOOKS = np.arange(400, 5001, 50)
Values = np.ndarray
HOW: dict[str, Any] = {"alpha_lower": ALPHA, "alpha_upper": ALPHA, "tightest": TIGHTEST}


def sample(values: Values) -> Sample:
    return Sample(len(values), float(values.sum()), float((values**2).sum()))


def compare(treatment: Values, control: Values, alpha: float = ALPHA) -> Difference:
    found = difference(sample(treatment), sample(control), alpha_lower=alpha, alpha_upper=alpha / 2, tightest=TIGHTEST)
    assert found
    return found


def oracle(treatment: Values, control: Values, alpha: float) -> float:
    """The half width from the pseudo-outcomes themselves, as in the paper, with logarithms of another base."""
    number = len(treatment) + len(control)
    share = len(treatment) / number
    means = treatment.mean() - control.mean()
    pseudo = np.concatenate(
        [means + (treatment - treatment.mean()) / share, means - (control - control.mean()) / (1 - share)]
    )
    rho = math.sqrt((math.log2(1 / (4 * alpha**2)) + math.log2(1 + 2 * math.log(1 / (2 * alpha)))) * math.log(2) / 800)
    boundary = (2 + 2 * number * rho**2) * math.log(1 + (number * rho**2 + 1) ** 0.5 / alpha / 2)
    return float(pseudo.std() * math.sqrt(boundary) / rho / number)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("alpha", [0.01, 0.05, 0.2])
def test_the_bounds_are_those_of_the_paper(share: float, alpha: float) -> None:
    rng = np.random.default_rng(7)
    treatment, control = rng.normal(3, 2, int(2000 * share)), rng.gamma(2, 2, int(2000 * (1 - share)))
    found = compare(treatment, control, alpha)
    assert found.estimate == pytest.approx(treatment.mean() - control.mean())
    assert found.estimate - found.lower == pytest.approx(oracle(treatment, control, alpha), rel=0.005)
    assert found.upper - found.estimate == pytest.approx(oracle(treatment, control, alpha / 2), rel=0.005)


def test_the_bounds_are_tightest_about_where_that_was_asked_for() -> None:
    at = {n: half_width(n, ALPHA, TIGHTEST) for n in (400, 800, 1600)}
    for tightest in (100, 10_000):
        assert half_width(800, ALPHA, tightest) > at[800]
    assert at[400] > at[800] > at[1600]


def kinds() -> dict[str, tuple[object, float]]:
    """What draws values, and an effect that is to be found."""
    return {
        "normal": (lambda rng, size: rng.normal(10, 3, size), 0.6),
        "conversions": (lambda rng, size: (rng.random(size) < 0.05).astype(float), 0.04),
        "skewed": (lambda rng, size: np.where(rng.random(size) < 0.3, rng.lognormal(1, 1, size), 0.0), 1.0),
    }


@pytest.mark.parametrize("weight", [0.5, 0.2])
@pytest.mark.parametrize("kind", kinds())
def test_without_a_difference_a_winner_is_rare_however_often_one_looks(kind: str, weight: float) -> None:
    wins, harms = rates(kind, weight, effect=0.0)
    assert within_noise(wins), wins
    assert within_noise(harms), harms


@pytest.mark.parametrize("kind", kinds())
def test_a_difference_is_found(kind: str) -> None:
    wins, harms = rates(kind, 0.5, effect=kinds()[kind][1])
    assert wins > 0.9 * REPETITIONS
    assert harms == 0


def within_noise(number: int) -> bool:
    """Whether a rate of ALPHA makes so many of the repetitions look like chance (99 %)."""
    return number <= REPETITIONS * ALPHA + 2.33 * math.sqrt(REPETITIONS * ALPHA * (1 - ALPHA))


def rates(kind: str, weight: float, effect: float) -> tuple[int, int]:
    """Return in how many tests the lower bound was above 0 at some look, and in how many the upper one below."""
    rng, wins, harms = np.random.default_rng(11), 0, 0
    draw, _ = kinds()[kind]
    for _ in range(REPETITIONS):
        mine = rng.random(LOOKS[-1]) < weight
        values = draw(rng, LOOKS[-1])  # type: ignore[operator]
        if kind == "conversions":
            values = np.maximum(values, mine & (rng.random(LOOKS[-1]) < effect))
        else:
            values = values + effect * mine
        sums = {arm: (np.cumsum(arm_is), np.cumsum(values * arm_is), np.cumsum(values**2 * arm_is))
                for arm, arm_is in (("c", mine), ("s", ~mine))}  # fmt: skip
        won = lost = False
        for look in LOOKS - 1:
            arms = [Sample(int(n[look]), float(t[look]), float(q[look])) for n, t, q in sums.values()]
            if min(arm.number for arm in arms) < MIN_UNITS:
                continue
            tightest = 2 * MIN_UNITS / min(weight, 1 - weight)
            found = difference(arms[0], arms[1], alpha_lower=ALPHA, alpha_upper=ALPHA, tightest=tightest)
            assert found
            won, lost = won or found.lower > 0, lost or found.upper < 0
        wins, harms = wins + won, harms + lost
    return wins, harms


def test_all_the_same_is_no_certainty() -> None:
    none, few = Sample(200, 0.0, 0.0), Sample(200, 10.0, 10.0)
    found = difference(few, none, alpha_lower=ALPHA, alpha_upper=ALPHA, tightest=TIGHTEST)
    without_floor = math.sqrt(few.variance * 2)
    assert found
    assert found.estimate - found.lower > without_floor * half_width(400, ALPHA, TIGHTEST)
    same = difference(Sample(200, 1e3, 5e3), Sample(200, 1e3, 5e3), alpha_lower=0.05, alpha_upper=0.05, tightest=800)
    assert same
    assert same.lower < 0 < same.upper


def test_nobody_with_any_value_proves_nothing() -> None:
    nothing = difference(Sample(500, 0.0, 0.0), Sample(500, 0.0, 0.0), alpha_lower=0.05, alpha_upper=0.05, tightest=800)
    assert nothing == Difference(0.0, 0.0, 0.0)


@pytest.mark.parametrize("number", [0, 1])
def test_too_few_are_not_compared(number: int) -> None:
    few, many = Sample(number, number, number), Sample(100, 30, 30)
    for treatment, control in ((few, many), (many, few)):
        assert difference(treatment, control, alpha_lower=0.05, alpha_upper=0.05, tightest=800) is None


@given(
    st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=50), st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=50),
    st.sampled_from([0.001, 0.05, 0.5]), st.floats(0.01, 100),
)  # fmt: skip
def test_it_has_no_favourite_and_no_unit(
    treatment: list[float], control: list[float], alpha: float, scale: float
) -> None:
    """Exchanging the versions changes the sign, and euros for cents the scale; no more."""
    one, other = np.array(treatment), np.array(control)
    found, back = compare(one, other, alpha), compare(other, one, alpha)
    again = compare(one * scale, other * scale, alpha)
    size = 1e-6 + 1e-9 * float(np.abs(np.concatenate([one, other])).max()) ** 2
    assert back.estimate == pytest.approx(-found.estimate, abs=size)
    assert found.lower <= found.estimate <= found.upper
    for bound in ("estimate", "lower", "upper"):
        assert getattr(again, bound) == pytest.approx(scale * getattr(found, bound), rel=1e-3, abs=1e-3 * scale)


def test_parts_with_other_proportions_are_compared_each_for_itself() -> None:
    """Together the treatment would seem to be worse: it has fewer of the late units, whose values are larger."""
    early = (Sample(500, 100.0, 100.0), Sample(500, 100.0, 100.0))
    late = (Sample(300, 150.0, 150.0), Sample(700, 350.0, 350.0))
    found = stratified([early, late], **HOW)
    assert found
    assert found.estimate == pytest.approx(0)
    assert found.lower < 0 < found.upper
    pooled = difference(Sample(800, 250.0, 250.0), Sample(1200, 450.0, 450.0), **HOW)
    assert pooled
    assert pooled.estimate < -0.06


def test_one_part_is_the_whole() -> None:
    whole = (Sample(500, 100.0, 100.0), Sample(700, 120.0, 120.0))
    nothing = (Sample(0, 0.0, 0.0), Sample(1, 1.0, 1.0))
    assert stratified([whole], **HOW) == difference(*whole, **HOW)
    assert stratified([nothing, whole], **HOW) == difference(*whole, **HOW)
    assert stratified([nothing], **HOW) is None
    assert stratified([], **HOW) is None


@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_what_changes_with_time_proves_nothing_where_proportions_change_too(shift: float) -> None:
    """Half-way another version leaves, its users go to control, and everybody converts more."""
    rng, wrong, runs = random.Random(7), 0, 300
    for _ in range(runs):
        parts = []
        for weight, rate in ((0.375, 0.1), (0.3, 0.1 + shift)):
            treated = sum(rng.random() < weight for _ in range(2000))
            arms = (_converted(rng, treated, rate), _converted(rng, 2000 - treated, rate))
            parts.append(arms)
        found = stratified(parts, **HOW)
        assert found
        wrong += found.lower > 0 or found.upper < 0
    assert wrong / runs <= 2 * ALPHA


@pytest.mark.parametrize("challengers", [2, 4])
def test_several_that_share_alpha_are_wrong_together_no_more_often_than_one(challengers: int) -> None:
    """All are compared with the same control, so that their errors come together or not at all."""
    rng, wrong, runs = np.random.default_rng(11), 0, 400
    share, left = 0.15, 1 - 0.15 * challengers
    tightest = 2 * MIN_UNITS / min(share / (share + left), left / (share + left))
    alpha = ALPHA / challengers
    how: dict[str, Any] = {"alpha_lower": alpha, "alpha_upper": alpha, "tightest": tightest}
    for _ in range(runs):
        whose = rng.choice(challengers + 1, size=6000, p=[left, *[share] * challengers])
        values = rng.exponential(size=6000)
        looks = [
            stratified([(sample(values[:look][whose[:look] == one]), sample(values[:look][whose[:look] == 0]))], **how)
            for look in range(2000, 6001, 500)
            for one in range(1, challengers + 1)
        ]
        wrong += any(found is not None and found.lower > 0 for found in looks)
    assert wrong / runs <= ALPHA


def _converted(rng: random.Random, units: int, rate: float) -> Sample:
    number = float(sum(rng.random() < rate for _ in range(units)))
    return Sample(units, number, number)
