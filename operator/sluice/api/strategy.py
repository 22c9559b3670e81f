"""How a new revision takes over: the `strategy` part of a spec."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from sluice.api.ab_test import ABTest
from sluice.api.base import ApiModel, Duration, cel, validations
from sluice.api.matching import MOST_MATCHES, Match
from sluice.api.traffic import Hostname, PathPrefix


class Pause(ApiModel):
    """Wait for a time; without a duration until somebody promotes."""

    duration: Duration | None = Field(
        default=None, description="For example 45s, 10m or 1h30m. Left out: until sluice.dev/promote."
    )


class StepAnalysis(ApiModel):
    """Wait until every metric is proven safe; margins given here replace each metric's own at this step."""

    margin_absolute: float | None = Field(default=None, gt=0, lt=1)
    margin_ratio: float | None = Field(default=None, ge=1, le=100)
    min_requests: int | None = Field(default=None, ge=1, le=10_000_000)


class Mirror(ApiModel):
    """Copies of real requests for the candidate, whose answers reach nobody; both versions' answers are compared.

    The step is passed when its time is over and both limits are proven to be kept; a limit that is proven to be
    exceeded rolls back.
    """

    percent: int = Field(default=100, ge=1, le=100, description="Of the requests that are copied, at random.")
    sample: int = Field(
        default=100, ge=1, le=100, description="Percent of the requests that are compared, by their id."
    )
    duration: Duration | None = Field(default=None, description="How long at least. Default: until both are proven.")
    max_error_rate: float = Field(
        default=0.02, gt=0, lt=1, description="Share of requests that the candidate alone may fail."
    )
    max_disagreement: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="Share of the requests, but for those that stable alone fails, that may be answered differently. "
        "Default: any.",
    )
    min_pairs: int = Field(default=100, ge=1, le=10_000_000, description="Requests that both must have answered.")


class Step(ApiModel):
    """One step of a canary: exactly one of its fields."""

    set_weight: int | None = Field(default=None, ge=1, le=100, description="Percent of the traffic for the candidate.")
    pause: Pause | None = None
    analysis: StepAnalysis | None = None
    mirror: Mirror | None = None

    model_config = ApiModel.model_config | {
        "json_schema_extra": validations(
            cel(
                "[has(self.setWeight), has(self.pause), has(self.analysis), has(self.mirror)].filter(x, x).size() == 1",
                "a step is exactly one of setWeight, pause, analysis and mirror: write each as an item of its own",
            ),
        )
    }

    @property
    def title(self) -> str:
        """Say in a few letters what the step does, for status and messages."""
        if self.set_weight is not None:
            return f"setWeight {self.set_weight}"
        if self.pause is not None:
            return "pause"
        return "analysis" if self.mirror is None else f"mirror {self.mirror.percent}"


DEFAULT_STEPS = (
    Step(set_weight=10),
    Step(analysis=StepAnalysis(margin_absolute=0.02)),
    Step(set_weight=50),
    Step(analysis=StepAnalysis()),
)


# Each margin has evidence of its own, for each metric: this bounds what a RolloutRecord has to hold.
MOST_MARGINS = 10

# Of targeted requests, where nobody has chosen another limit.
MAX_MATCH_ERROR_RATE = 0.05


class Canary(ApiModel):
    """A small random share of the traffic first, then step by step everyone; whoever `match` names before them."""

    match: tuple[Match, ...] | None = Field(
        default=None,
        min_length=1,
        max_length=MOST_MATCHES,
        description="Requests that have one of these go to the candidate whatever its weight, as long as it has ready "
        "pods. They are no evidence: who asks for a version is no random sample.",
    )
    match_max_error_rate: float | None = Field(
        default=None, gt=0, lt=1,
        description="The candidate is rolled back when more of the requests that match are proven to fail. "
        f"Default: {MAX_MATCH_ERROR_RATE}.",
    )  # fmt: skip
    steps: tuple[Step, ...] = Field(
        default=DEFAULT_STEPS,
        min_length=1,
        max_length=50,
        json_schema_extra=validations(
            cel(
                "self.filter(s, has(s.setWeight)).map(s, s.setWeight).isSorted()",
                "the weights of the steps must rise: order the setWeight steps from the smallest to the largest",
            ),
            cel(
                "self.map(s, has(s.mirror) ? 0 : 1).isSorted()",
                "mirror steps must come before all others (then the candidate has requests of its own): order them so",
            ),
            cel(
                "!has(self[0].mirror) || !self.exists(s, !has(s.mirror))"
                " || has(self.filter(s, !has(s.mirror))[0].setWeight)",
                "after the mirror steps must come a setWeight: without traffic a pause or an analysis sees nothing",
            ),
            cel(
                "self.filter(s, has(s.analysis) && (has(s.analysis.marginAbsolute) || has(s.analysis.marginRatio)))"
                f".size() <= {MOST_MARGINS}",
                f"at most {MOST_MARGINS} analysis steps can have margins of their own: remove the margins "
                "where the metrics' own will do",
            ),
        ),
    )

    model_config = ApiModel.model_config | {
        "json_schema_extra": validations(
            cel(
                "has(self.match) || has(self.steps[0].setWeight) || has(self.steps[0].mirror)",
                "the first step must be a setWeight or a mirror: without traffic a pause or an analysis sees nothing; "
                "a pause may come first where match names who has the new version first",
            ),
            cel(
                "!has(self.match) || has(self.steps[0].setWeight)"
                " || (has(self.steps[0].pause) && self.steps.size() > 1 && has(self.steps[1].setWeight))",
                "with match the steps must begin with a setWeight, or with one pause and then a setWeight: "
                "without a random share of the traffic an analysis sees nothing",
            ),
            cel(
                "!has(self.matchMaxErrorRate) || has(self.match)",
                "matchMaxErrorRate is about the requests that match names: remove it, or write match too",
            ),
        )
    }

    @property
    def error_limit(self) -> float:
        """Return the share of targeted requests that may fail."""
        return MAX_MATCH_ERROR_RATE if self.match_max_error_rate is None else self.match_max_error_rate


