"""Who gets the treatment of an A/B test: as many as it says, the same ones all the time, others in the next test."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sluice.traffic.assignment import CELLS, HELD, LEAST, MOST_CHALLENGERS, Arm, Piece, growing, pieces
from sluice.traffic.slots import MOST_BACKENDS, WHOLE

CELL = WHOLE // CELLS[1]

seeds = st.text(max_size=20)


@st.composite
def experiments(draw: st.DrawFn) -> tuple[str, int, int]:
    weight = draw(st.integers(1, 99))
    return draw(seeds), weight, draw(st.integers(0, weight))


def treated(seed: str, weight: int, share: int) -> list[tuple[int, int]]:
    """The treatment's intervals of the hash range."""
    cut = pieces(seed, [weight], [share])
    ends = list(accumulate(size for _, size in cut))
    return [(end - size, end) for (arm, size), end in zip(cut, ends, strict=True) if arm == Arm.TREATMENT]


def is_treated(position: int, intervals: list[tuple[int, int]]) -> bool:
    """Whether `hash % total` falls into one of them, as Envoy does it."""
    index = bisect_right([begin for begin, _ in intervals], position) - 1
    return index >= 0 and position < intervals[index][1]


def measure(intervals: list[tuple[int, int]]) -> int:
    return sum(end - begin for begin, end in intervals)


@given(experiments())
def test_the_pieces_are_the_whole_range_three_in_each_cell_and_none_is_empty(test: tuple[str, int, int]) -> None:
    seed, weight, share = test
    cut = pieces(seed, [weight], [share])
    assert len(cut) == 3 * CELLS[1]
    assert sum(size for _, size in cut) == WHOLE
    assert min(size for _, size in cut) >= LEAST
    for cell in range(CELLS[1]):
        arms, sizes = zip(*cut[3 * cell : 3 * cell + 3], strict=True)
        assert sum(sizes) == CELL
        assert arms[0] == arms[2] != arms[1]


@given(experiments())
def test_the_treatment_has_its_share_of_the_range(test: tuple[str, int, int]) -> None:
    _, weight, share = test
    missed = measure(treated(*test)) - WHOLE * share // 100
    assert missed == 0 if share == weight else 0 <= missed <= 2 * CELLS[1] * LEAST


@given(seeds, st.integers(1, 99))
def test_a_smaller_share_takes_it_only_from_some_of_those_who_have_it(seed: str, weight: int) -> None:
    shares = [treated(seed, weight, share) for share in range(weight + 1)]
    for less, more in pairwise(shares):
        for begin, end in less:
            assert any(low <= begin and end <= high for low, high in more), "nobody comes in who was not in"


@given(experiments())
def test_the_arms_keep_their_places_at_every_share(test: tuple[str, int, int]) -> None:
    seed, weight, share = test
    assert [arm for arm, _ in pieces(seed, [weight], [share])] == [arm for arm, _ in pieces(seed, [weight], [weight])]


