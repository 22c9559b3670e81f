"""A/B tests: the `abTest` strategy of a spec. Which version is better for users is told by what users do."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum

from pydantic import Field

from sluice.api.base import DURATION_PATTERN, ApiModel, Duration, cel, matching, validations
from sluice.api.model import ModelVersion

LONGEST_WINDOW = "1080h"  # for longer the collector is not to be asked
MOST_VARIANTS = 4  # beside the candidate: a route has room for no more pieces
CANDIDATE = "candidate"  # what `model` names is called so, beside variants


class Direction(StrEnum):
    """Which way is better."""

    INCREASE = "Increase"
    DECREASE = "Decrease"


class Aggregate(StrEnum):
    """What a unit's outcomes are made into: one number for each unit."""

    SUM = "Sum"
    MEAN = "Mean"


class OnWinner(StrEnum):
    """What happens when the candidate is proven to be better."""

    PROMOTE = "Promote"
    HOLD = "Hold"
    NOTIFY = "Notify"


class Primary(ApiModel):
    """The one metric that decides, an outcome that clients feed back."""

    metric: str = matching(
        r"^[a-z0-9._-]+$",
        "the name of an outcome has lower-case letters, digits, '-', '_' and '.' only: write for example conversion",
        max_length=63,
    )
    direction: Direction = Field(default=Direction.INCREASE, description="Which way is better.")
    aggregate: Aggregate = Field(
        default=Aggregate.SUM,
        description="Of the outcomes of each user. Sum: a user without any counts 0. Mean: he does not count.",
    )
    window: Duration = Field(
        default=timedelta(minutes=10),
        description="A user counts once this has passed since he first came; outcomes after it do not count for him.",
        json_schema_extra={"default": "10m"},
    )


class Variant(ApiModel):
    """A version that is tested beside the candidate."""

    name: str = matching(
        r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        "the name of a variant has lower-case letters, digits and '-' only: write for example large",
        max_length=30,
    )
    model: ModelVersion
    weight: int = Field(ge=1, le=98, description="Percent of the users who get it.")

    model_config = ApiModel.model_config | {
        "json_schema_extra": validations(
            cel(
                f"!(self.name in ['{CANDIDATE}', 'stable'])",
                "stable is what serves now, and candidate what spec.model names: name a variant otherwise",
            )
        )
    }


def _is_duration(field: str) -> str:
    return f"self.{field} != '' && self.{field}.matches(r'{DURATION_PATTERN}')"


def _lasts(field: str, relation: str, bound: str) -> str:
    """Return the rule of how long a time is; what is no duration is refused elsewhere."""
    return f"!({_is_duration(field)}) || duration(self.{field}) {relation} duration('{bound}')"


def _shorter(one: str, other: str) -> str:
    """Return the rule that one time is shorter than another; what is no duration is refused elsewhere."""
    are_durations = f"{_is_duration(one)} && {_is_duration(other)}"
    return f"!({are_durations}) || duration(self.{one}) < duration(self.{other})"


class ABTest(ApiModel):
    """A share of the users gets the new version and stays with it, until it is proven to be better, or worse.

    `analysis` guards: harm that is proven rolls back, and a winner must be proven safe too. The test is settled before
    it begins: whoever changes it begins another one.
    """

    weight: int = Field(default=50, ge=1, le=99, description="Percent of the users who get the candidate.")
    variants: tuple[Variant, ...] = Field(
        default=(),
        max_length=MOST_VARIANTS,
        description="Further versions that are tested at the same time, each against stable. The best one that is "
        "proven to be better wins; one that is worse or does harm is dropped, and its users go to stable.",
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )
    primary: Primary
    min_units: int = Field(
        default=200, ge=20, le=10_000_000,
        description="Users (without traffic.sticky: requests) that must count of each version before anything is "
        "concluded.",
    )  # fmt: skip
    min_duration: Duration = Field(
        default=timedelta(hours=1), description="How long at least.", json_schema_extra={"default": "1h"}
    )
    max_duration: Duration = Field(
        default=timedelta(hours=336),
        description="How long at most; without a winner by then stable stays.",
        json_schema_extra={"default": "336h"},
    )
    on_winner: OnWinner = Field(
        default=OnWinner.PROMOTE,
        description="Promote: the candidate becomes stable. Hold: when somebody promotes. Notify: that is told, the "
        "test is over, and stable stays.",
    )

    @property
    def challengers(self) -> int:
        """How many versions may be compared with stable."""
        return 1 + len(self.variants)

    model_config = ApiModel.model_config | {
        "json_schema_extra": validations(
            cel(
                "!has(self.variants) || self.weight + self.variants.map(v, v.weight).sum() < 100",
                "weight and the weights of the variants leave nobody to stable, with which all are compared: set them "
                "so that all together are below 100",
            ),
            cel(
                _shorter("minDuration", "maxDuration"),
                "a test must be allowed to last longer than it has to: raise maxDuration above minDuration",
            ),
            cel(
                _shorter("primary.window", "maxDuration"),
                "nobody counts before primary.window has passed: raise maxDuration above it",
            ),
            cel(
                _lasts("primary.window", ">=", "1s"),
                "in no time no outcome can come: raise primary.window to 1s or more, to what users need to act",
            ),
            cel(
                _lasts("primary.window", "<=", LONGEST_WINDOW),
                f"the collector keeps nothing for longer: shorten primary.window to {LONGEST_WINDOW} (45 days)",
            ),
        )
    }
