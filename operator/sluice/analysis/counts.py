"""What the analysis is given: counts per arm and scrape, the canary's share, and what is tolerated."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Arm:
    """Requests of one arm that ended during one scrape interval, and how many of them were errors.

    Raises ValueError unless both are integers with 0 <= errors <= requests.
    """

    requests: int
    errors: int

    def __post_init__(self) -> None:
        if type(self.requests) is not int or type(self.errors) is not int:
            raise ValueError(f"counts must be integers, got {self.requests!r} requests and {self.errors!r} errors")
        if not 0 <= self.errors <= self.requests:
            raise ValueError(f"0 <= errors <= requests must hold, got {self.requests} requests, {self.errors} errors")

    def __add__(self, other: Arm) -> Arm:
        return Arm(self.requests + other.requests, self.errors + other.errors)


NOTHING = Arm(requests=0, errors=0)


@dataclass(frozen=True)
class Block:
    """Both arms' increments of one scrape.

    `weight` is the canary's configured share, in [0, 1), while these requests were assigned (not while they were
    scraped). Where the block straddles a change of weight, `weight_before` is the share before it: each request was
    assigned with some share between the two, and evidence takes the worse end. ValueError for any other weight.
    """

    weight: float
    stable: Arm
    canary: Arm
    weight_before: float | None = None

    def __post_init__(self) -> None:
        for weight in (self.weight, self.weight if self.weight_before is None else self.weight_before):
            if not 0 <= weight < 1:
                raise ValueError(f"weight is a share in [0, 1), got {weight!r}")

    @property
    def lowest_weight(self) -> float:
        """The smallest share with which these requests may have been assigned."""
        return self.weight if self.weight_before is None else min(self.weight, self.weight_before)

    @property
    def highest_weight(self) -> float:
        """The largest share with which these requests may have been assigned."""
        return self.weight if self.weight_before is None else max(self.weight, self.weight_before)

    @property
    def errors(self) -> int:
        """Errors of both arms."""
        return self.stable.errors + self.canary.errors


@dataclass(frozen=True)
class Margin:
    """What is tolerated of the canary's error rate c, given stable's s: c <= max(ratio * s, s + absolute).

    Of durations, at a cut point: P(canary > ratio * cut) <= P(stable > cut) + absolute.

    `ratio` is a finite factor >= 1, `absolute` a difference of rates in (0, 1). Raises ValueError otherwise.
    """

    ratio: float
    absolute: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.ratio) and self.ratio >= 1):
            raise ValueError(f"ratio margin must be a finite number >= 1, got {self.ratio!r}")
        if not 0 < self.absolute < 1:
            raise ValueError(f"absolute margin must lie between 0 and 1, got {self.absolute!r}")
