"""The autoscalers of the simulated cluster: each sees the load of its own pods, and nothing else."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping

from sluice.kube.api import Manifest
from sluice.resources.naming import LABEL_REVISION

from tests.simulation.store import Key, Store, copy

PERIOD = 3.0


def scale(store: Store, live: Mapping[str, int], load: float, whims: random.Random | None) -> None:
    """Let every autoscaler set the number of the pods it scales, at once and without regard to what was before.

    Args:
        store: all objects.
        live: percent of the traffic by revision.
        load: pods that all traffic needs.
        whims: they do what they like in place of what the load asks for.
    """
    for autoscaler in store.of_kind("HorizontalPodAutoscaler"):
        spec, namespace = autoscaler["spec"], autoscaler["metadata"]["namespace"]
        key: Key = ("Deployment", namespace, spec["scaleTargetRef"]["name"])
        deployment = store.objects.get(key)
        if deployment is None or deployment["spec"]["replicas"] == 0:
            continue  # at zero an autoscaler does nothing
        share = live.get(autoscaler["metadata"]["labels"][LABEL_REVISION], 0)
        wanted = math.ceil(load * share / 100)
        if whims:
            wanted = whims.randint(spec["minReplicas"], spec["maxReplicas"])
        set_replicas(store, deployment, min(max(spec["minReplicas"], wanted), spec["maxReplicas"]))


def set_replicas(store: Store, deployment: Manifest, replicas: int) -> None:
    """Write a number of pods, as through /scale."""
    changed = copy(deployment)
    changed["spec"]["replicas"] = replicas
    store.write(changed)
