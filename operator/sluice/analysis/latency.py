"""Is the canary slower than stable, by more than a tolerated factor? (statistics, section (c))

At a cut point b of stable's durations the canary is tolerated as long as

    P(canary takes longer than m b)  <=  P(stable takes longer than b) + d,       m, d = the margin's ratio, absolute.

Harm: exceeded at some cut point, the average of the e-values counts. Safe: kept at each, the smallest counts. Cells
decide, not quantiles; where m b is no edge, the next one above counts for harm and the next one below for safety.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sluice.analysis import stored
from sluice.analysis.absolute import AbsoluteEvidence
from sluice.analysis.cells import EDGES, later, quantile
from sluice.analysis.counts import Arm, Margin
from sluice.analysis.mixture import combined

FORMAT = "latency/1"  # change it whenever cells, cut points, alternatives or their shares change

ENOUGH = 100  # answers of stable from which cut points are chosen
QUANTILES = (0.5, 0.9, 0.99)
# One more cut point 4.3 times the last: should stable get slower after the choice, it still tells something.
FAR = 16
# ... and if even that is no tail any more, nothing is safe.
TAIL = 0.5


def choose_cuts(stable: Sequence[int]) -> tuple[int, ...] | None:
    """Cut points as rising indices of EDGES, from stable's cumulative counts; None while there are too few.

    The choice must be made before a request counts that is compared at them, and kept.
    """
    if stable[-1] < ENOUGH:
        return None
    edges = {quantile(stable, share) for share in QUANTILES}
    return tuple(sorted(edges | {min(max(edges) + FAR, len(EDGES) - 1)}))


def needed(cuts: Iterable[int], margins: Iterable[Margin]) -> tuple[int, ...]:
    """The edges above which answers have to be counted, for both arms: all that these margins look at."""
    ratios = [margin.ratio for margin in margins]
    edges = {edge for cut in cuts for ratio in (1.0, *ratios) for edge in later(cut, ratio)}
    return tuple(sorted(edge for edge in edges if edge < len(EDGES)))


@dataclass(frozen=True)
class Answers:
    """Answers of one arm during one scrape interval: how many, and how many took longer than some of EDGES.

    Raises ValueError unless 0 <= above[higher edge] <= above[lower edge] <= number.
    """

    number: int
    above: Mapping[int, int]

    def __post_init__(self) -> None:
        counts = [self.number, *(self.above[edge] for edge in sorted(self.above)), 0]
        if counts != sorted(counts, reverse=True):
            raise ValueError(f"answers above rising edges must fall from {self.number} to 0, got {dict(self.above)}")

    def slower_than(self, edge: int) -> Arm:
        """Those that took longer than an edge, as errors; none where there is no such edge."""
        return Arm(self.number, self.above[edge] if edge < len(EDGES) else 0)


@dataclass(frozen=True)
class Slowness:
    """What was seen at one cut point: shares of the answers that took longer, the canary's than `ratio` times it.

    `answers` is how many of the canary's there were.
    """

    seconds: float
    ratio: float
    canary: float
    stable: float
    answers: int


@dataclass(frozen=True)
class Cut:
    """One cut point; `harm` and `safe` are the same evidence where the ratio leads to an edge."""

    edge: int
    harm: AbsoluteEvidence
    safe: AbsoluteEvidence

    def observe(self, ratio: float, stable: Answers, canary: Answers) -> Cut:
        """Add the answers of one block."""
        lower, upper = later(self.edge, ratio)
        harm = self.harm.observe(stable=stable.slower_than(self.edge), canary=canary.slower_than(upper))
        if lower == upper:
            return Cut(self.edge, harm, harm)
        safe = self.safe.observe(stable=stable.slower_than(self.edge), canary=canary.slower_than(lower))
        return Cut(self.edge, harm, safe)


@dataclass(frozen=True)
class LatencyEvidence:
    """Running evidence about the canary's durations for one margin; immutable, like `ErrorEvidence`."""

    margin: Margin
    cuts: tuple[Cut, ...]

    @classmethod
    def start(cls, margin: Margin, cuts: Sequence[int]) -> LatencyEvidence:
        """No evidence yet, at these cut points; ValueError unless they are rising indices of EDGES."""
        _check(cuts)
        nothing = AbsoluteEvidence.start(margin.absolute)
        return cls(margin=margin, cuts=tuple(Cut(edge, nothing, nothing) for edge in cuts))

    def observe(self, *, stable: Answers, canary: Answers) -> LatencyEvidence:
        """Add one block. Both arms must count what `needed` says."""
        ratio = self.margin.ratio
        return LatencyEvidence(self.margin, tuple(cut.observe(ratio, stable, canary) for cut in self.cuts))

    @property
    def edges(self) -> tuple[int, ...]:
        """The cut points."""
        return tuple(cut.edge for cut in self.cuts)

    @property
    def harm(self) -> float:
        """Log e-value that the margin is exceeded at a cut point: the null is that it is kept at all of them."""
        return combined([cut.harm.harm for cut in self.cuts])

    @property
    def safe(self) -> float:
        """Log e-value that the margin is kept at every cut point; nothing where they lie below stable's durations."""
        stable = self.cuts[-1].safe.seen_stable
        if stable.errors > TAIL * stable.requests:
            return 0.0
        return min(cut.safe.safe for cut in self.cuts)

    @property
    def most_harmful(self) -> Slowness:
        """What was seen where there is most evidence of harm."""
        cut = max(self.cuts, key=lambda cut: cut.harm.harm)
        return self._seen(cut, cut.harm)

    @property
    def least_safe(self) -> Slowness:
        """What was seen where there is least evidence of safety."""
        cut = min(self.cuts, key=lambda cut: cut.safe.safe)
        return self._seen(cut, cut.safe)

    def _seen(self, cut: Cut, evidence: AbsoluteEvidence) -> Slowness:
        canary = evidence.seen_canary + evidence.waiting_canary
        return Slowness(
            seconds=EDGES[cut.edge],
            ratio=self.margin.ratio,
            canary=_share(canary),
            stable=_share(evidence.seen_stable + evidence.waiting_stable),
            answers=canary.requests,
        )

    def dump(self) -> stored.Json:
        """The state as JSON: finite numbers, exact, at most 1 KB for each cut point."""
        cuts = [
            {"edge": cut.edge, "harm": cut.harm.dump()} | ({} if cut.safe is cut.harm else {"safe": cut.safe.dump()})
            for cut in self.cuts
        ]
        return {"format": FORMAT, "ratio": self.margin.ratio, "cuts": cuts}

    @classmethod
    def load(cls, data: object) -> LatencyEvidence:
        """What `dump` wrote. Raises ValueError, naming the field, for anything else (another version's, too)."""
        fields = stored.Fields.of(data, "latency")
        fields.check_format(FORMAT)
        cuts = tuple(_load_cut(cut) for cut in fields.objects("cuts"))
        _check([cut.edge for cut in cuts])
        deltas = {evidence.delta for cut in cuts for evidence in (cut.harm, cut.safe)}
        if len(deltas) != 1:
            raise ValueError("stored evidence: latency.cuts have different margins")
        return cls(margin=Margin(ratio=fields.number("ratio"), absolute=deltas.pop()), cuts=cuts)


def _load_cut(data: object) -> Cut:
    fields = stored.Fields.of(data, "latency.cuts")
    harm = AbsoluteEvidence.load(fields.get("harm"))
    safe = harm if fields.get("safe") is None else AbsoluteEvidence.load(fields.get("safe"))
    return Cut(fields.count("edge"), harm, safe)


def _check(cuts: Sequence[int]) -> None:
    if not cuts or list(cuts) != sorted(set(cuts)) or not 0 <= cuts[0] <= cuts[-1] < len(EDGES):
        raise ValueError(f"stored evidence: cut points must be rising indices of edges, got {list(cuts)}")


def _share(arm: Arm) -> float:
    return arm.errors / arm.requests if arm.requests else 0.0
