"""What one side answered to one request."""

from dataclasses import dataclass
from typing import Literal

from pydantic import TypeAdapter

Side = Literal["stable", "candidate"]
SIDES: tuple[Side, ...] = ("stable", "candidate")

Prediction = bool | int | float | str | None
"""Kept apart by type: `True` is not 1."""

DEFAULT_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Answer:
    """An answer of a model server, without anything of the request but its id."""

    comparison: str
    """Namespace and name of the rollout's record."""
    request: str
    side: Side
    status: int
    seconds: float
    predictions: tuple[Prediction, ...] | None = None
    digest: str | None = None
    """Stands for predictions that did not fit."""
    tolerance: float = DEFAULT_TOLERANCE
    """Numbers a and b are equal up to this, times the largest of 1, |a| and |b|."""

    @property
    def key(self) -> tuple[str, Side]:
        """What tells it from the other answers of its comparison."""
        return self.request, self.side

    @property
    def partner(self) -> tuple[str, Side]:
        """The key of the other side's answer."""
        return self.request, "candidate" if self.side == "stable" else "stable"

    @property
    def failed(self) -> bool:
        """The server's fault."""
        return self.status >= 500

    @property
    def refused(self) -> bool:
        """The client's fault, so the server says."""
        return 400 <= self.status < 500

    @property
    def ok(self) -> bool:
        """Neither."""
        return self.status < 400


_STORED = TypeAdapter(Answer)


def dump(answer: Answer) -> str:
    """As it waits in the database."""
    return _STORED.dump_json(answer).decode()


def load(text: str) -> Answer:
    """The inverse of `dump`."""
    return _STORED.validate_json(text)
