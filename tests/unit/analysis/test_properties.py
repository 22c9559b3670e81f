"""What must hold for any traffic."""

import copy
import itertools
import json
import math
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sluice.analysis import Arm, Block, ErrorEvidence, Margin, SampleRatio

MARGIN = Margin(ratio=1.25, absolute=0.005)
BELOW_CEILING = (
    200  # requests of an arm: five blocks of them can't reach the largest wealth, beyond which order matters
)
SMALL = 1e-4  # stored wealth has six decimals, rounded down


def arms(most: int) -> st.SearchStrategy[Arm]:
    return st.integers(0, most).flatmap(lambda n: st.builds(Arm, st.just(n), st.integers(0, n)))


def blocks(most: int = 2000) -> st.SearchStrategy[Block]:
    weights = st.sampled_from([0.0, 0.01, 0.1, 0.5, 0.99])
    return st.builds(Block, weights, arms(most), arms(most), st.none() | weights)


def observed(stream: Iterable[Block], margin: Margin = MARGIN) -> ErrorEvidence:
    evidence = ErrorEvidence.start(margin)
    for block in stream:
        evidence = evidence.observe(block)
    return evidence


def mixed(stream: Iterable[Block]) -> SampleRatio:
    mix = SampleRatio.start()
    for block in stream:
        mix = mix.observe(block)
    return mix


@settings(deadline=None, max_examples=60)
@given(stream=st.lists(blocks(10**12), max_size=6), ratio=st.floats(1, 100), absolute=st.floats(1e-4, 0.99))
def test_state_is_finite_and_survives_json(stream: list[Block], ratio: float, absolute: float) -> None:
    evidence, mix = observed(stream, Margin(ratio, absolute)), mixed(stream)
    assert math.isfinite(evidence.harm)
    assert math.isfinite(evidence.safe)
    assert math.isfinite(mix.log_e)
    written = json.dumps(evidence.dump(), allow_nan=False)
    assert len(written) < 1024
    assert ErrorEvidence.load(json.loads(written)) == evidence
    assert SampleRatio.load(json.loads(json.dumps(mix.dump(), allow_nan=False))) == mix


@settings(deadline=None, max_examples=30)
@given(before=st.lists(blocks(), max_size=3), after=st.lists(blocks(), max_size=3))
def test_a_restart_in_the_middle_changes_nothing(before: list[Block], after: list[Block]) -> None:
    resumed = ErrorEvidence.load(json.loads(json.dumps(observed(before).dump())))
    for block in after:
        resumed = resumed.observe(block)
    assert resumed == observed(before + after)


