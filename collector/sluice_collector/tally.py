"""The running counts of a comparison.

They depend on no order, but for which labels have a place of their own when there are too many.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sluice_collector import exact
from sluice_collector.answers import Side
from sluice_collector.compare import Compared
from sluice_collector.latency import Latency

LABELS = 20
"""Distinct labels kept of each side."""
OTHER = "…other"


@dataclass(frozen=True)
class Numeric:
    """Differences of numbers, candidate minus stable."""

    count: int = 0
    deltas: exact.Parts = ()
    sizes: exact.Parts = ()
    largest: float = 0.0

    def plus(self, deltas: Sequence[float]) -> "Numeric":
        """Add differences."""
        sizes = [abs(delta) for delta in deltas]
        return Numeric(
            count=self.count + len(deltas),
            deltas=exact.add(self.deltas, deltas),
            sizes=exact.add(self.sizes, sizes),
            largest=max(self.largest, *sizes) if sizes else self.largest,
        )

    @property
    def mean(self) -> float:
        """0 of none."""
        return exact.total(self.deltas) / self.count if self.count else 0.0

    @property
    def mean_size(self) -> float:
        """The mean of the absolute differences; 0 of none."""
        return exact.total(self.sizes) / self.count if self.count else 0.0


@dataclass(frozen=True)
class Flips:
    """How often stable said one class and the candidate another, or the same."""

    counts: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """By stable's label, then the candidate's."""

    def plus(self, pairs: Iterable[tuple[str, str]]) -> "Flips":
        """Add pairs of labels; those beyond LABELS on a side are counted together."""
        counts = {stable: dict(row) for stable, row in self.counts.items()}
        ours = set(counts)
        theirs = {candidate for row in counts.values() for candidate in row}
        for stable, candidate in pairs:
            row = counts.setdefault(_known(stable, ours), {})
            column = _known(candidate, theirs)
            row[column] = row.get(column, 0) + 1
        return Flips(counts)


def _known(label: str, labels: set[str]) -> str:
    """The label, or the place of all that are too many."""
    if label not in labels:
        if len(labels - {OTHER}) >= LABELS:
            label = OTHER
        labels.add(label)
    return label


@dataclass(frozen=True)
class Tally:
    """Everything that is counted of a comparison."""

    pairs: int = 0
    disagreements: int = 0
    stable_errors: int = 0
    candidate_errors: int = 0
    both_failed: int = 0
    stable_unpaired: int = 0
    candidate_unpaired: int = 0
    flips: Flips = field(default_factory=Flips)
    numeric: Numeric = field(default_factory=Numeric)
    stable_latency: Latency = field(default_factory=Latency)
    candidate_latency: Latency = field(default_factory=Latency)

    def plus(self, compared: Iterable[Compared]) -> "Tally":
        """Add pairs. Those that could not be compared are an unpaired answer on each side."""
        compared = list(compared)
        pairs = [one for one in compared if one.counts]
        timed = [one for one in pairs if one.stable.ok and one.candidate.ok]
        unknown = sum(one.verdict == "unknown" for one in compared)
        return replace(
            self.lost("stable", unknown).lost("candidate", unknown),
            pairs=self.pairs + len(pairs),
            disagreements=self.disagreements + sum(one.verdict == "disagree" for one in pairs),
            stable_errors=self.stable_errors + sum(one.stable.failed for one in pairs),
            candidate_errors=self.candidate_errors + sum(one.candidate.failed for one in pairs),
            both_failed=self.both_failed + sum(one.stable.failed and one.candidate.failed for one in pairs),
            flips=self.flips.plus(labels for one in pairs for labels in one.labels),
            numeric=self.numeric.plus([delta for one in pairs for delta in one.deltas]),
            # Errors are often fast: only where both succeeded are the two distributions of the same requests.
            stable_latency=self.stable_latency.plus(one.stable.seconds for one in timed),
            candidate_latency=self.candidate_latency.plus(one.candidate.seconds for one in timed),
        )

    def lost(self, side: Side, count: int) -> "Tally":
        """Count answers of a side that were dropped without a partner."""
        if side == "stable":
            return replace(self, stable_unpaired=self.stable_unpaired + count)
        return replace(self, candidate_unpaired=self.candidate_unpaired + count)
