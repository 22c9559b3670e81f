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
    scraped: a block must not straddle a change of weight). Raises ValueError for any other weight.
    """

    weight: float
    stable: Arm
    canary: Arm

    def __post_init__(self) -> None:
        if not 0 <= self.weight < 1:
            raise ValueError(f"weight is a share in [0, 1), got {self.weight!r}")

    @property
    def errors(self) -> int:
        """Errors of both arms."""
        return self.stable.errors + self.canary.errors


@dataclass(frozen=True)
class Margin:
    """What is tolerated of the canary's error rate c, given stable's s: c <= max(ratio * s, s + absolute).

    `ratio` is a finite factor >= 1, `absolute` a difference of rates in (0, 1). Raises ValueError otherwise.
    """

    ratio: float
    absolute: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.ratio) and self.ratio >= 1):
            raise ValueError(f"ratio margin must be a finite number >= 1, got {self.ratio!r}")
        if not 0 < self.absolute < 1:
            raise ValueError(f"absolute margin must lie between 0 and 1, got {self.absolute!r}")
