"""What Sluice keeps of a rollout: a RolloutRecord, written by the operator alone, that survives its ModelDeployment."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import Field

from sluice.api.base import ApiModel, Time, without_empty
from sluice.api.pairs import Disagreement, Pairs
from sluice.api.status import (
    Answered,
    Counts,
    Identified,
    Revision,
    ServicePods,
    TestCounts,
    TestSummary,
    Verdict,
)

RECORD_KIND = "RolloutRecord"
RECORD_PLURAL = "rolloutrecords"

_OPEN: dict[str, Any] = {"x-kubernetes-preserve-unknown-fields": True}


class RolloutOutcome(StrEnum):
    """How a rollout ended."""

    IN_PROGRESS = "InProgress"
    PROMOTED = "Promoted"
    ROLLED_BACK = "RolledBack"
    SUPERSEDED = "Superseded"
    NO_WINNER = "NoWinner"
    WINNER = "Winner"  # and not promoted


class Cursor(ApiModel):
    """Up to where one container's counters have been taken into the evidence."""

    start: str = Field(description="Start of the container run, as the server reports it.")
    requests: int
    errors: int
    durations: tuple[int, ...] | None = Field(
        default=None, description="Answers whose duration is known, and how many took longer than each of `edges`."
    )
    users: bool = Field(default=False, description="What is counted are users, not requests.")
    with_id: int | None = Field(default=None, description="Requests that said whose they are.")
    without_id: int | None = Field(default=None, description="Requests that did not.")


class MetricEvidence(ApiModel):
    """The running evidence of one metric at one margin."""

    metric: str
    state: dict[str, Any] = Field(json_schema_extra=_OPEN)
    closed: tuple[float, ...] = Field(
        default=(), description="Where users stick to a version in a canary: log e-values of harm at earlier weights."
    )


class TargetedCount(ApiModel):
    """What the candidate answered to requests that were sent to it on purpose."""

    total: Answered = Answered()
    cursors: dict[str, Cursor] = Field(default_factory=dict, description="By pod UID, of targeted requests only.")


class PodShare(ApiModel):
    """A share of the pods behind the Service that the candidate has, or had."""

    share: float
    until: Time | None = Field(default=None, description="When another one was first seen in its place.")


class Evidence(ApiModel):
    """What has been counted for one candidate. Written as a whole: nothing is counted twice, whoever dies when."""

    total: Counts = Counts()
    at_weight: Counts = Counts()
    weight_since: Time | None = Field(default=None, description="When the weight of `atWeight` was set.")
    window: int | None = Field(default=None, description="The weight that `metrics` are of, where each has its own.")
    since: Time | None = Field(default=None, description="Pods younger than this count from zero.")
    counted_at: Time | None = Field(default=None, description="When requests were last taken in.")
    pairs: Pairs | None = Field(default=None, description="Of copied requests, as the collector counts them.")
    test: TestCounts | None = Field(default=None, description="Of an A/B test, as the collector counts it.")
    cursors: dict[str, Cursor] = Field(default_factory=dict, description="By pod UID.")
    cuts: tuple[int, ...] = Field(default=(), description="Cells of stable's durations at which arms are compared.")
    edges: tuple[int, ...] = Field(default=(), description="Cells above which cursors count.")
    metrics: tuple[MetricEvidence, ...] = ()
    identified: Identified | None = Field(default=None, description="Where users stick to a version.")
    sample_ratio: dict[str, Any] | None = Field(default=None, json_schema_extra=_OPEN)
    sample_pods: str | None = Field(
        default=None, description="Where users stick to a version in a canary: the pods that `sampleRatio` is of."
    )
    targeted: TargetedCount | None = None
    pod_shares: tuple[PodShare, ...] = Field(
        default=(), description="Without a gateway: by which shares requests may be split that are not counted yet."
    )
    looked_at: Time | None = Field(default=None, description="When these were last looked at.")


class Period(ApiModel):
    """A time at one weight, and what was counted in it."""

    weight: int
    since: Time
    until: Time | None = None
    counts: Counts = Counts()


