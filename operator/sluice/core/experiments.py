"""An A/B test: what its units prove, and when nothing may be concluded from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from sluice.analysis import MISMATCH, Arm, Block, SampleRatio
from sluice.analysis.difference import Difference, Sample, stratified
from sluice.api.ab_test import ABTest, Direction
from sluice.api.record import Evidence
from sluice.api.spec import Alpha, ModelDeploymentSpec
from sluice.api.status import ArmCounts, TestCounts, TestSummary, UnitCounts
from sluice.core.observation import Observation, Silent, TestResults, Units

# The bounds are tightest where each version has so many times `minUnits`.
TIGHTEST = 2


@dataclass(frozen=True)
class Comparison:
    """How a test stands. `difference` says how much better the candidate is, in the direction that was asked for.

    `units` says what counts: users, or requests.
    """

    test: ABTest
    alpha: Alpha
    units: str
    counts: TestCounts
    difference: Difference | None
    mismatch: bool

    @property
    def enough(self) -> bool:
        """Whether of each version so many units count as were asked for."""
        return min(self.counts.control.matured, self.counts.treatment.matured) >= self.test.min_units

    @property
    def credible(self) -> bool:
        """Whether the units may be believed, however many there are."""
        return not self.mismatch and not self.counts.incomplete

    @property
    def conclusive(self) -> bool:
        """Whether something may be concluded from the units."""
        return self.enough and self.credible

    @property
    def better(self) -> bool:
        """Whether the candidate is proven to be better."""
        return self.conclusive and self.difference is not None and self.difference.lower > 0

    @property
    def worse(self) -> bool:
        """Whether the candidate is proven to be worse."""
        return self.conclusive and self.difference is not None and self.difference.upper < 0


def with_results(evidence: Evidence, seen: Observation, control: str, treatment: str, *, closed: int = 0) -> Evidence:
    """Return the evidence with what the collector knows now: all since the test began.

    Units never get fewer, unless it has lost its memory. Those who come afterwards would be another sample, and a
    second chance for luck; so what was incomplete once stays so.

    Args:
        evidence: as it was.
        seen: what the collector says.
        control: the revision of stable.
        treatment: the revision that is compared with it.
        closed: how many parts of the test are over, in each of which stable had another share.
    """
    found, before = seen.test, evidence.test or TestCounts()
    if not isinstance(found, TestResults):
        return evidence
    arms = (_counts(found.versions.get(revision, Units())) for revision in (control, treatment))
    counts = TestCounts(control=next(arms), treatment=next(arms))
    here = ArmCounts(control=counts.control, treatment=counts.treatment)
    parts = (*before.parts, *[here] * (closed - len(before.parts)))
    fewer = counts.control.units < before.control.units or counts.treatment.units < before.treatment.units
    incomplete = found.incomplete or before.incomplete or fewer
    return evidence.model_copy(update={"test": counts.model_copy(update={"incomplete": incomplete, "parts": parts})})


def all_complete(found: Mapping[str, Evidence]) -> dict[str, Evidence]:
    """Return the evidence of all challengers of a test: what was incomplete for one of them is so for all."""
    lost = any(one.test.incomplete for one in found.values() if one.test)
    return {
        name: one.model_copy(update={"test": one.test.model_copy(update={"incomplete": lost})}) if one.test else one
        for name, one in found.items()
    }


def compare(
    spec: ModelDeploymentSpec,
    test: ABTest,
    counts: TestCounts | None,
    *,
    share: float | None = None,
    mismatch: bool | None = None,
) -> Comparison:
    """Say how a test stands: everything is settled before the first unit comes, and the counts are all the state.

    Args:
        spec: of the ModelDeployment.
        test: what is compared.
        counts: of both versions.
        share: of the candidate among the units of both, where others have some too.
        mismatch: whether units come as they should, where others have some too.
    """
    known, alpha, share = counts or TestCounts(), spec.alpha, share or test.weight / 100
    sign = 1.0 if test.primary.direction is Direction.INCREASE else -1.0
    found = stratified(
        [(_sample(part.treatment, sign), _sample(part.control, sign)) for part in _parts(known)],
        alpha_lower=alpha.safe,
        alpha_upper=alpha.harm,
        tightest=TIGHTEST * test.min_units / min(share, 1 - share),
    )
    unlike = _mismatch(test, known) if mismatch is None else mismatch
    return Comparison(test, alpha, of_units(spec), known, found, mismatch=unlike)


def hindrance(spec: ModelDeploymentSpec, seen: Observation, counts: TestCounts | None) -> str | None:
    """Say why nothing can be known of a test at the moment, if so; `counts` are what is known."""
    if counts_users(spec) and seen.sticky_problem:
        return f"users can't be kept at their version ({seen.sticky_problem}); the test waits for it"
    if isinstance(seen.test, Silent):
        return f"{seen.test.why}; the test waits for it"
    if counts and counts.incomplete:
        return (
            "the collector had to forget some of the test, or has lost it, so that nothing can be concluded from it; "
            "a retry begins another one"
        )
    return None


def unsticky(spec: ModelDeploymentSpec, seen: Observation) -> str | None:
    """Say why users would not stay with a canary's version, if so."""
    if spec.strategy.canary and counts_users(spec) and seen.sticky_problem:
        return f"users can't be kept at their version ({seen.sticky_problem}); the candidate's first users wait for it"
    return None


