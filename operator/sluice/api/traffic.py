"""Where requests come in: the `traffic` part of a spec."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from sluice.api.base import ApiModel, Name, NotBuiltYet, cel, matching, validations


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


class Traffic(ApiModel):
    """Where requests come in."""

    gateway: GatewayRef | None = None
    hostnames: tuple[Hostname, ...] = Field(default=(), max_length=16)
    path_prefix: PathPrefix = Field(default="/", description="Removed before the model server.")
    sticky: NotBuiltYet | None = None

    model_config = ApiModel.model_config | {
        "json_schema_extra": validations(
            cel(
                "has(self.gateway)",
                "traffic without a gateway is not built yet: name a Gateway in traffic.gateway.name",
            ),
            cel(
                "!has(self.sticky)",
                "sticky users are not built yet: remove traffic.sticky; strategy.canary.match sends users with a "
                "header or a cookie to the new version",
            ),
        )
    }
