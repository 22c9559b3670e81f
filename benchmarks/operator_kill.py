"""Good rollouts under load with the operator killed in each, at a random moment: `make bench-operator-kill`.

SIGKILL to the containers of all replicas, from outside; how many requests fail, by the clients' log. Each trial begins
with new operator pods: otherwise the kubelet would wait ever longer before it starts a container again.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import threading
import time
from typing import Any

from benchmarks.machine import RESULTS, described, here
from benchmarks.rollouts import ALIAS, BETTER, FIRST, GOOD_STEPS, NAME, NAMESPACE, Bench, canary, quantile
from hack.demo.watching import Watcher
from hack.operators import Operators
from hack.stack.install import NAMESPACE as OPERATOR
from hack.stack.install import RELEASE, bring_up
from tests.e2e.faults import kill_containers

LATEST_SECONDS = 25.0
DRAINED_SECONDS = 12.0


def trial(bench: Bench, cluster: str, number: int, rng: random.Random) -> dict[str, Any]:
    """Roll the other version out and kill the operator on the way."""
    version, moment = BETTER if number % 2 else FIRST, rng.uniform(0, LATEST_SECONDS)
    killed: list[tuple[float, int, str]] = []

    def kill() -> None:
        sight = bench.watcher.look()
        done = kill_containers(bench.stack, cluster, OPERATOR, "app.kubernetes.io/name=sluice")
        killed.append(
            (time.monotonic() - began, done, f"{sight.status.get('step', '')} {sight.status.get('weight')} %")
        )

    with bench.load(100) as load:
        began = time.monotonic()
        timer = threading.Timer(moment, kill)
        timer.start()
        bench.stack.move_alias(ALIAS, version)
        bench.until(lambda sight: sight.stable == str(version) and not sight.candidate)
        seconds = time.monotonic() - began
        timer.join()
        time.sleep(DRAINED_SECONDS)  # until the old pods are gone: their end is part of a rollout
    latencies = sorted(1000 * (answer.done - answer.sent) for answer in load.answers)
    ((at, processes, step),) = killed
    return {
        "seconds": seconds, "killed_at": at, "killed_in_step": step, "processes_killed": processes,
        "requests": len(load.answers), "failed": sum(answer.failed for answer in load.answers),
        "p50_ms": quantile(latencies, 0.5), "p99_ms": quantile(latencies, 0.99),
    }  # fmt: skip


def main() -> int:
    """Measure and write the result down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cluster", default="sluice")
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    stack = bring_up(options.cluster, print)
    bench = Bench(stack, Watcher(NAMESPACE, NAME, stack.shell.env["KUBECONFIG"]))
    bench.install(canary(GOOD_STEPS))
    rng, rows = random.Random(options.seed), []
    operators = Operators(stack.shell)
    for number in range(1, options.trials + 1):
        stack.shell.kubectl("-n", OPERATOR, "rollout", "restart", f"deployment/{RELEASE}")
        operators.all_ready()
        operators.until(bool, "somebody leads")
        rows.append(trial(bench, options.cluster, number, rng))
        print(f"rollout {number}/{options.trials}: {json.dumps(rows[-1])}", flush=True)
    stack.shell.kubectl("delete", "md", NAME, "-n", NAMESPACE, "--ignore-not-found", "--timeout=90s")
    failed, requests = sum(row["failed"] for row in rows), sum(row["requests"] for row in rows)
    result = {"machine": described(here()), "rate": 100, "seed": options.seed, "rollouts": rows}
    target = RESULTS / "operator-kill.json"
    target.write_text(json.dumps(result | {"requests": requests, "failed": failed}, indent=1) + "\n")
    print(f"{failed} of {requests} requests failed; written: {target.relative_to(RESULTS.parent.parent)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
