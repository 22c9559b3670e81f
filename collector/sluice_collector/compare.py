"""Whether two answers to one request agree, and in what they differ."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeGuard

from sluice_collector.answers import Answer, Prediction

Verdict = Literal["agree", "disagree", "refused", "unknown"]
"""`refused`: both sides blame the client, which says nothing about the models. `unknown`: predictions were left out."""


@dataclass(frozen=True)
class Compared:
    """What one pair adds to the counts."""

    verdict: Verdict
    stable: Answer
    candidate: Answer
    labels: tuple[tuple[str, str], ...] = ()
    """Classes, stable's and the candidate's, of each row."""
    deltas: tuple[float, ...] = ()
    """Candidate minus stable, of each row with numbers."""

    @property
    def counts(self) -> bool:
        """Whether it is a pair at all."""
        return self.verdict in {"agree", "disagree"}


def compare(stable: Answer, candidate: Answer) -> Compared:
    """Compare by status first; predictions only where both sides have succeeded."""
    if stable.refused and candidate.refused:
        return Compared("refused", stable, candidate)
    if stable.failed and candidate.failed:
        return Compared("agree", stable, candidate)
    if not (stable.ok and candidate.ok):
        return Compared("disagree", stable, candidate)
    return _predictions(stable, candidate)


def _predictions(stable: Answer, candidate: Answer) -> Compared:
    if any(side.predictions is None and side.digest is None for side in (stable, candidate)):
        return Compared("unknown", stable, candidate)
    ours, theirs = stable.predictions, candidate.predictions
    if ours is None or theirs is None or len(ours) != len(theirs):
        # One digest and one list differ: the same predictions either fit on both sides or on neither.
        same = stable.digest is not None and stable.digest == candidate.digest
        return Compared("agree" if same else "disagree", stable, candidate)
    tolerance = max(stable.tolerance, candidate.tolerance)
    same = all(_equal(a, b, tolerance) for a, b in zip(ours, theirs, strict=True))
    return Compared("agree" if same else "disagree", stable, candidate, _labels(ours, theirs), _deltas(ours, theirs))


def _equal(a: Prediction, b: Prediction, tolerance: float) -> bool:
    if _is_number(a) and _is_number(b):
        return abs(a - b) <= tolerance * max(1.0, abs(a), abs(b))
    return type(a) is type(b) and a == b


def _is_number(value: Prediction) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _labels(stable: Sequence[Prediction], candidate: Sequence[Prediction]) -> tuple[tuple[str, str], ...]:
    pairs = zip(stable, candidate, strict=True)
    return tuple((_label(a), _label(b)) for a, b in pairs if isinstance(a, (str, int)) and isinstance(b, (str, int)))


def _label(value: str | int) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _deltas(stable: Sequence[Prediction], candidate: Sequence[Prediction]) -> tuple[float, ...]:
    """Of numbers of which at least one is a float: two integers are classes."""
    return tuple(
        float(b) - float(a)
        for a, b in zip(stable, candidate, strict=True)
        if _is_number(a) and _is_number(b) and float in {type(a), type(b)}
    )
