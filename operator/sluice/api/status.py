"""What Sluice answers: the `status` of a ModelDeployment. It stores facts; everything else is derived."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import Field

from sluice.api.base import ApiModel, Time


class Verdict(StrEnum):
    """How the analysis of a candidate stands."""

    RUNNING = "Running"
    SUCCESSFUL = "Successful"
    FAILED = "Failed"
    INCONCLUSIVE = "Inconclusive"
    ERROR = "Error"


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


class Retired(ApiModel):
    """A revision that takes no more traffic: kept warm until a moment, then scaled to zero, in the end forgotten."""

    revision: Revision
    scale_down_at: Time


class Rejected(ApiModel):
    """A revision that failed; it is not rolled out again until `retry`, or until something else was wanted."""

    revision: Revision
    reason: str
    message: str
    at: Time


class Cursor(ApiModel):
    """Up to where one container's counters have been taken into the evidence."""

    start: str = Field(description="Start of the container run, as the server reports it.")
    requests: int
    errors: int


class MetricEvidence(ApiModel):
    """The running evidence of one metric at one margin."""

    metric: str
    state: dict[str, Any] = Field(json_schema_extra={"x-kubernetes-preserve-unknown-fields": True})


class Counts(ApiModel):
    """Requests of both arms."""

    stable_requests: int = 0
    stable_errors: int = 0
    candidate_requests: int = 0
    candidate_errors: int = 0


class Evidence(ApiModel):
    """What has been counted for the current candidate. Survives a restart of the operator."""

    total: Counts = Counts()
    at_weight: Counts = Counts()
    cursors: dict[str, Cursor] = Field(default_factory=dict, description="By pod UID.")
    metrics: tuple[MetricEvidence, ...] = ()
    sample_ratio: dict[str, Any] | None = Field(
        default=None, json_schema_extra={"x-kubernetes-preserve-unknown-fields": True}
    )
    counted_at: Time | None = Field(default=None, description="When requests were last taken in.")


class Rollout(ApiModel):
    """The rollout in progress."""

    revision: Revision
    started_at: Time
    step_index: int = Field(default=0, description="Counted from 0; the number of steps means: promoting.")
    step_started_at: Time
    weight: int = Field(default=0, description="Percent of the traffic that the route gives the candidate.")
    weight_changed_at: Time | None = None
    weight_live_at: Time | None = Field(default=None, description="When the gateway was seen to have taken the weight.")
    weights_before: tuple[int, ...] = Field(
        default=(), description="Weights by which requests may still have been split after the last change."
    )
    steps: str = Field(default="", description="Hash of the steps begun so far; if these change, they begin again.")
    inconclusive: bool = Field(default=False, description="The step's deadline passed without a proof.")
    paused_at: Time | None = Field(default=None, description="The step's clock stands still since then.")
    evidence: Evidence = Evidence()


class LastAction(ApiModel):
    """The answer to the last wish that came by annotation."""

    action: str
    revision: str
    outcome: str
    at: Time
    pending: bool = Field(default=True, description="The annotation is still to be taken off the object.")


class ModelDeploymentStatus(ApiModel):
    """The observed state."""

    observed_generation: int = 0
    stable: Revision | None = None
    rollout: Rollout | None = None
    retired: tuple[Retired, ...] = ()
    rejected: Rejected | None = None
    last_action: LastAction | None = None
    # For people and printer columns; never read back.
    strategy: str | None = None
    uri: str | None = None
    model: str | None = Field(default=None, description="The model version that is stable, as NAME/VERSION.")
    candidate: str | None = Field(default=None, description="The model version that is rolled out, as NAME/VERSION.")
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
        filled: dict[str, Any] = _filled(super().to_kubernetes())
        return filled

    def condition(self, kind: str) -> Condition | None:
        """Return the condition of a type, if it is there."""
        return next((c for c in self.conditions if c.type == kind), None)


# What the statistics store is theirs: an empty list in there may mean something.
_OPAQUE = ("state", "sampleRatio")


def _filled(value: Any) -> Any:
    if isinstance(value, list):
        return [_filled(item) for item in value]
    if not isinstance(value, dict):
        return value
    pairs = {key: item if key in _OPAQUE else _filled(item) for key, item in value.items()}
    return {key: item for key, item in pairs.items() if item not in ({}, [])}
