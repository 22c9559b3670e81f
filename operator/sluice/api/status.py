"""What Sluice answers: the `status` of a ModelDeployment. It stores facts; everything else is derived."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import Field

from sluice.api.base import ApiModel, Time, without_empty
from sluice.api.outcomes import GateOutcome
from sluice.api.pairs import Disagreement, Pairs


class Verdict(StrEnum):
    """How the analysis of a candidate stands."""

    RUNNING = "Running"
    SUCCESSFUL = "Successful"
    FAILED = "Failed"
    INCONCLUSIVE = "Inconclusive"
    ERROR = "Error"
    NO_WINNER = "NoWinner"
    WINNER = "Winner"


class ConditionStatus(StrEnum):
    """The three values of a condition."""

    TRUE = "True"
    FALSE = "False"
    UNKNOWN = "Unknown"


class Condition(ApiModel):
    """One observation, in the form of the Kubernetes API conventions."""

    type: str
    status: ConditionStatus
    reason: str
    message: str = ""
    observed_generation: int = 0
    last_transition_time: Time


class Revision(ApiModel):
    """A revision: what the user says about pods, plus the resolved model and the resolved server image."""

    name: str = Field(description="The hash that identifies it; its objects are named MODELDEPLOYMENT-HASH.")
    model_name: str
    model_version: str
    digest: str
    image: str
    source: str | None = Field(
        default=None, description="Where the files are, if not with this version in the registry."
    )

    @property
    def title(self) -> str:
        """Name it as people know it, for example `penguins/7`."""
        return f"{self.model_name}/{self.model_version}"


class Retired(ApiModel):
    """A revision that takes no more traffic: kept warm until a moment, then scaled to zero, in the end forgotten."""

    revision: Revision
    scale_down_at: Time
    was_stable: bool = Field(default=False, description="It had all traffic once: while warm it comes back at once.")


class Rejected(ApiModel):
    """A revision that failed, or whose test ended with stable as it is; it is not rolled out again until `retry`."""

    revision: Revision
    reason: str
    message: str
    at: Time


class Counts(ApiModel):
    """Requests of both arms."""

    stable_requests: int = 0
    stable_errors: int = 0
    candidate_requests: int = 0
    candidate_errors: int = 0


class UnitCounts(ApiModel):
    """The units of one version in an A/B test: users, or requests."""

    units: int = Field(default=0, description="That came to this version first.")
    matured: int = Field(default=0, description="Of which the window has passed, and that have a value.")
    total: float = Field(default=0.0, description="Sum of the values of those.")
    squares: float = Field(default=0.0, description="Sum of their squares.")
    crossed: int = Field(default=0, description="That were also seen at another version.")


class ArmCounts(ApiModel):
    """The units of both versions in an A/B test."""

    control: UnitCounts = UnitCounts()
    treatment: UnitCounts = UnitCounts()


class TestCounts(ArmCounts):
    """An A/B test, as the collector counts it: all since it began."""

    parts: tuple[ArmCounts, ...] = Field(
        default=(),
        description="What had been counted each time that another version had left, so that stable had more.",
    )
    incomplete: bool = Field(default=False, description="The collector had to forget some of it.")


class TestSummary(ApiModel):
    """An A/B test in short. The bounds hold at any time, each with its own alpha."""

    metric: str
    unit: str = Field(description="What is assigned: users by a header or a cookie, or requests.")
    counts: TestCounts = TestCounts()
    better: float | None = Field(default=None, description="By how much the candidate is better; below 0: worse.")
    at_least: float | None = Field(default=None, description="It is better by at least this much.")
    at_most: float | None = Field(default=None, description="It is better by at most this much.")
    statement: str = Field(default="", description="All of this in a sentence.")


class Answered(ApiModel):
    """Requests of one revision."""

    requests: int = 0
    errors: int = 0


class Identified(ApiModel):
    """Requests where users are to stick to a version: those that say whose they are, and those that don't."""

    with_id: int = 0
    without_id: int = Field(default=0, description="Each is drawn anew, and counts as a user of its own.")
    notable: bool = Field(default=False, description="These were once so many that people were told.")


class Summary(ApiModel):
    """The evidence for and against the candidate in short; all of it is in the RolloutRecord."""

    total: Counts = Counts()
    at_weight: Counts = Field(default=Counts(), description="Since the candidate has its present weight.")
    pairs: Pairs | None = Field(default=None, description="Of copied requests.")
    disagreement: Disagreement | None = Field(default=None, description="Of copied requests.")
    harm: float | None = Field(default=None, description="Share of a proof that the candidate does harm; 1 is a proof.")
    safe: float | None = Field(default=None, description="Share of a proof of safety within the step's margin.")
    targeted: Answered | None = Field(
        default=None, description="Requests that match `canary.match`; no part of the evidence."
    )
    test: TestSummary | None = Field(default=None, description="Of an A/B test.")
    identified: Identified | None = Field(default=None, description="Where users stick to a version.")


class GateResult(ApiModel):
    """A gate that was answered."""

    name: str
    outcome: GateOutcome
    message: str = ""
    at: Time


class ServicePods(ApiModel):
    """Pods that the Service leads to, where no gateway splits the traffic: each has as much of it."""

    candidate: int
    stable: int


