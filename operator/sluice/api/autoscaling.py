"""How many pods there are by load: the `autoscaling` part of a spec."""

from __future__ import annotations

from pydantic import Field

from sluice.api.base import ApiModel, cel, validations


class Autoscaling(ApiModel):
    """By the processor time of the pods; by memory would help nobody, for each pod holds the whole model."""

    min_replicas: int = Field(default=1, ge=1, le=1000, description="Pods that are there at least.")
    max_replicas: int = Field(ge=1, le=1000, description="Pods that are there at most, of each revision.")
    target_cpu_utilization_percentage: int = Field(
        default=80,
        alias="targetCPUUtilizationPercentage",
        ge=1,
        le=1000,
        description="Processor time that pods use on average, in percent of server.resources.requests.cpu.",
    )
    scale_down_stabilization_seconds: int | None = Field(
        default=None, ge=0, le=3600, description="How long the load has to be lower before pods end; default: 300."
    )

    model_config = ApiModel.model_config | {
        "json_schema_extra": validations(
            cel(
                "self.minReplicas <= self.maxReplicas",
                "autoscaling.minReplicas is above maxReplicas: raise maxReplicas, or lower minReplicas",
            )
        )
    }


# What autoscaling asks of the rest of the spec.
SPEC_RULES = (
    cel(
        "!has(self.autoscaling) || !has(self.replicas)",
        "with autoscaling nobody else says how many pods there are: remove replicas, and say in "
        "autoscaling.minReplicas and maxReplicas how few and how many there may be",
    ),
    cel(
        # Kubernetes takes a limit for the request where there is none.
        "!has(self.autoscaling)"
        " || (has(self.server.resources.requests) && 'cpu' in self.server.resources.requests)"
        " || (has(self.server.resources.limits) && 'cpu' in self.server.resources.limits)",
        "autoscaling compares with the processor time that pods ask for: set server.resources.requests.cpu, "
        "for example 500m",
    ),
)
