"""What is sent and answered under /v1. Everything has a bound, and unknown fields are refused."""

import re
from collections.abc import Callable
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails, PydanticCustomError

from sluice_collector.answers import DEFAULT_TOLERANCE, Answer
from sluice_collector.latency import Latency
from sluice_collector.tally import Tally

MOST_ANSWERS = 1000
"""Or exposures, or outcomes, in a call."""
MOST_BYTES = 8 * 1024 * 1024
"""Of a body: a thousand answers with all their fields as long as they may be."""
MOST_PREDICTIONS = 64
LONGEST_PREDICTION = 64
LARGEST_NUMBER = 1e100
"""Sums of them stay finite."""
LARGEST_INTEGER = 2**64
"""Larger integers are taken as floats."""


def matching(pattern: str, sentence: str) -> Callable[[str], str]:
    """Return a check that a whole text has a form; the sentence says what to write."""
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise PydanticCustomError("form", "{sentence}", {"sentence": sentence})
        return value

    return check


RecordName = Annotated[
    str,
    Field(max_length=320),
    AfterValidator(
        matching(r"[a-z0-9]([-a-z0-9]{0,62})/[a-z0-9]([-.a-z0-9]{0,252})", "write NAMESPACE/NAME of the RolloutRecord")
    ),
]
Request = Annotated[
    str, AfterValidator(matching(r"[\x21-\x7e]{1,128}", "write 1 to 128 visible characters of ASCII, without spaces"))
]
Digest = Annotated[
    str, AfterValidator(matching(r"[-_A-Za-z0-9+/=:]{8,128}", "write a hash of 8 to 128 letters, digits and -_+/=:"))
]
Value = (
    bool
    | Annotated[int, Field(ge=-LARGEST_INTEGER, le=LARGEST_INTEGER)]
    | Annotated[float, Field(ge=-LARGEST_NUMBER, le=LARGEST_NUMBER, allow_inf_nan=False)]
    | Annotated[str, Field(max_length=LONGEST_PREDICTION)]
    | None
)
_VALUE = (
    f"write a number from -1e100 to 1e100, a string of at most {LONGEST_PREDICTION} characters, true, false or null"
)
_PLAINLY = {
    "extra_forbidden": "there is no such field, leave it out",
    "missing": "it is missing",
}


class Received(BaseModel):
    """Whatever comes from outside."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class ReceivedAnswer(Received):
    """One answer that a model server gave to a request that was sampled."""

    comparison: RecordName
    request: Request = Field(description="The request's x-request-id.")
    side: Literal["stable", "candidate"]
    status: int = Field(ge=100, le=599)
    seconds: float = Field(ge=0, le=86_400)
    predictions: list[Value] | None = Field(default=None, max_length=MOST_PREDICTIONS)
    digest: Digest | None = Field(default=None, description="In place of predictions that do not fit.")
    tolerance: float = Field(default=DEFAULT_TOLERANCE, ge=0, le=1)

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.predictions is not None and self.digest is not None:
            raise PydanticCustomError("both", "write either predictions or a digest")
        return self

    def answer(self) -> Answer:
        """As it is worked with inside."""
        fields = dict(self)
        predictions = fields.pop("predictions")
        return Answer(**fields, predictions=None if predictions is None else tuple(predictions))


class Batch(Received):
    """The body of POST /v1/answers."""

    answers: list[ReceivedAnswer] = Field(max_length=MOST_ANSWERS)


def sentence(error: ValidationError) -> str:
    """What is wrong with a body, and where, without repeating it."""
    errors = error.errors(include_url=False, include_input=False)
    where = list(dict.fromkeys(_place(one) for one in errors))
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in where[0]).lstrip(".")
    more = f" ({len(where) - 1} more like this)" if len(where) > 1 else ""
    message = _message(errors[0])
    return f"{path or 'the body'}: {message[0].lower()}{message[1:]}{more}."


def _place(error: ErrorDetails) -> tuple[int | str, ...]:
    """Of a prediction, without the kinds of values that were tried."""
    return error["loc"][: 4 if "predictions" in error["loc"] else None]


def _message(error: ErrorDetails) -> str:
    if "predictions" in error["loc"][:-1]:
        return _VALUE
    if error["type"] == "too_long":
        return f"write at most {error['ctx']['max_length']} {error['loc'][-1]}"
    return _PLAINLY.get(error["type"], error["msg"])


class Sent(BaseModel):
    """Whatever is answered."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


class Sides(Sent):
    """A count of each side."""

    stable: int
    candidate: int


class ClassCount(Sent):
    """How often stable said one label and the candidate the other."""

    stable: str
    candidate: str
    count: int


class Numbers(Sent):
    """Differences of numbers, candidate minus stable."""

    count: int
    mean_delta: float
    mean_abs_delta: float
    max_abs_delta: float


class Durations(Sent):
    """Of one side, in seconds, where both succeeded."""

    count: int
    mean: float
    p50: float
    p99: float


class SidesDurations(Sent):
    """Of both sides."""

    stable: Durations
    candidate: Durations


class ComparisonCounts(Sent):
    """The answer to GET /v1/comparisons/NAMESPACE/NAME; all counts only grow."""

    pairs: int
    disagreements: int
    stable_errors: int
    candidate_errors: int
    both_failed: int
    unpaired: Sides
    classes: list[ClassCount]
    numeric: Numbers
    latency: SidesDurations


def shown(tally: Tally) -> ComparisonCounts:
    """Counts as they are answered; the most frequent classes come first."""
    numeric = tally.numeric
    classes = [
        ClassCount(stable=stable, candidate=candidate, count=count)
        for stable, row in tally.flips.counts.items()
        for candidate, count in row.items()
    ]
    fields: dict[str, Any] = {
        name: getattr(tally, name)
        for name in ("pairs", "disagreements", "stable_errors", "candidate_errors", "both_failed")
    }
    return ComparisonCounts(
        **fields,
        unpaired=Sides(stable=tally.stable_unpaired, candidate=tally.candidate_unpaired),
        classes=sorted(classes, key=lambda one: (-one.count, one.stable, one.candidate)),
        numeric=Numbers(
            count=numeric.count,
            mean_delta=numeric.mean,
            mean_abs_delta=numeric.mean_size,
            max_abs_delta=numeric.largest,
        ),
        latency=SidesDurations(stable=_durations(tally.stable_latency), candidate=_durations(tally.candidate_latency)),
    )


def _durations(latency: Latency) -> Durations:
    return Durations(count=latency.count, mean=latency.mean, p50=latency.quantile(0.5), p99=latency.quantile(0.99))
