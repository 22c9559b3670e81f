"""What is said of requests that stable and candidate have both answered, where requests are copied."""

from __future__ import annotations

from pydantic import Field

from sluice.api.base import ApiModel

# Labels of classes are the user's data: only the largest few are kept, and not more of each than tells them apart.
MOST_FLIPS = 5
LONGEST_LABEL = 40


class Flip(ApiModel):
    """How often stable said one class, and the candidate another."""

    stable: str = Field(max_length=LONGEST_LABEL)
    candidate: str = Field(max_length=LONGEST_LABEL)
    count: int


class Classes(ApiModel):
    """Rows in which both said a class."""

    rows: int
    changed: int = Field(default=0, description="Rows with two classes that are not the same.")
    unknown: int = Field(default=0, description="Rows with a class beyond the first 20 that a side has said.")
    flips: tuple[Flip, ...] = Field(default=(), max_length=MOST_FLIPS, description="The most frequent changes.")


class Numbers(ApiModel):
    """Rows in which both said a number: the candidate's less stable's."""

    rows: int
    mean: float
    mean_size: float = Field(description="Of the differences without their sign.")
    largest: float = Field(description="Of the differences without their sign.")


class Duration(ApiModel):
    """How long one side's answers took, in seconds."""

    mean: float
    p50: float
    p99: float


class Durations(ApiModel):
    """How long the answers of both took, where both succeeded. Nothing is judged by it: a copy waits for nobody."""

    requests: int
    stable: Duration
    candidate: Duration


class Pairs(ApiModel):
    """Requests of which stable and candidate have both given an answer, and how these differ."""

    joined: int = 0
    different: int = Field(default=0, description="Different answers, those included that one of them failed.")
    candidate_failed: int = Field(default=0, description="The candidate alone failed.")
    stable_failed: int = Field(default=0, description="Stable alone failed.")
    both_failed: int = Field(default=0, description="Both failed; that is no difference.")
    classes: Classes | None = None
    numbers: Numbers | None = None
    durations: Durations | None = None

    @property
    def comparable(self) -> int:
        """How many there are without those that stable alone has failed: there is no answer to agree with."""
        return self.joined - self.stable_failed

    @property
    def disagreements(self) -> int:
        """How many of these differ; what the candidate alone has failed is a difference."""
        return self.different - self.stable_failed

    @property
    def counts(self) -> Pairs:
        """What is decided by, without how the answers differ."""
        return self.model_copy(update={"classes": None, "numbers": None, "durations": None})


class Disagreement(ApiModel):
    """The share of pairs that differ. The bounds hold at any time, each with its own alpha."""

    share: float
    at_least: float
    at_most: float
    statement: str = Field(description="All of this in a sentence.")
