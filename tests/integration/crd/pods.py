"""What pods get, and how many there are."""

from __future__ import annotations

from typing import Any

from tests.integration.crd.objects import changed, resources
from tests.integration.crd.sentences import ABOVE, ENV_FROM, OBJECT_NAME, QUANTITY, TWO_WHO_COUNT

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "credentials from nowhere": (changed(server={"envFrom": [{}]}), ENV_FROM),
    "credentials from two": (
        changed(server={"envFrom": [{"secretRef": {"name": "a"}, "configMapRef": {"name": "b"}}]}),
        ENV_FROM,
    ),
    "credentials without a name": (changed(server={"envFrom": [{"secretRef": {}}]}), "name: Required value"),
    "service account in capitals": (changed(server={"serviceAccountName": "Models"}), OBJECT_NAME),
    "autoscaling beside replicas": (changed(autoscaling={"maxReplicas": 3}, replicas=2), TWO_WHO_COUNT),
    "autoscaling by what nobody asks for": (
        changed(autoscaling={"maxReplicas": 3}, server={"resources": {"requests": {"memory": "1Gi"}}}),
        "autoscaling compares with the processor time that pods ask for: set server.resources.requests.cpu",
    ),
    "autoscaling from more to fewer": (
        changed(autoscaling={"minReplicas": 4, "maxReplicas": 3}),
        "autoscaling.minReplicas is above maxReplicas: raise maxReplicas, or lower minReplicas",
    ),
    "request that is no quantity": (resources(requests={"memory": "12Gib"}), QUANTITY),
    "negative limit": (resources(limits={"cpu": -1}), QUANTITY),
    "request above its limit": (resources(requests={"cpu": "3"}, limits={"cpu": 2}), ABOVE),
    "request above the default limit": (resources(requests={"memory": "2Gi"}), ABOVE),
}

ACCEPTED: dict[str, dict[str, Any]] = {
    "credentials": changed(
        server={
            "envFrom": [{"secretRef": {"name": "s3"}}, {"configMapRef": {"name": "s3-endpoint"}}],
            "serviceAccountName": "models",
        }
    ),
    "resources as numbers": resources(requests={"cpu": 1}, limits={"cpu": 2, "memory": "2Gi", "example.org/gpu": 1}),
    "autoscaling": changed(autoscaling={"maxReplicas": 3}),
    "autoscaling by a limit, which is the request then": changed(
        autoscaling={"maxReplicas": 3}, server={"resources": {"requests": {}, "limits": {"cpu": "1"}}}
    ),
    "all of autoscaling": changed(
        autoscaling={
            "minReplicas": 3,
            "maxReplicas": 3,
            "targetCPUUtilizationPercentage": 50,
            "scaleDownStabilizationSeconds": 0,
        }
    ),
    "request equal to its limit": resources(requests={"memory": "1024Mi"}, limits={"memory": "1Gi"}),
}
