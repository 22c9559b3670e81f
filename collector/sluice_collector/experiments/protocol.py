"""What is sent and answered of A/B tests under /v1."""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from sluice_collector.experiments.exposures import Exposure
from sluice_collector.experiments.outcomes import Outcome, Subject
from sluice_collector.experiments.sums import Results
from sluice_collector.protocol import MOST_ANSWERS, Received, RecordName, Request, Sent, matching

LARGEST_VALUE = 1e12
LONGEST_WINDOW = 45 * 86_400
"""Seconds."""

Unit = Annotated[str, AfterValidator(matching(r"[0-9a-f]{32}", "write 32 hexadecimal digits in lower case"))]
Revision = Annotated[
    str, AfterValidator(matching(r"[a-z0-9][-.a-z0-9]{0,252}", "write the name of the version's revision"))
]
Metric = Annotated[
    str,
    AfterValidator(
        matching(r"[-a-z0-9_.]{1,63}", "write 1 to 63 lower-case letters, digits, hyphens, dots and underscores")
    ),
]
KeyText = Annotated[
    str, AfterValidator(matching(r"[\x21-\x7e]{0,128}", "write at most 128 visible characters of ASCII"))
]


class ReceivedExposure(Received):
    """One request that a version answered."""

    experiment: RecordName
    unit: Unit = Field(description="Hash of the user's id.")
    revision: Revision
    request: Request = Field(description="The request's x-request-id.")

    def exposure(self) -> Exposure:
        """As it is worked with inside."""
        return Exposure(**dict(self))


class ExposureBatch(Received):
    """The body of POST /v1/exposures."""

    exposures: list[ReceivedExposure] = Field(max_length=MOST_ANSWERS)


class ReceivedOutcome(Received):
    """Something that became of a user."""

    experiment: RecordName
    metric: Metric
    value: float = Field(ge=-LARGEST_VALUE, le=LARGEST_VALUE, allow_inf_nan=False)
    request: Request | None = Field(default=None, description="Of a prediction that the user got.")
    unit: Unit | None = Field(default=None, description="In place of a request: hash of the user's id.")
    key: KeyText = Field(default="", description="Tells several outcomes of a unit apart.")

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.request is None) == (self.unit is None):
            raise PydanticCustomError("both", "write either request or unit")
        return self

    def outcome(self) -> Outcome:
        """As it is worked with inside."""
        subject: Subject = ("request", self.request or "") if self.unit is None else ("unit", self.unit)
        return Outcome(self.experiment, self.metric, self.value, subject, self.key)


class OutcomeBatch(Received):
    """The body of POST /v1/outcomes."""

    outcomes: list[ReceivedOutcome] = Field(max_length=MOST_ANSWERS)


class Question(BaseModel):
    """The query of GET /v1/experiments/NAMESPACE/NAME."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    metric: Metric
    aggregate: Literal["sum", "mean"]
    window: float = Field(ge=0, le=LONGEST_WINDOW, description="Seconds.")


class VersionResults(Sent):
    """Of one revision."""

    units: int
    matured: int
    total: float
    squares: float
    crossed: int


class ExperimentResults(Sent):
    """The answer to GET /v1/experiments/NAMESPACE/NAME."""

    versions: dict[str, VersionResults]
    incomplete: bool
    missed: int


def shown(results: Results) -> ExperimentResults:
    """Results as they are answered."""
    versions = {revision: VersionResults(**vars(version)) for revision, version in sorted(results.versions.items())}
    return ExperimentResults(versions=versions, incomplete=results.incomplete, missed=results.missed)
