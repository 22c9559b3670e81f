"""The autoscaler of a revision, and the Deployment whose pods it counts."""

from __future__ import annotations

from typing import Any

import pytest
from sluice.api.autoscaling import Autoscaling
from sluice.resources import naming
from sluice.resources.autoscaler import autoscaled, autoscaler, is_autoscaled, trouble
from sluice.resources.disruption import disruption_budget
from sluice.resources.workload import deployment

OWNER = naming.owner_reference(name="birds", uid="0b2c")
ANY = Autoscaling(max_replicas=6)


def made(autoscaling: Autoscaling = ANY, floor: int = 2) -> dict[str, Any]:
    return autoscaler(
        name="birds", namespace="models", revision_name="a", autoscaling=autoscaling, floor=floor, owner=OWNER
    )


def workload() -> dict[str, Any]:
    return deployment(name="birds", namespace="models", revision_name="a", template={}, replicas=3, owner=OWNER)


def test_it_scales_the_revision_s_own_deployment_from_the_floor_on() -> None:
    spec = made(floor=3)["spec"]
    assert spec["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "birds-a"}
    assert (spec["minReplicas"], spec["maxReplicas"]) == (3, 6)
    (metric,) = spec["metrics"]
    assert metric["resource"] == {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}
    assert "behavior" not in spec, "what the cluster does by default is up to the cluster"


def test_how_long_the_load_must_be_lower_can_be_said() -> None:
    spec = made(Autoscaling(max_replicas=6, scale_down_stabilization_seconds=0))["spec"]
    assert spec["behavior"] == {"scaleDown": {"stabilizationWindowSeconds": 0}}


@pytest.mark.parametrize(
    ("runs", "ours", "replicas"),
    [(None, False, 2), (1, False, 2), (0, True, 2), (4, True, 4), (4, False, None)],
    ids=["new", "below the floor", "stopped before", "ours until the autoscaler writes", "the autoscaler's"],
)
def test_replicas_are_named_only_where_the_autoscaler_has_not_written_them(
    runs: int | None, ours: bool, replicas: int | None
) -> None:
    live = None if runs is None else workload() | {"spec": {"replicas": runs}}
    manifest = autoscaled(workload(), live, 2, ours=ours)
    assert manifest["spec"].get("replicas") == replicas
    assert {k: v for k, v in manifest["spec"].items() if k != "replicas"} == {
        k: v for k, v in workload()["spec"].items() if k != "replicas"
    }
    assert is_autoscaled(manifest)
    assert not is_autoscaled(workload())


def test_its_trouble_is_told_in_its_own_words() -> None:
    assert trouble({}) is None
    fine = {"type": "ScalingActive", "status": "True", "reason": "ValidMetricFound"}
    blind = {"type": "ScalingActive", "status": "False", "reason": "FailedGetResourceMetric", "message": "no metrics"}
    assert trouble({"status": {"conditions": [fine]}}) is None
    assert trouble({"status": {"conditions": [blind]}}) == "FailedGetResourceMetric: no metrics"


def test_a_budget_lets_one_pod_of_its_revision_go_at_a_time_and_broken_ones_always() -> None:
    spec = disruption_budget(name="birds", namespace="models", revision_name="a", owner=OWNER)["spec"]
    assert spec == {
        "maxUnavailable": 1,
        "selector": {"matchLabels": naming.selector("birds", "a")},
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
    }
