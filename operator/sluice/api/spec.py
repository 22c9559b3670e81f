"""What a user writes: the `spec` of a ModelDeployment."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, WithJsonSchema

from sluice.api.autoscaling import SPEC_RULES as AUTOSCALING_RULES
from sluice.api.autoscaling import Autoscaling
from sluice.api.base import ApiModel, Name, NotBuiltYet, cel, matching, validations
from sluice.api.gates import SPEC_RULES as GATES_RULES
from sluice.api.gates import Gates
from sluice.api.model import ModelSource
from sluice.api.strategy import Canary, Strategy
from sluice.api.traffic import SPEC_RULES as TRAFFIC_RULES
from sluice.api.traffic import Traffic

Quantity = Annotated[
    str,
    Field(coerce_numbers_to_str=True),
    WithJsonSchema({"x-kubernetes-int-or-string": True}),
]

QUANTITIES = validations(
    cel(
        "self.all(k, isQuantity(string(self[k])) && !string(self[k]).startsWith('-'))",
        "these are not quantities of Kubernetes: write for example cpu: 500m and memory: 1Gi",
    )
)


class ResourceRequirements(ApiModel):
    """Compute resources, as in any container."""

    requests: dict[str, Quantity] = Field(
        default_factory=lambda: {"cpu": "100m", "memory": "256Mi"}, max_length=8, json_schema_extra=QUANTITIES
    )
    limits: dict[str, Quantity] = Field(
        default_factory=lambda: {"memory": "1Gi"}, max_length=8, json_schema_extra=QUANTITIES
    )

    model_config = ApiModel.model_config | {
        "json_schema_extra": validations(
            cel(
                "!has(self.requests) || !has(self.limits) || ['cpu', 'memory'].all(k,"
                " !(k in self.requests) || !(k in self.limits)"
                " || !isQuantity(string(self.requests[k])) || !isQuantity(string(self.limits[k]))"
                " || !quantity(string(self.requests[k])).isGreaterThan(quantity(string(self.limits[k]))))",
                "a request is above its limit: raise it in server.resources.limits too (memory is limited to 1Gi "
                "unless you say otherwise)",
            )
        )
    }


class ObjectRef(ApiModel):
    """An object in the namespace of the ModelDeployment."""

    name: Name


class EnvSource(ApiModel):
    """Environment variables from one object: exactly one of its fields."""

    secret_ref: ObjectRef | None = None
    config_map_ref: ObjectRef | None = None

    model_config = ApiModel.model_config | {
        "json_schema_extra": validations(
            cel(
                "has(self.secretRef) != has(self.configMapRef)",
                "write exactly one of secretRef and configMapRef, for example secretRef: {name: s3-credentials}",
            )
        )
    }


class Server(ApiModel):
    """How the model server runs; a change of any of this is a new revision."""

    image: str | None = Field(
        default=None, min_length=1, max_length=500, description="The model server's image; default: the operator's."
    )
    workers: int = Field(default=1, ge=1, le=64, description="Processes; about the CPU limit.")
    threads: int = Field(default=4, ge=1, le=64, description="Threads of each process.")
    resources: ResourceRequirements = ResourceRequirements()
    trust_pickle: bool = Field(
        default=False, description="Load pickled models too. Only for artifacts you trust: a pickle runs code."
    )
    env_from: tuple[EnvSource, ...] = Field(
        default=(),
        max_length=16,
        description="Credentials of the artifact store, as environment variables of the container that fetches the "
        "model; read whenever a pod starts.",
    )
    service_account_name: Name | None = Field(
        default=None, description="The pods' service account, for stores that know it (workload identity)."
    )


class ErrorRate(ApiModel):
    """Tolerated: a candidate's rate up to max(marginRatio x stable's, stable's + marginAbsolute)."""

    margin_ratio: float = Field(default=1.25, ge=1, le=100)
    margin_absolute: float = Field(default=0.005, gt=0, lt=1)


class Latency(ApiModel):
    """Tolerated, at each of several durations b of stable's: at most as many answers of a candidate take longer than
    marginRatio x b as of stable take longer than b, plus marginAbsolute.
    """

    margin_ratio: float = Field(default=1.2, gt=1, le=100)
    margin_absolute: float = Field(default=0.02, gt=0, lt=1)


class Metric(ApiModel):
    """One health metric: a name and exactly one kind."""

    name: str = matching(
        r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        "the name of a metric has lower-case letters, digits and '-' only: write for example errors",
        max_length=63,
    )
    error_rate: ErrorRate | None = None
    latency: Latency | None = None
    accuracy: NotBuiltYet | None = None
    prometheus: NotBuiltYet | None = None

    model_config = ApiModel.model_config | {
        "json_schema_extra": validations(
            cel(
                "!has(self.accuracy) && !has(self.prometheus)",
                "of the metrics only errorRate and latency are built yet: remove the others",
            ),
            cel(
                "[has(self.errorRate), has(self.latency), has(self.accuracy), has(self.prometheus)]"
                ".filter(x, x).size() == 1",
                "a metric is exactly one kind: write for example errorRate: {}, and latency: {} as an item of its own",
            ),
        )
    }