class Variant(ApiModel):
    """A version of an A/B test with variants; its name is as in the spec."""

    name: str
    revision: Revision
    weight: int = Field(description="Percent of the users whom it gets as long as the test goes on.")
    lost_at: Time | None = Field(default=None, description="Since when it has no ready pod, in a test that has begun.")
    dropped: str | None = Field(default=None, description="Why it is no more in the test.")
    dropped_at: Time | None = None
    message: str | None = None
    evidence: Summary = Summary()


class Rollout(ApiModel):
    """The rollout in progress."""

    revision: Revision
    started_at: Time
    step_index: int = Field(default=0, description="Counted from 0; the number of steps means: promoting.")
    step_started_at: Time
    weight: int = Field(default=0, description="Percent of the traffic that the candidate is to have.")
    weight_changed_at: Time | None = None
    weight_live_at: Time | None = Field(default=None, description="When the gateway was seen to have taken the weight.")
    weights_before: tuple[int, ...] = Field(
        default=(), description="Weights by which requests may still have been split after the last change."
    )
    window: int | None = Field(
        default=None, description="Where users stick to a version in a canary: how many of its weights were reached."
    )
    steps: str = Field(default="", description="Hash of the steps begun so far; if these change, they begin again.")
    inconclusive: bool = Field(default=False, description="The step's deadline passed without a proof.")
    paused_at: Time | None = Field(default=None, description="The step's clock stands still since then.")
    direct: bool = Field(default=False, description="Takes all traffic once its pods can carry it, without steps.")
    gates: tuple[GateResult, ...] = Field(default=(), description="The gates that were answered.")
    gate_round: int = Field(default=0, description="How often all gates were asked anew.")
    evidence: Summary = Summary()
    variants: tuple[Variant, ...] = Field(
        default=(),
        description="All versions that are compared with stable, in the order in which users are assigned. The first "
        "that was not dropped is `revision`, which all else here is about.",
    )
    service_pods: ServicePods | None = Field(
        default=None, description="Without a gateway: the split as it is; `weight` is what was asked for."
    )

    @property
    def percent(self) -> int:
        """Percent of the traffic that the candidate has: its weight, or what pods can make of it, rounded."""
        pods = self.service_pods
        if pods is None or not 0 < self.weight < 100 or not pods.candidate + pods.stable:
            return self.weight
        return round(100 * pods.candidate / (pods.candidate + pods.stable))


class Demand(ApiModel):
    """Pods that all traffic needs, held while autoscalers see only a part of it."""

    pods: int = Field(description="The most that stable has had since the rollout began.")
    until: Time | None = Field(default=None, description="When the autoscalers can tell again; empty: in a rollout.")


class LastAction(ApiModel):
    """The answer to the last wish that came by annotation."""

    action: str
    revision: str
    outcome: str
    actor: str | None = Field(default=None, description="Who asked, as far as that is known.")
    at: Time
    pending: bool = Field(default=True, description="The annotation is still to be taken off the object.")


class ModelDeploymentStatus(ApiModel):
    """The observed state."""

    observed_generation: int = 0
    stable: Revision | None = None
    rollout: Rollout | None = None
    retired: tuple[Retired, ...] = ()
    rejected: tuple[Rejected, ...] = Field(default=(), description="Newest last.")
    returning_to: Revision | None = Field(
        default=None,
        description="A person wants this revision without another proof: an earlier one, or one that has won its test; "
        "until it is stable nothing else counts.",
    )
    down_since: Time | None = Field(
        default=None, description="No version serves since a recreate has stopped the old one."
    )
    demand: Demand | None = Field(
        default=None, description="With autoscaling: no version that has all traffic gets fewer pods than this."
    )
    preview: str | None = Field(
        default=None, description="The revision that the preview route leads to, as long as there is one."
    )
    targeted: str | None = Field(
        default=None, description="The revision that the route of `canary.match` leads to, as long as there is one."
    )
    gating: str | None = Field(default=None, description="The round of gates of which some may still be asked.")
    promoted_alias: str | None = Field(
        default=None, description="The alias that was written back to the registry, as ALIAS@REVISION."
    )
    record: str | None = Field(default=None, description="The RolloutRecord of the present or the last rollout.")
    rollouts: int = Field(default=0, description="Rollouts begun so far.")
    decisions: int = Field(default=0, description="Decisions in the record that hold.")
    last_action: LastAction | None = None
    # For people and printer columns; never read back.
    strategy: str | None = None
    uri: str | None = None
    model: str | None = Field(default=None, description="The model version that is stable, as NAME/VERSION.")
    candidate: str | None = Field(default=None, description="The model version that is rolled out, as NAME/VERSION.")
    challengers: str | None = Field(default=None, description="The versions that are rolled out, or tested, in short.")
    weight: int | None = None
    step: str | None = None
    verdict: Verdict | None = None
    ready: str | None = Field(default=None, description="Ready pods of those wanted, stable + candidate.")
    message: str | None = None
    replicas: int | None = None
    selector: str | None = None
    conditions: tuple[Condition, ...] = Field(
        default=(), json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]}
    )

    def to_kubernetes(self) -> dict[str, Any]:
        """Return the JSON form without empty lists and maps.

        When an apply leaves a map empty that it had filled before, the API server makes null of it, and then refuses
        that; a field that is left out is simply gone.
        """
        return without_empty(super().to_kubernetes())

    def condition(self, kind: str) -> Condition | None:
        """Return the condition of a type, if it is there."""
        return next((c for c in self.conditions if c.type == kind), None)
