"""What the collector of the simulation counts of a pair of answers."""

from __future__ import annotations

from sluice.api.pairs import Classes, Duration, Durations, Flip, Numbers, Pairs


def joined(before: Pairs, *, failed: bool, fails: bool, differs: bool, seconds: float) -> Pairs:
    """Add a pair: whether stable failed, whether the candidate did, and whether their answers are not the same."""
    both = not (failed or fails)
    after = before.model_copy(
        update={
            "joined": before.joined + 1,
            "different": before.different + (differs if both else fails is not failed),
            "candidate_failed": before.candidate_failed + (fails and not failed),
            "stable_failed": before.stable_failed + (failed and not fails),
            "both_failed": before.both_failed + (failed and fails),
        }
    )
    return _answered(after, differs=differs, seconds=seconds) if both else after


def _answered(pairs: Pairs, *, differs: bool, seconds: float) -> Pairs:
    classes, largest = pairs.classes or Classes(rows=0), pairs.numbers.largest if pairs.numbers else 0.0
    changed, rows = classes.changed + differs, classes.rows + 1
    took = Duration(mean=seconds, p50=seconds, p99=seconds)
    return pairs.model_copy(
        update={
            "classes": Classes(
                rows=rows,
                changed=changed,
                flips=(Flip(stable="Adelie", candidate="Gentoo", count=changed),) if changed else (),
            ),
            "numbers": Numbers(
                rows=rows, mean=changed / rows, mean_size=changed / rows, largest=max(largest, float(differs))
            ),
            "durations": Durations(requests=rows, stable=took, candidate=took),
        }
    )