class Alpha(ApiModel):
    """Bounds on the probability of a wrong verdict, over the whole rollout."""

    harm: float = Field(default=0.05, gt=0, le=0.5, description="Rolling back a version that is within the margin.")
    safe: float = Field(default=0.05, gt=0, le=0.5, description="Passing a version that is outside of it.")


class OnInconclusive(StrEnum):
    """What happens when an analysis step's deadline passes without a proof of either."""

    PAUSE = "Pause"


DEFAULT_METRICS = (Metric(name="errors", error_rate=ErrorRate()),)


class Analysis(ApiModel):
    """How health is judged."""

    alpha: Alpha = Alpha()
    min_requests: int = Field(
        default=100, ge=1, le=10_000_000, description="Requests a candidate must answer at a weight to pass a step."
    )
    on_inconclusive: OnInconclusive = OnInconclusive.PAUSE
    metrics: tuple[Metric, ...] = Field(
        default=DEFAULT_METRICS,
        min_length=1,
        max_length=8,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]}
        | validations(
            cel(
                "self.exists(m, has(m.errorRate))",
                "one of the metrics must be an errorRate: a version that answers nothing but errors is not slow",
            )
        ),
    )


class ModelDeploymentSpec(ApiModel):
    """The desired state."""

    model: ModelSource
    server: Server = Server()
    replicas: int | None = Field(default=None, ge=0, le=1000, description="Pods of the stable revision; default 1.")
    autoscaling: Autoscaling | None = Field(
        default=None, description="In place of replicas: a HorizontalPodAutoscaler for each revision that serves."
    )
    traffic: Traffic | None = Field(
        default=None, description="Left out: requests come through a Service named as the ModelDeployment."
    )
    strategy: Strategy = Strategy(canary=Canary())
    gates: Gates | None = Field(default=None, description="What a candidate has to pass before its first request.")
    analysis: Analysis = Analysis()
    paused: bool = Field(default=False, description="Stop forward motion; harm still rolls back.")
    progress_deadline_seconds: int = Field(
        default=600, ge=1, le=604_800, description="For each step: to become ready, or to reach a verdict."
    )
    scale_down_delay_seconds: int = Field(
        default=30, ge=0, le=604_800, description="How long the old revision stays warm after a promotion."
    )
    revision_history_limit: int = Field(default=5, ge=0, le=100, description="Old revisions kept, scaled to zero.")

    model_config = ApiModel.model_config | {
        "json_schema_extra": validations(
            cel(
                "!has(self.traffic) || !has(self.strategy.blueGreen) || !has(self.strategy.blueGreen.preview)"
                " || (self.strategy.blueGreen.preview.hostnames.size() > 0"
                " && !self.strategy.blueGreen.preview.hostnames.exists(h, h in self.traffic.hostnames))"
                " || (has(self.strategy.blueGreen.preview.pathPrefix)"
                " && (self.strategy.blueGreen.preview.pathPrefix + '/').replace('//', '/')"
                " != (self.traffic.pathPrefix + '/').replace('//', '/'))",
                "the preview has the address of the traffic: name another pathPrefix, or hostnames, in its place",
            ),
            *AUTOSCALING_RULES,
            *GATES_RULES,
            *TRAFFIC_RULES,
        )
    }

    @property
    def by_pods(self) -> bool:
        """Whether the number of pods splits the traffic, because no gateway does."""
        return self.traffic is None or self.traffic.gateway is None

    @property
    def alpha(self) -> Alpha:
        """Return the bounds for one version: where several are compared with stable at once, they share them."""
        said, number = self.analysis.alpha, self.strategy.ab_test.challengers if self.strategy.ab_test else 1
        return Alpha(harm=said.harm / number, safe=said.safe / number)

    @property
    def desired_replicas(self) -> int:
        """Pods that all traffic needs; with autoscaling `core.demand.in_numbers` has put in how many that are now."""
        return self.least_replicas if self.replicas is None else self.replicas

    @property
    def least_replicas(self) -> int:
        """Pods without which stable lacks some: an autoscaler that is just starting more is no trouble."""
        if self.autoscaling:
            return self.autoscaling.min_replicas
        return 1 if self.replicas is None else self.replicas


Approval = Literal["promote", "promote-full", "abort", "retry", "rollback"]


def parse_spec(raw: dict[str, Any]) -> ModelDeploymentSpec:
    """Read the spec of an object that the API server has accepted.

    Raises:
        pydantic.ValidationError: the object does not fit, for example one stored before a rule existed.
    """
    return ModelDeploymentSpec.model_validate(raw)