@settings(deadline=None, max_examples=40)
@given(past=st.lists(blocks(), max_size=2), stable=arms(500), canary=arms(500))
def test_more_errors_of_the_canary_mean_more_harm_and_less_safety(past: list[Block], stable: Arm, canary: Arm) -> None:
    evidence = observed(past)
    fewer = Arm(canary.requests, canary.errors // 2)
    more_errors = evidence.observe(Block(0.1, stable, canary))
    less_errors = evidence.observe(Block(0.1, stable, fewer))
    assert more_errors.absolute.harm >= less_errors.absolute.harm - SMALL
    assert more_errors.absolute.safe <= less_errors.absolute.safe + SMALL
    if fewer.errors + stable.errors:  # the first error of a block also opens a round of bets
        assert more_errors.ratio.harm >= less_errors.ratio.harm - SMALL
        assert more_errors.ratio.safe <= less_errors.ratio.safe + SMALL


@settings(deadline=None, max_examples=40)
@given(past=st.lists(blocks(), max_size=2), stable=arms(500), canary=arms(500))
def test_more_errors_of_stable_mean_less_harm(past: list[Block], stable: Arm, canary: Arm) -> None:
    evidence = observed(past)
    fewer = Arm(stable.requests, stable.errors // 2)
    more_errors = evidence.observe(Block(0.1, stable, canary))
    less_errors = evidence.observe(Block(0.1, fewer, canary))
    assert more_errors.absolute.harm <= less_errors.absolute.harm + SMALL


@settings(deadline=None, max_examples=30)
@given(stream=st.lists(blocks(BELOW_CEILING), min_size=2, max_size=5), data=st.data())
def test_the_order_of_blocks_does_not_matter_to_ratio_safety_and_sample_ratio(
    stream: list[Block], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(stream))
    assert observed(shuffled).ratio.safe == pytest.approx(observed(stream).ratio.safe, abs=SMALL)
    assert mixed(shuffled).log_e == pytest.approx(mixed(stream).log_e, abs=SMALL)


@settings(deadline=None, max_examples=40)
@given(stable=st.tuples(arms(500), arms(500)), canary=st.tuples(arms(500), arms(500)))
def test_splitting_a_block_does_not_matter_to_ratio_safety_and_sample_ratio(
    stable: tuple[Arm, Arm], canary: tuple[Arm, Arm]
) -> None:
    parts = [Block(0.2, s, c) for s, c in zip(stable, canary, strict=True)]
    whole = [Block(0.2, stable[0] + stable[1], canary[0] + canary[1])]
    assert observed(parts).ratio.safe == pytest.approx(observed(whole).ratio.safe, abs=SMALL)
    assert mixed(parts).log_e == pytest.approx(mixed(whole).log_e, abs=SMALL)


@settings(deadline=None, max_examples=40)
@given(past=st.lists(blocks(), max_size=2), stable=arms(50), canary=arms(50))
def test_an_arm_that_is_silent_for_a_while_loses_nothing(past: list[Block], stable: Arm, canary: Arm) -> None:
    evidence = observed([*past, Block(0.1, Arm(1, 0), Arm(1, 0))]).absolute
    nothing = Arm(0, 0)
    in_turn = evidence.observe(stable=stable, canary=nothing).observe(stable=nothing, canary=canary)
    assert in_turn == evidence.observe(stable=stable, canary=canary)


@given(past=st.lists(blocks(), max_size=2), weight=st.sampled_from([0.0, 0.1]))
@settings(deadline=None, max_examples=20)
def test_an_empty_block_changes_nothing(past: list[Block], weight: float) -> None:
    empty = Block(weight, Arm(0, 0), Arm(0, 0))
    assert observed([*past, empty]) == observed(past)
    assert mixed([*past, empty]) == mixed(past)


def test_without_random_assignment_only_the_absolute_margin_learns() -> None:
    block = Block(0.0, Arm(900, 2), Arm(50, 30))
    evidence = observed([block])
    assert evidence.ratio == ErrorEvidence.start(MARGIN).ratio
    assert evidence.absolute.harm > 3
    assert mixed([block]) == SampleRatio.start()


def test_an_uncertain_weight_gives_no_more_evidence_than_either_end() -> None:
    stable, canary = Arm(900, 9), Arm(100, 20)
    between = observed([Block(0.25, stable, canary, weight_before=0.05)]).ratio
    ends = [observed([Block(weight, stable, canary)]).ratio for weight in (0.05, 0.25)]
    assert between.harm == min(end.harm for end in ends)
    assert between.safe == min(end.safe for end in ends)


GOOD = observed([Block(0.1, Arm(90, 1), Arm(10, 1)), Block(0.1, Arm(5, 0), Arm(0, 0))]).dump()

SPOILT: dict[str, Callable[[dict[str, Any]], object]] = {
    "format missing": lambda d: d.pop("format"),
    "format of another version": lambda d: d.update(format="errors/0"),
    "ratio missing": lambda d: d.pop("ratio"),
    "ratio no object": lambda d: d.update(ratio=[1]),
    "bound below one": lambda d: d["ratio"].update(bound=0.5),
    "bound not a number": lambda d: d["ratio"].update(bound="1.25"),
    "bound true": lambda d: d["ratio"].update(bound=True),
    "delta zero": lambda d: d["absolute"].update(delta=0),
    "wealth too short": lambda d: d["ratio"]["harm"].pop(),
    "wealth not finite": lambda d: d["ratio"]["safe"].__setitem__(0, math.nan),
    "wealth too large": lambda d: d["absolute"]["safe"].__setitem__(0, 1e6),
    "wealth too exact": lambda d: d["absolute"]["harm"].__setitem__(0, -0.12345678),
    "wealth a text": lambda d: d["absolute"].update(harm="-1,-2"),
    "rounds negative": lambda d: d["absolute"].update(rounds=-1),
    "rounds a fraction": lambda d: d["ratio"].update(rounds=1.5),
    "more errors than requests": lambda d: d["absolute"].update(seen=[1, 2, 0, 0]),
    "seen too short": lambda d: d["absolute"].update(seen=[1, 0, 0]),
    "two arms waiting": lambda d: d["absolute"].update(waiting=[1, 0, 1, 0]),
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT.keys())
def test_garbage_is_refused(spoil: Callable[[dict[str, Any]], object]) -> None:
    data = copy.deepcopy(GOOD)
    assert ErrorEvidence.load(data).dump() == GOOD
    spoil(data)
    with pytest.raises(ValueError, match=r"stored evidence|margin"):
        ErrorEvidence.load(data)


@settings(deadline=None, max_examples=30)
@given(
    data=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*GOOD]), inner, max_size=3),
        max_leaves=5,
    )
)
def test_any_other_json_is_refused(data: object) -> None:
    for load in (ErrorEvidence.load, SampleRatio.load):
        with pytest.raises(ValueError, match="stored evidence"):
            load(data)


def test_numbers_may_have_lost_their_decimal_point() -> None:
    evidence = observed([], Margin(ratio=2.0, absolute=0.5))
    whole = json.loads(json.dumps(evidence.dump()).replace("-10000.0", "-10000").replace("2.0", "2"))
    assert whole["ratio"]["bound"] == 2
    assert ErrorEvidence.load(whole) == evidence


@pytest.mark.parametrize("requests", [10**6, 10**9, 10**12])
def test_extreme_blocks_neither_overflow_nor_lie(requests: int) -> None:
    for stable_errors, canary_errors in itertools.product((0, requests), repeat=2):
        block = Block(0.5, Arm(requests, stable_errors), Arm(requests, canary_errors))
        evidence = observed([block, block])
        assert (evidence.harm > 3) == (canary_errors > stable_errors)
        assert (evidence.safe > 3) == (canary_errors <= stable_errors)
