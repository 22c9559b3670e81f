"""Where requests come in: the `traffic` part of a spec."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sluice.api.base import ApiModel, Name, cel, matching, validations
from sluice.api.matching import CookieName, HeaderName


class GatewayRef(ApiModel):
    """The Gateway (gateway.networking.k8s.io) that the route attaches to."""

    name: Name
    namespace: Name | None = Field(default=None, description="Default: the ModelDeployment's own.")


Hostname = Annotated[
    str,
    matching(
        r"^(\*\.)?[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$",
        "this is not a host name: write for example models.example.org or *.example.org, without scheme and port",
        max_length=253,
    ),
]


PathPrefix = Annotated[
    str,
    matching(
        r"^/([A-Za-z0-9_~-][A-Za-z0-9._~-]*(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/?)?$",
        "a path prefix begins with /, and its parts have letters, digits and -._~ only: write for example /penguins",
        max_length=200,
    ),
]


class Sticky(ApiModel):
    """Where a request says whose it is: exactly one of its fields. A user stays with a version while a test goes on."""

    header: HeaderName | None = None
    cookie: CookieName | None = Field(default=None, description="One that is there: the gateway sets none.")

    model_config = ApiModel.model_config | {
        "json_schema_extra": validations(
            cel(
                "has(self.header) != has(self.cookie)",
                "write exactly one of header and cookie, for example header: x-user-id",
            ),
            cel(
                "!has(self.header) || self.header.lowerAscii() != 'cookie'",
                "the header cookie holds all cookies: name one of them instead, for example cookie: session",
            ),
            cel(
                "!has(self.header) || (self.header.lowerAscii() != 'host'"
                " && !self.header.lowerAscii().startsWith('x-sluice-'))",
                "host and x-sluice-... say nothing about a user: name another header, for example x-user-id",
            ),
        )
    }

    @property
    def unit(self) -> str:
        """Say where a user's id is, as the route tells model servers."""
        return f"header:{self.header.lower()}" if self.header else f"cookie:{self.cookie}"


class Traffic(ApiModel):
    """Where requests come in."""

    gateway: GatewayRef | None = None
    hostnames: tuple[Hostname, ...] = Field(default=(), max_length=16)
    path_prefix: PathPrefix = Field(default="/", description="Removed before the model server.")
    sticky: Sticky | None = Field(
        default=None, description="Users, not requests, are assigned to a version. Needs Envoy Gateway."
    )

    model_config = ApiModel.model_config | {
        "json_schema_extra": validations(
            cel(
                "has(self.gateway)",
                "traffic without a gateway is not built yet: name a Gateway in traffic.gateway.name",
            ),
        )
    }


# What traffic asks of the rest of the spec.
SPEC_RULES = (
    cel(
        "!has(self.traffic) || !has(self.traffic.sticky) || has(self.strategy.abTest)",
        "traffic.sticky is for strategy.abTest: the other strategies count requests, each assigned anew, as evidence; "
        "remove traffic.sticky (strategy.canary.match sends early adopters to the new version)",
    ),
)
