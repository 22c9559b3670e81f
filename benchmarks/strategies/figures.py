"""What is read off the clients' log; times in seconds of the monotonic clock."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise

from hack.load import Answer

USERS = 200
# So long a new weight may take from the operator's decision until every request follows it: a version comes into the
# route with next to no traffic, and gets its share two seconds after the gateway has taken that.
TAKEN_UP_SECONDS = 6.0


@dataclass(frozen=True)
class Span:
    """A time at one weight of the candidate, in percent."""

    weight: int
    since: float
    until: float = math.inf

    def holds(self, at: float) -> bool:
        """Whether a request that was sent then met this weight and no other."""
        return self.since + TAKEN_UP_SECONDS <= at < self.until


@dataclass(frozen=True)
class Flips:
    """Users whom a rollout of a good version sent to and fro.

    Attributes:
        back: were answered by the new version, and by the old one after that.
        constant: got two answers in a row from different versions, both asked for while the weight was the same.
        split: were answered by the new version while both versions had a share of the traffic.
    """

    back: int
    constant: int
    split: int

    def shown(self) -> dict[str, int]:
        """Return it as JSON."""
        return asdict(self)


def user_of(answer: Answer) -> int:
    """Return who has asked: each user sends every n-th request."""
    return answer.number % USERS


def downtime(answers: Sequence[Answer]) -> float:
    """Seconds in which nobody was answered: of every run of failures that no answer interrupts, from its first on."""
    total, since = 0.0, None
    for answer in sorted(answers, key=lambda one: one.sent):
        if answer.failed and answer.version == "":
            since = answer.sent if since is None else since
        elif since is not None:
            total, since = total + answer.sent - since, None
    return total


def above(samples: Sequence[tuple[float, int]], steady: int) -> float:
    """Return pod-seconds beyond so many pods, of samples of time and number; each holds until the next."""
    return sum(max(0, number - steady) * (after - at) for (at, number), (after, _) in pairwise(samples))


def seen_by(answers: Sequence[Answer], version: int) -> dict[str, int]:
    """How many requests, and how many of the users, a version has answered."""
    met = [user_of(answer) for answer in answers if answer.version == str(version)]
    return {"requests": len(met), "users": len(set(met))}


def hurt(answers: Iterable[Answer]) -> int:
    """Return how many users have had a failed request, whoever failed it."""
    return len({user_of(answer) for answer in answers if answer.failed})


def first_failure(answers: Iterable[Answer]) -> float | None:
    """Return when the first failed answer came, if any did."""
    return min((answer.done for answer in answers if answer.failed), default=None)


def all_back(answers: Iterable[Answer], version: int) -> float | None:
    """Return when the last request was sent that a version has not answered well; None when it answered them all."""
    others = (answer.sent for answer in answers if answer.failed or answer.version != str(version))
    return max(others, default=None)


def answered_before_all(answers: Sequence[Answer], old: int, new: int) -> int:
    """How many requests of users the new version has answered before the old one got its last."""
    last = max((answer.sent for answer in answers if answer.version == str(old)), default=0.0)
    return sum(answer.version == str(new) and answer.sent < last for answer in answers)


def flips(answers: Iterable[Answer], new: int, spans: Sequence[Span]) -> Flips:
    """Count the users who changed versions.

    Answers without a version (nobody served) neither make a change nor hide one.
    """
    histories: defaultdict[int, list[Answer]] = defaultdict(list)
    for answer in sorted(answers, key=lambda one: one.sent):
        if answer.version:
            histories[user_of(answer)].append(answer)
    split = [span for span in spans if 0 < span.weight < 100]
    return Flips(
        back=sum(_went_back(history, str(new)) for history in histories.values()),
        constant=sum(_switched(history, spans) for history in histories.values()),
        split=sum(
            any(one.version == str(new) and any(span.holds(one.sent) for span in split) for one in history)
            for history in histories.values()
        ),
    )


def _went_back(history: Sequence[Answer], new: str) -> bool:
    return any(one.version == new != other.version for one, other in pairwise(history))


def _switched(history: Sequence[Answer], spans: Sequence[Span]) -> bool:
    return any(
        one.version != other.version and any(span.holds(one.sent) and span.holds(other.sent) for span in spans)
        for one, other in pairwise(history)
    )
