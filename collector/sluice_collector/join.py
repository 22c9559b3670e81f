"""Which of the answers that arrive are new, and which of them complete a pair."""

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

from sluice_collector.answers import Answer, Side
from sluice_collector.compare import Compared, compare

Key = tuple[str, Side]
"""Request and side."""


@dataclass(frozen=True)
class Joined:
    """What becomes of the answers of one comparison."""

    fresh: Mapping[Key, Answer | None]
    """New keys to remember; with the answer, if it has to wait for its partner."""
    settled: frozenset[Key]
    """Answers that have waited and need not any more."""
    pairs: tuple[Compared, ...]
    duplicates: int


def join(arrived: Iterable[Answer], known: Set[Key], waiting: Mapping[Key, Answer]) -> Joined:
    """Join answers with each other and with those that wait; of a key the first counts, all others are duplicates."""
    fresh: dict[Key, Answer | None] = {}
    settled: set[Key] = set()
    pairs: list[Compared] = []
    duplicates = 0
    for answer in arrived:
        if answer.key in known or answer.key in fresh:
            duplicates += 1
            continue
        if (partner := fresh.get(answer.partner)) is not None:
            fresh[answer.partner] = None
        elif (partner := waiting.get(answer.partner)) is not None:
            settled.add(answer.partner)
        fresh[answer.key] = answer if partner is None else None
        if partner is not None:
            pairs.append(compare(answer, partner) if answer.side == "stable" else compare(partner, answer))
    return Joined(fresh, frozenset(settled), tuple(pairs), duplicates)
