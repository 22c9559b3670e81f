"""How long nobody decides when the leading operator ends: `make bench-takeover`, on the embedded cluster.

Seen from outside. At the same moment the leader's process is ended (crash: SIGKILL; told: SIGTERM) and a field of a
ModelDeployment is changed. `lease`: seconds until the other operator holds the Lease. `acts`: seconds until it has
answered the change in the status.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kubernetes import client, config

from benchmarks.machine import RESULTS, described, here
from benchmarks.rollouts import NAME, NAMESPACE, Bench, canary, quantile
from hack.demo.watching import GROUP, PLURAL, VERSION, Watcher
from hack.operators import Operators
from hack.stack.install import NAMESPACE as OPERATOR_NAMESPACE
from hack.stack.install import RELEASE, bring_up

PATIENCE_SECONDS = 90.0
LOOK_SECONDS = 0.05
WAYS = {"crash": signal.SIGKILL, "told": signal.SIGTERM}


@dataclass
class Eyes:
    """One connection that asks for the Lease and the ModelDeployment again and again."""

    kubeconfig: str

    def __post_init__(self) -> None:
        api = config.new_client_from_config(self.kubeconfig)
        self._objects, self._leases = client.CustomObjectsApi(api), client.CoordinationV1Api(api)

    def holder(self) -> str:
        """Return who holds the Lease."""
        return self._leases.read_namespaced_lease(RELEASE, OPERATOR_NAMESPACE).spec.holder_identity or ""

    def change(self, deadline: int) -> int:
        """Change a field that starts no rollout; return the new generation."""
        patch = {"spec": {"progressDeadlineSeconds": deadline}}
        changed = self._objects.patch_namespaced_custom_object(GROUP, VERSION, NAMESPACE, PLURAL, NAME, patch)
        return int(changed["metadata"]["generation"])

    def answered(self) -> int:
        """Return the generation that the status speaks of."""
        found = self._objects.get_namespaced_custom_object(GROUP, VERSION, NAMESPACE, PLURAL, NAME)
        return int(found["status"]["observedGeneration"])


def trial(operators: Operators, eyes: Eyes, way: str, number: int) -> dict[str, float]:
    """End the leader once, at a random moment between two renewals."""
    leader = operators.until(bool, "somebody leads")
    process = operators.process(leader)
    time.sleep(random.uniform(0, 2))
    began = time.monotonic()
    os.kill(process.pid, WAYS[way])
    generation = eyes.change(600 + number)
    lease = seconds_until(lambda: eyes.holder() not in ("", leader), began)
    acts = seconds_until(lambda: eyes.answered() == generation, began)
    # A container that ends again and again is started ever later; a new pod is not.
    pod = leader.rpartition("_")[0]
    operators.shell.kubectl("-n", OPERATOR_NAMESPACE, "delete", "pod", pod, "--wait=true")
    operators.all_ready()
    return {"lease": lease, "acts": acts}


def seconds_until(true: Callable[[], bool], began: float) -> float:
    """Return the seconds since `began` when it has become true."""
    while not true():
        if time.monotonic() - began > PATIENCE_SECONDS:
            raise TimeoutError("nobody took over")
        time.sleep(LOOK_SECONDS)
    return time.monotonic() - began


def summary(rows: list[dict[str, float]]) -> dict[str, Any]:
    """Return the figures of one way."""
    columns = {name: sorted(row[name] for row in rows) for name in ("lease", "acts")}
    return {
        name: {"median": quantile(values, 0.5), "max": values[-1]} for name, values in columns.items()
    } | {"trials": rows}  # fmt: skip


def main() -> int:
    """Measure and write the result down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cluster", default="sluice")
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    random.seed(options.seed)
    stack = bring_up(options.cluster, print)
    bench = Bench(stack, Watcher(NAMESPACE, NAME, stack.shell.env["KUBECONFIG"]))
    bench.install(canary([{"setWeight": 50}]))
    operators, eyes = Operators(stack.shell), Eyes(stack.shell.env["KUBECONFIG"])
    operators.all_ready()
    result: dict[str, Any] = {"seed": options.seed}
    for way in WAYS:
        rows = []
        for number in range(1, options.trials + 1):
            rows.append(trial(operators, eyes, way, number))
            print(f"{way} {number}/{options.trials}: {json.dumps(rows[-1])}", flush=True)
        result[way] = summary(rows)
    stack.shell.kubectl("delete", "md", NAME, "-n", NAMESPACE, "--ignore-not-found", "--timeout=90s")
    RESULTS.mkdir(exist_ok=True)
    target = RESULTS / "takeover.json"
    target.write_text(json.dumps({"machine": described(here()), **result}, indent=1) + "\n")
    print(json.dumps({way: {key: result[way][key] for key in ("lease", "acts")} for way in WAYS}))
    print(f"written: {target.relative_to(RESULTS.parent.parent)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
