"""What a candidate has to pass before its first request: the `gates` part of a spec."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from typing import Any

from pydantic import ConfigDict, Field
from pydantic.alias_generators import to_camel

from sluice.api.base import ApiModel, Duration, cel, matching, validations

SIGNATURE, GOLDEN_SET = "signature", "goldenSet"
MOST_HOOKS = 8
_OPEN: dict[str, Any] = {"x-kubernetes-preserve-unknown-fields": True}


class Signature(ApiModel):
    """The candidate must accept every input that stable accepts, and answer in the same form, by their signatures."""


class NotWorse(ApiModel):
    """Stable answers the same rows."""

    margin_absolute: float = Field(
        default=0.0, ge=0, description="By how much the candidate may be worse: of the accuracy, or of the mean error."
    )


class RowsOf(StrEnum):
    """Whose evaluation rows are replayed."""

    CANDIDATE = "Candidate"
    STABLE = "Stable"


class GoldenSet(ApiModel):
    """Rows with labels, from the files of a model version, are sent to the candidate as probes."""

    min_accuracy: float | None = Field(default=None, gt=0, le=1, description="Share of rows it has to get right.")
    max_mean_absolute_error: float | None = Field(
        default=None, gt=0, description="For numbers: how far off it may be on average."
    )
    not_worse_than_stable: NotWorse | None = None
    rows_of: RowsOf = Field(
        default=RowsOf.CANDIDATE,
        description="Whose rows: the candidate's own, or those that stable was judged by.",
    )
    max_rows: int = Field(default=500, ge=1, le=100_000, description="Of more rows the first are sent.")

    model_config = ApiModel.model_config | {
        "json_schema_extra": validations(
            cel(
                "has(self.minAccuracy) != has(self.maxMeanAbsoluteError)",
                "write exactly one of minAccuracy and maxMeanAbsoluteError, for example minAccuracy: 0.9",
            )
        )
    }


class HttpHook(ApiModel):
    """A POST to an address, in JSON: 2xx passes, 4xx fails, anything else is tried again until the deadline."""

    url: str = matching(
        r"^https?://[^/@\s?#]+([/?][^\s#]*)?$",
        "this is not an address to post to: write for example https://ci.example.org/gate, without a password in it",
        max_length=500,
    )
    timeout: Duration = Field(
        default=timedelta(seconds=10),
        description="Of one attempt; at most 60s.",
        json_schema_extra={"default": "10s"},
    )

    model_config = ApiModel.model_config | {
        "json_schema_extra": validations(
            cel(
                "self.timeout == '' || !self.timeout.matches('^([0-9]+h)?([0-9]+m)?([0-9]+s)?$')"
                " || (duration(self.timeout) > duration('0s') && duration(self.timeout) <= duration('60s'))",
                "one attempt takes at least 1s and at most 60s: write for example timeout: 10s; it is tried again "
                "until progressDeadlineSeconds",
            )
        )
    }


class _Open(ApiModel):
    """A part of Kubernetes' own API: what is not named here is kept as it is."""

    model_config = ConfigDict(
        frozen=True, extra="allow", alias_generator=to_camel, validate_by_name=True, validate_by_alias=True,
        json_schema_extra=_OPEN,
    )  # fmt: skip


class HookContainer(_Open):
    """A container, as in any pod."""

    name: str = Field(min_length=1, max_length=63)
    image: str = Field(min_length=1, max_length=500)


class HookPod(_Open):
    """The spec of a pod."""

    containers: tuple[HookContainer, ...] = Field(min_length=1, max_length=8)


class HookTemplate(_Open):
    """The template of a Job's pods, as in `spec.template` of a Job; metadata may have labels and annotations."""

    spec: HookPod


class JobHook(ApiModel):
    """A Job in the ModelDeployment's namespace, with its rights: exit code 0 passes, 75 can't tell, others fail."""

    template: HookTemplate


class Hook(ApiModel):
    """A question to somebody else: a name, and exactly one of http and job."""

    name: str = matching(
        r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        "the name of a hook has lower-case letters, digits and '-' only: write for example smoke",
        max_length=40,
    )
    http: HttpHook | None = None
    job: JobHook | None = None

    model_config = ApiModel.model_config | {
        "json_schema_extra": validations(
            cel(
                "has(self.http) != has(self.job)",
                "a hook is exactly one of http and job: write for example http: {url: https://ci.example.org/gate}",
            ),
            cel(f"self.name != '{SIGNATURE}'", "the name of a hook must not be signature, which is a gate of its own"),
        )
    }


class Gates(ApiModel):
    """All of them must pass after the candidate's pods are ready and before its first request."""

    signature: Signature | None = None
    golden_set: GoldenSet | None = None
    hooks: tuple[Hook, ...] = Field(
        default=(),
        max_length=MOST_HOOKS,
        json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
    )

    model_config = ApiModel.model_config | {
        "json_schema_extra": validations(
            cel(
                "has(self.signature) || has(self.goldenSet) || (has(self.hooks) && self.hooks.size() > 0)",
                "there is no gate: write for example signature: {}, or remove gates",
            )
        )
    }

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of all gates, in the order in which people read them."""
        built_in = ((SIGNATURE, self.signature), (GOLDEN_SET, self.golden_set))
        return (*(name for name, wanted in built_in if wanted), *(hook.name for hook in self.hooks))

    def hook(self, name: str) -> Hook | None:
        """Return a hook by its name; None for a built-in gate."""
        return next((hook for hook in self.hooks if hook.name == name), None)


# What gates ask of the rest of the spec.
SPEC_RULES = (
    cel(
        "!has(self.gates) || !has(self.strategy.recreate)",
        "a recreate runs no version beside the one that serves, so nothing can be asked before its first request: "
        "remove gates, or use canary, blueGreen or shadow",
    ),
    cel(
        "!has(self.gates) || !has(self.strategy.abTest) || !has(self.strategy.abTest.variants)"
        " || self.strategy.abTest.variants.size() == 0",
        "gates judge one version before its first request, and here several begin together: remove gates, or "
        "strategy.abTest.variants",
    ),
)
