"""Tells the collector what this pod has answered, so that stable's and a candidate's answers can be compared.

The route says of which requests (`x-sluice-compare: COMPARISON;PERCENT`), and both versions' pods choose the same ones:
by their ids.
"""

import hashlib
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from prometheus_client import Counter

from sluice_server.identities import identity
from sluice_server.protocols.mlflow import plain
from sluice_server.sender import Channel

HEADER: Final = "x-sluice-compare"
STABLE, CANDIDATE = "stable", "candidate"
MOST_PREDICTIONS: Final = 64  # of one answer; of longer ones only the digest is sent
MOST_TEXT: Final = 64
LARGEST: Final = 1e19  # of numbers; of larger ones the digest says whether they are the same

_told = Counter(
    "sluice_compared_answers", "Answers for the collector, by what became of them.", ["fate"], registry=None
)

CHANNEL: Final = Channel("/v1/answers", "answers", _told)


@dataclass(frozen=True)
class Answer:
    """What was answered to one request; `seconds` is how long it took, `predictions` what the model returned."""

    comparison: str
    request: str
    side: str
    status: int
    seconds: float
    predictions: Any = None

    def told(self) -> dict[str, Any]:
        """Return what the collector is told: predictions only, never what was asked."""
        said = {
            "comparison": self.comparison, "request": self.request, "side": self.side, "status": self.status,
            "seconds": round(self.seconds, 6), "predictions": None,
        }  # fmt: skip
        if self.status >= 400:
            return said
        flat = list(_flat(plain(self.predictions)))
        if len(flat) > MOST_PREDICTIONS or not all(map(_fits, flat)):
            return said | {"digest": f"sha256:{hashlib.sha256(repr(flat).encode()).hexdigest()}"}
        return said | {"predictions": flat}


def asked(header: str | None, request: str | None) -> str | None:
    """Return the comparison that a request belongs to, None when its answer is not compared.

    Args:
        header: `x-sluice-compare`, as the route has set it.
        request: the request's id, which the gateway gives to the request and to its copy.
    """
    if not header or (name := identity(request)) is None:
        return None
    comparison, _, percent = header.rpartition(";")
    if not comparison or not percent.isdecimal():
        return None
    return comparison if zlib.crc32(name.encode()) % 100 < int(percent) else None


def _fits(value: Any) -> bool:
    """Whether the collector takes a value as it is."""
    if isinstance(value, str):
        return len(value) <= MOST_TEXT
    return value is None or abs(value) <= LARGEST


def _flat(value: Any) -> Iterator[Any]:
    """Yield the scalars of an answer in an order that depends on its form only."""
    if isinstance(value, dict):
        for key in sorted(value, key=str):
            yield from _flat(value[key])
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _flat(item)
    elif isinstance(value, float):
        yield value if math.isfinite(value) else None
    elif value is None or isinstance(value, bool | int | str):
        yield value
    elif hasattr(value, "tolist"):
        yield from _flat(value.tolist())
    else:
        yield str(value)