class MetricStanding(ApiModel):
    """How one metric stood."""

    name: str
    harm: float = Field(description="Share of a proof, by this metric alone.")
    safe: float = Field(description="Share of a proof.")


class Inputs(ApiModel):
    """What a decision was made from."""

    wanted: str | None = Field(default=None, description="The model version that the URI names, or why there is none.")
    replicas: int
    stable_ready: int
    candidate_ready: int
    live_weight: int | None = Field(default=None, description="The candidate's weight that the gateway has taken.")
    service_pods: ServicePods | None = Field(default=None, description="Without a gateway: who has had which share.")
    total: Counts = Counts()
    at_weight: Counts = Counts()
    pairs: Pairs | None = Field(default=None, description="Of copied requests; only the counts.")
    disagreement: Disagreement | None = Field(default=None, description="Of copied requests.")
    harm: float | None = Field(default=None, description="Share of a proof.")
    safe: float | None = Field(default=None, description="Share of a proof.")
    metrics: tuple[MetricStanding, ...] = ()
    targeted: Answered | None = Field(default=None, description="Requests that match `canary.match`.")
    test: TestSummary | None = Field(default=None, description="Of an A/B test.")
    variants: tuple[VariantInputs, ...] = Field(default=(), description="Of an A/B test, beside the candidate.")
    unreachable_pods: int = Field(default=0, description="Ready pods whose metrics could not be read.")
    wish: str | None = Field(default=None, description="The action that a person asked for.")


class VariantInputs(ApiModel):
    """How a further version of an A/B test stood."""

    name: str
    ready: int
    total: Counts = Counts()
    harm: float | None = None
    safe: float | None = None
    test: TestSummary | None = None


class Decision(ApiModel):
    """One decision: by which rule, from what, with what result."""

    number: int
    at: Time
    rule: str
    reason: str
    message: str
    told: bool = Field(default=False, description="Whether there is an Event of it.")
    warning: bool = Field(default=False, description="Whether that is a warning.")
    actor: str | None = Field(default=None, description="Who asked for it, if a person did.")
    step: str | None = None
    weight: int = Field(default=0, description="The candidate's percent of the traffic after the decision.")
    verdict: Verdict | None = None
    inputs: Inputs


class VariantPlan(ApiModel):
    """A version of an A/B test with variants, as it was settled."""

    name: str
    revision: Revision
    weight: int


class VariantRecord(ApiModel):
    """What became of a version of an A/B test with variants; of the candidate `evidence` is that of the rollout."""

    name: str
    revision: str
    outcome: RolloutOutcome = RolloutOutcome.IN_PROGRESS
    cause: str | None = None
    message: str | None = None
    statement: str | None = Field(default=None, description="How it compared with stable, and how sure that is.")
    evidence: Evidence | None = None


class RolloutRecordSpec(ApiModel):
    """Which rollout this is; never changes."""

    model_deployment: str
    uid: str = Field(description="Of the ModelDeployment.")
    strategy: str
    unit: str | None = Field(default=None, description="What is assigned: users by an id, or requests.")
    stable: Revision | None = None
    candidate: Revision
    variants: tuple[VariantPlan, ...] = Field(default=(), description="All that are tested, the candidate included.")
    started_at: Time


class RolloutRecordStatus(ApiModel):
    """What happened."""

    outcome: RolloutOutcome = RolloutOutcome.IN_PROGRESS
    cause: str | None = None
    message: str | None = None
    finished_at: Time | None = None
    decisions: tuple[Decision, ...] = ()
    dropped: int = Field(default=0, description="Decisions left out for want of room, from the middle.")
    periods: tuple[Period, ...] = ()
    evidence: Evidence = Evidence()
    disagreement: Disagreement | None = Field(default=None, description="Of copied requests, at the last look.")
    variants: tuple[VariantRecord, ...] = ()

    def to_kubernetes(self) -> dict[str, Any]:
        """Return the JSON form without empty lists and maps."""
        return without_empty(super().to_kubernetes())


class RolloutRecord(ApiModel):
    """All of it."""

    spec: RolloutRecordSpec
    status: RolloutRecordStatus = RolloutRecordStatus()
