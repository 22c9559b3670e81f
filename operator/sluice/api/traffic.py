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
    """Where a request says whose it is: exactly one of its fields.

    A user stays with a version while a test goes on; in a canary he goes to the candidate at most once.
    """

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
    """Where requests come in: through a Gateway, or, without one, through a Service named as the ModelDeployment."""

    gateway: GatewayRef | None = Field(
        default=None,
        description="Left out: requests come through a plain Service, and what share a version gets is a matter of how "
        "many pods it has.",
    )
    hostnames: tuple[Hostname, ...] = Field(default=(), max_length=16)
    path_prefix: PathPrefix = Field(default="/", description="Removed before the model server.")
    sticky: Sticky | None = Field(
        default=None, description="Users, not requests, are assigned to a version. Needs Envoy Gateway."
    )

    model_config = ApiModel.model_config | {
        "json_schema_extra": validations(
            cel(
                "has(self.gateway) || ((!has(self.hostnames) || self.hostnames.size() == 0) && self.pathPrefix == '/')",
                "a Service knows no host names and paths: remove traffic.hostnames and traffic.pathPrefix, or name a "
                "Gateway in traffic.gateway.name",
            ),
        )
    }


_HAS_GATEWAY = "has(self.traffic) && has(self.traffic.gateway)"
_MIRROR_STEPS = (
    "has(self.strategy.canary) && has(self.strategy.canary.steps)"
    " && self.strategy.canary.steps.exists(s, has(s.mirror))"
)


def _needs_gateway(refused: str, message: str) -> dict[str, str]:
    return cel(f"({_HAS_GATEWAY}) || !({refused})", message)


# What only a gateway can do, and what to do instead.
SPEC_RULES = (
    _needs_gateway(
        "has(self.strategy.shadow)",
        "a shadow needs a gateway, which copies requests: name one in traffic.gateway.name, or use canary, blueGreen "
        "or recreate",
    ),
    _needs_gateway(
        "has(self.strategy.abTest)",
        "an A/B test needs a gateway, which assigns users: name one in traffic.gateway.name, or use canary, blueGreen "
        "or recreate",
    ),
    _needs_gateway(
        _MIRROR_STEPS,
        "mirror steps need a gateway, which copies requests: remove them from strategy.canary.steps, or name a Gateway "
        "in traffic.gateway.name",
    ),
    _needs_gateway(
        "has(self.strategy.canary) && has(self.strategy.canary.match)",
        "match needs a gateway, which looks at requests: remove strategy.canary.match, or name a Gateway in "
        "traffic.gateway.name",
    ),
    _needs_gateway(
        "has(self.strategy.blueGreen) && has(self.strategy.blueGreen.preview)",
        "a preview at an address of its own needs a gateway: remove strategy.blueGreen.preview (the Service "
        "NAME-REVISION leads to the new version inside the cluster), or name a Gateway in traffic.gateway.name",
    ),
    _needs_gateway(
        "has(self.autoscaling)",
        "without a gateway the number of pods is what splits the traffic, and autoscaling would change it: set "
        "replicas in its place, or name a Gateway in traffic.gateway.name",
    ),
    cel(
        "(has(self.traffic) && has(self.traffic.gateway)) == (has(oldSelf.traffic) && has(oldSelf.traffic.gateway))",
        "a ModelDeployment must keep its way in, because requests would come to another address: create one of another "
        "name for the other way, and delete this one when nobody uses it",
    ),
    cel(
        "!has(self.traffic) || !has(self.traffic.sticky) || has(self.strategy.abTest) || has(self.strategy.canary)",
        "traffic.sticky is for strategy.abTest and strategy.canary: the other strategies never share users out between "
        "two versions; remove traffic.sticky, or use one of these",
    ),
    _needs_gateway(
        "has(self.traffic) && has(self.traffic.sticky)",
        "traffic.sticky needs a gateway, which knows users by it: name one in traffic.gateway.name, or remove "
        "traffic.sticky",
    ),
)