def unit(spec: ModelDeploymentSpec) -> str | None:
    """Say what is assigned to a version for longer than a moment, or tested: users or requests; None for neither."""
    sticky = spec.traffic and spec.traffic.sticky
    if spec.strategy.ab_test is None and not (spec.strategy.canary and sticky):
        return None
    if not sticky:
        return "requests"
    by = " ".join(f"by {kind} {name}" for kind, name in sticky.to_kubernetes().items())
    return f"users {by}".strip()


def counts_users(spec: ModelDeploymentSpec) -> bool:
    """Whether health is judged by users: one who stays with a version makes many requests of one fate."""
    return (unit(spec) or "").startswith("users")


def windows(spec: ModelDeploymentSpec) -> tuple[int, ...]:
    """Return the weights of a canary at which both versions have users who stick to them; each counts them anew."""
    if spec.strategy.canary is None or not counts_users(spec):
        return ()
    return tuple(sorted({step.set_weight for step in spec.strategy.steps if step.set_weight and step.set_weight < 100}))


def window(spec: ModelDeploymentSpec, before: int | None, weight: int) -> int | None:
    """Return the number of a canary's window at a weight, None where there are none.

    Counted from 1, and never back: who returns to stable for want of pods belongs to the same window.
    """
    reached = sum(one <= weight for one in windows(spec))
    return max(before or 0, reached) or None


def of_units(spec: ModelDeploymentSpec) -> str:
    """Return what evidence of errors counts."""
    return "users" if counts_users(spec) else "requests"


def summary(spec: ModelDeploymentSpec, compared: Comparison) -> TestSummary:
    """Return a test in short, for people and for the record."""
    found = compared.difference
    return TestSummary(
        metric=compared.test.primary.metric,
        unit=unit(spec) or "requests",
        counts=compared.counts,
        better=found and found.estimate,
        at_least=found and found.lower,
        at_most=found and found.upper,
        statement=statement(compared),
    )


def statement(compared: Comparison) -> str:
    """Say how both versions compare, for example:

    conversion: 0.142 beside 0.118 per user; better by 0.024 (at least 0.006 with 95 % confidence at any time), 1,204
    and 1,198 users.
    """
    counts, name, units = compared.counts, compared.test.primary.metric, compared.units
    numbers = f"{counts.treatment.matured:,} and {counts.control.matured:,} {units}"
    if compared.difference is None:
        return f"{name}: nothing to compare yet, {numbers}"
    means = (_number(_sample(one).mean) for one in (counts.treatment, counts.control))
    return f"{name}: {' beside '.join(means)} per {units[:-1]}; {_bounds(compared, compared.difference)}, {numbers}"


def _bounds(compared: Comparison, found: Difference) -> str:
    def sure(alpha: float) -> str:
        return f"with {100 * (1 - alpha):g} % confidence at any time"

    better, size = "better" if found.estimate >= 0 else "worse", _number(abs(found.estimate))
    if found.lower == found.upper:
        return "no difference"
    if found.lower > 0:
        return f"better by {size} (at least {_number(found.lower)} {sure(compared.alpha.safe)})"
    if found.upper < 0:
        return f"worse by {size} (at least {_number(-found.upper)} {sure(compared.alpha.harm)})"
    return f"{better} by {size} so far (between {_number(-found.lower)} worse and {_number(found.upper)} better)"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value + 0.0:.3g}"


def _counts(seen: Units) -> UnitCounts:
    return UnitCounts(
        units=seen.units, matured=seen.matured, total=seen.total, squares=seen.squares, crossed=seen.crossed
    )


def _parts(counts: TestCounts) -> Iterator[ArmCounts]:
    """Yield what was counted in each part of a test."""
    before = ArmCounts()
    for until in (*counts.parts, counts):
        yield ArmCounts(
            control=_less(until.control, before.control), treatment=_less(until.treatment, before.treatment)
        )
        before = until


def _less(one: UnitCounts, other: UnitCounts) -> UnitCounts:
    return UnitCounts(
        matured=max(0, one.matured - other.matured),
        total=one.total - other.total,
        squares=max(0.0, one.squares - other.squares),
    )


def _sample(counts: UnitCounts, sign: float = 1.0) -> Sample:
    return Sample(counts.matured, sign * counts.total, counts.squares)


def _mismatch(test: ABTest, counts: TestCounts) -> bool:
    """Whether units do not come to the versions as the weight says; with one weight the counts are all there is."""
    arrived = Block(test.weight / 100, Arm(counts.control.units, 0), Arm(counts.treatment.units, 0))
    return SampleRatio.start().observe(arrived).log_e >= MISMATCH