@pytest.mark.parametrize("weight", [1, 10, 50, 90, 99])
def test_each_user_has_the_treatment_in_as_many_tests_as_its_weight_says(weight: int) -> None:
    tests = [treated(f"models/penguins-{number}", weight, weight) for number in range(2000)]
    spread = (weight / 100 * (1 - weight / 100) / len(tests)) ** 0.5
    for position in range(0, WHOLE, WHOLE // 37):
        share = sum(is_treated(position, test) for test in tests) / len(tests)
        assert abs(share - weight / 100) < 4.5 * spread, position


def test_the_users_of_one_test_tell_nothing_about_those_of_another() -> None:
    weight, tests = 30, [treated(f"models/penguins-{number}", 30, 30) for number in range(400)]
    overlaps = [overlap(first, second) / WHOLE for first, second in zip(tests[::2], tests[1::2], strict=True)]
    mean = sum(overlaps) / len(overlaps)
    deviation = (sum((one - mean) ** 2 for one in overlaps) / (len(overlaps) - 1)) ** 0.5
    assert abs(mean - (weight / 100) ** 2) < 4.5 * deviation / len(overlaps) ** 0.5
    assert deviation < 0.06, "no test has nearly the same users as another, or nearly others only"


def overlap(first: list[tuple[int, int]], second: list[tuple[int, int]]) -> int:
    return sum(max(0, min(a[1], b[1]) - max(a[0], b[0])) for a in first for b in second)


def test_who_has_the_treatment_never_changes() -> None:
    """A new operator has to find the users of the test that is going on where the old one has put them."""
    sizes = [size for _, size in pieces("models/penguins-0a1b2c", [50], [50])]
    assert sizes == [
        21_250, 125_000, 103_750, 73_750, 125_000, 51_250, 8_750, 125_000, 116_250, 38_750, 125_000, 86_250,
    ]  # fmt: skip


@pytest.mark.parametrize(("weight", "share"), [(0, 0), (100, 50), (50, 51), (50, -1)])
def test_a_share_above_the_weight_is_refused(weight: int, share: int) -> None:
    with pytest.raises(ValueError, match=r"share 1 to 99 %|than its weight says"):
        pieces("models/penguins-0a1b2c", [weight], [share])


def grown(seed: str, share: int) -> list[tuple[int, int]]:
    """The candidate's intervals of the hash range in a canary."""
    cut = growing(seed, share)
    ends = list(accumulate(size for _, size in cut))
    return [(end - size, end) for (arm, size), end in zip(cut, ends, strict=True) if arm == Arm.TREATMENT]


@given(seeds, st.integers(0, 99))
def test_a_canarys_pieces_are_the_whole_range_in_the_same_places_and_none_is_empty(seed: str, share: int) -> None:
    cut = growing(seed, share)
    assert [arm for arm, _ in cut] == [Arm.TREATMENT, Arm.CONTROL, Arm.TREATMENT, Arm.CONTROL]
    assert sum(size for _, size in cut) == WHOLE
    assert min(size for _, size in cut) >= (HELD if share else LEAST)
    assert measure(grown(seed, share)) == (WHOLE * share // 100 or 2 * LEAST)


@given(seeds)
def test_whoever_has_a_canarys_candidate_keeps_it_while_its_share_grows(seed: str) -> None:
    for less, more in pairwise(grown(seed, share) for share in range(100)):
        for begin, end in less:
            assert any(low <= begin and end <= high for low, high in more)


@pytest.mark.parametrize("share", [1, 10, 50, 99])
def test_each_user_is_among_the_first_of_as_many_canaries_as_the_share_says(share: int) -> None:
    rollouts = [grown(f"models/penguins-{number}", share) for number in range(2000)]
    spread = (share / 100 * (1 - share / 100) / len(rollouts)) ** 0.5
    for position in range(WHOLE // 74, WHOLE, WHOLE // 37):
        found = sum(is_treated(position, one) for one in rollouts) / len(rollouts)
        assert abs(found - share / 100) < 4.5 * spread, position


def test_whose_canary_it_is_never_changes() -> None:
    """A new operator has to find the users where the old one has put them."""
    assert [size for _, size in growing("models/penguins-0a1b2c", 10)] == [100, 250_065, 99_900, 649_935]


@pytest.mark.parametrize("share", [-1, 100])
def test_a_share_that_leaves_no_two_versions_is_refused(share: int) -> None:
    with pytest.raises(ValueError, match="0 to 99 %"):
        growing("models/penguins-0a1b2c", share)


@st.composite
def several(draw: st.DrawFn) -> tuple[str, list[int], list[int]]:
    """A test of two to five challengers: its seed, their weights, and the shares that they have now."""
    number = draw(st.integers(2, MOST_CHALLENGERS))
    weights = draw(
        st.lists(st.integers(1, 60), min_size=number, max_size=number).filter(lambda found: sum(found) < 100)
    )
    return draw(seeds), weights, [draw(st.sampled_from([0, weight]) | st.integers(0, weight)) for weight in weights]


def whose(cut: tuple[Piece, ...], position: int) -> int:
    return next(arm for (arm, _), end in zip(cut, accumulate(size for _, size in cut), strict=True) if position < end)


@given(several())
def test_several_challengers_have_their_shares_in_pieces_that_keep_their_places(
    test: tuple[str, list[int], list[int]],
) -> None:
    seed, weights, shares = test
    cut, full = pieces(*test), pieces(seed, weights, weights)
    assert [arm for arm, _ in cut] == [arm for arm, _ in full]
    assert len(cut) == CELLS[len(weights)] * (2 * len(weights) + 1) <= MOST_BACKENDS - 2
    for found in (cut, full):
        assert sum(size for _, size in found) == WHOLE
        assert min(size for _, size in found) >= LEAST
    assert min(size for _, size in full) > LEAST, "nobody who has users is parked"
    for number, (weight, share) in enumerate(zip(weights, shares, strict=True), 1):
        assert sum(size for arm, size in full if arm == number) == WHOLE * weight // 100
        missed = sum(size for arm, size in cut if arm == number) - WHOLE * share // 100
        assert 0 <= missed <= 2 * CELLS[len(weights)] * LEAST


@given(several(), st.data())
def test_who_gives_up_users_gives_them_to_control_and_nobody_else_moves(
    test: tuple[str, list[int], list[int]], data: st.DataObject
) -> None:
    seed, weights, shares = test
    less = [data.draw(st.integers(0, share)) for share in shares]
    before, after = pieces(seed, weights, shares), pieces(seed, weights, less)
    ends = {*accumulate(size for _, size in before), *accumulate(size for _, size in after)}
    for position in {0, *(end - 1 for end in ends), *(end for end in ends if end < WHOLE)}:
        was, now = whose(before, position), whose(after, position)
        assert now in (was, Arm.CONTROL)
        assert was in {Arm.CONTROL, now} or less[was - 1] < shares[was - 1]


@pytest.mark.parametrize("weights", [(30, 20), (30, 20, 10), (20, 20, 20, 20), (1, 1, 1, 1, 95)], ids=str)
def test_each_user_has_each_challenger_in_as_many_tests_as_its_weight_says(weights: tuple[int, ...]) -> None:
    tests = [pieces(f"models/penguins-{number}", weights, weights) for number in range(1500)]
    for number, weight in enumerate(weights, 1):
        spread = (weight / 100 * (1 - weight / 100) / len(tests)) ** 0.5
        for position in range(0, WHOLE, WHOLE // 7):
            share = sum(whose(test, position) == number for test in tests) / len(tests)
            assert abs(share - weight / 100) < 4.5 * spread, (number, position)


@pytest.mark.parametrize(("weights", "least"), [((30, 20), 0.05), ((30, 20, 10), 0.05), ((30, 20, 10, 10), 0.09)])
def test_the_users_of_one_test_of_several_tell_nothing_about_those_of_another(
    weights: tuple[int, ...], least: float
) -> None:
    def users(number: int) -> list[tuple[int, int]]:
        cut = pieces(f"models/penguins-{number}", weights, weights)
        ends = list(accumulate(size for _, size in cut))
        return [(end - size, end) for (arm, size), end in zip(cut, ends, strict=True) if arm == 1]

    overlaps = [overlap(users(number), users(number + 1000)) / WHOLE for number in range(400)]
    mean = sum(overlaps) / len(overlaps)
    deviation = (sum((one - mean) ** 2 for one in overlaps) / (len(overlaps) - 1)) ** 0.5
    assert abs(mean - (weights[0] / 100) ** 2) < 4.5 * deviation / len(overlaps) ** 0.5
    assert deviation < 2 * least


@pytest.mark.parametrize(("weights", "shares"), [((50, 50), (0, 0)), ((), ()), ((1,) * 6, (0,) * 6), ((30, 0), (0, 0))])
def test_weights_that_leave_nobody_to_stable_are_refused(weights: tuple[int, ...], shares: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"share 1 to 99 %"):
        pieces("models/penguins-0a1b2c", weights, shares)
