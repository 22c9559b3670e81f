"""Which way a ModelDeployment's traffic is split."""

from __future__ import annotations

from sluice.api.spec import ModelDeploymentSpec
from sluice.traffic.gateway_api import GatewayRoute
from sluice.traffic.plain_service import PlainService
from sluice.traffic.provider import Provider


def provider_of(spec: ModelDeploymentSpec) -> Provider:
    """Return the provider: with a gateway its route, without one a Service."""
    return PlainService() if spec.by_pods else GatewayRoute()