class Preview(ApiModel):
    """Where the candidate is reached before it has traffic, through the same gateway: for tests, never for users."""

    hostnames: tuple[Hostname, ...] = Field(default=(), max_length=16)
    path_prefix: PathPrefix | None = Field(
        default=None,
        description="Removed before the model server. Default: that of `traffic`, on the hostnames given here.",
    )

    model_config = ApiModel.model_config | {
        "json_schema_extra": validations(
            cel(
                "has(self.pathPrefix) || (has(self.hostnames) && self.hostnames.size() > 0)",
                "a preview needs an address of its own: write for example pathPrefix: /penguins-preview, or hostnames",
            )
        )
    }


class Verify(ApiModel):
    """Hold all traffic on the new version until its error rate is proven below a limit; proven above: switch back."""

    max_error_rate: float = Field(default=0.02, gt=0, lt=1, description="Share of requests that may fail.")
    min_requests: int = Field(default=100, ge=1, le=10_000_000, description="Requests it must answer before.")


class BlueGreen(ApiModel):
    """Two whole environments: the new version is tested on the idle one, then all traffic is switched at once.

    After the switch stable has no traffic to compare with: `verify` judges by a limit, `analysis` has no part in it.
    """

    preview: Preview | None = None
    preview_replicas: int | None = Field(
        default=None, ge=1, le=1000, description="Pods of the candidate before the switch. Default: all of them."
    )
    pause: Pause | None = Field(
        default=None,
        description="How long to wait before the switch; {} until somebody promotes; left out: no pause.",
    )
    verify: Verify | None = Field(default=None, description="Left out: the new version is stable with the switch.")


class Then(StrEnum):
    """How a rollout goes on after its shadow."""

    CANARY = "Canary"
    PROMOTE = "Promote"
    HOLD = "Hold"


class Shadow(Mirror):
    """The new version gets copies of real requests only; users see nothing of it until it has shown itself."""

    then: Then = Field(
        default=Then.CANARY,
        description="Canary: by the default steps of a canary. Promote: all traffic at once. Hold: until somebody "
        "promotes, then all traffic at once.",
    )


class Recreate(ApiModel):
    """The old version down, then the new one up: needs no spare capacity, and nobody serves in between.

    Nothing can be compared, so that `analysis` has no part in it: a version that never gets ready is rolled back, which
    is the same backwards.
    """


STRATEGIES = ("canary", "blueGreen", "shadow", "abTest", "recreate")


class Strategy(ApiModel):
    """How a new revision takes over: exactly one of its fields."""

    canary: Canary | None = None
    blue_green: BlueGreen | None = None
    shadow: Shadow | None = None
    ab_test: ABTest | None = None
    recreate: Recreate | None = None

    model_config = ApiModel.model_config | {
        "json_schema_extra": validations(
            cel(
                f"[{', '.join(f'has(self.{name})' for name in STRATEGIES)}].filter(x, x).size() == 1",
                f"a strategy is exactly one of {', '.join(STRATEGIES)}: write for example strategy: {{canary: {{}}}}",
            ),
        )
    }

    @property
    def steps(self) -> tuple[Step, ...]:
        """Return the steps of a canary that the candidate goes through, now or later; none where there are none."""
        if self.canary:
            return self.canary.steps
        return DEFAULT_STEPS if self.shadow and self.shadow.then is Then.CANARY else ()

    @property
    def kind(self) -> str:
        """Return the discriminator: the name of the one field that is set."""
        return next(name for name, value in self.to_kubernetes().items() if value is not None)
