"""What users notice of a shadow that gets a copy of each of their requests: `make bench-shadow`.

The same load goes on all the time. Windows without a candidate, with one that waits without copies, and with one that
gets a copy of every request follow each other, several times, so that what else happens on the machine meets all alike.
At the end: how many of the sampled copies the collector has joined with stable's answers.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from typing import Any

from benchmarks.machine import RESULTS, described, here
from benchmarks.rollouts import ALIAS, BETTER, FIRST, NAME, NAMESPACE, Bench, quantile
from hack.demo.watching import Watcher
from hack.load import Answer
from hack.stack.install import bring_up

RATE, REPLICAS = 30.0, 2
ALONE, IDLE, COPIES = "no candidate", "candidate without copies", "candidate with copies"
IDLING = {"blueGreen": {"preview": {"pathPrefix": "/bench-preview"}, "pause": {}}}
COPYING = {"shadow": {"percent": 100, "then": "Hold", "minPairs": 100}}


def window(answers: Sequence[Answer]) -> dict[str, float]:
    """Return what users saw in a window; durations in milliseconds."""
    times = sorted(1000 * (answer.done - answer.sent) for answer in answers)
    failed = sum(answer.failed for answer in answers)
    return {"requests": len(times), "failed": failed, "p50": quantile(times, 0.5), "p99": quantile(times, 0.99)}


def joined(bench: Bench) -> dict[str, Any]:
    """Return the collector's counts of the present rollout, a while after the last copy."""
    record = bench.watcher.look().status["record"]
    path = "/api/v1/namespaces/sluice-system/services/http:sluice-collector:80/proxy/v1/comparisons"
    found: dict[str, Any] = json.loads(bench.stack.shell.kubectl("get", "--raw", f"{path}/{NAMESPACE}/{record}"))
    return found


def held(bench: Bench, strategy: dict[str, Any]) -> None:
    """Bring the candidate to where it waits for a person."""
    none = dict.fromkeys(("canary", "blueGreen", "shadow"))
    patch = json.dumps({"spec": {"strategy": none | strategy}})
    bench.stack.shell.kubectl("patch", "md", NAME, "-n", NAMESPACE, "--type=merge", "-p", patch)
    bench.stack.move_alias(ALIAS, BETTER)
    bench.until(lambda sight: "until somebody promotes" in sight.status.get("message", ""))


def given_up(bench: Bench) -> None:
    """Take the candidate away again, with its pods."""
    bench.stack.move_alias(ALIAS, FIRST)
    bench.until(lambda sight: not sight.candidate)
    shell = bench.stack.shell
    deadline = time.monotonic() + 120
    while len(shell.kubectl("get", "pods", "-n", NAMESPACE, "-o", "name").split()) > REPLICAS:
        if time.monotonic() > deadline:
            raise TimeoutError("the candidate's pods do not end")
        time.sleep(1)


def measure(bench: Bench, rounds: int, seconds: float) -> dict[str, Any]:
    """Go through the windows; return all of them and the joined pairs."""
    windows: dict[str, list[dict[str, float]]] = {ALONE: [], IDLE: [], COPIES: []}
    pairs: list[dict[str, Any]] = []
    with bench.load(RATE) as load:

        def look(name: str) -> None:
            time.sleep(5)
            since = len(load.answers)
            time.sleep(seconds)
            windows[name].append(window(load.answers[since:]))
            print(f"{name}: {windows[name][-1]}", flush=True)

        for _ in range(rounds):
            look(ALONE)
            for name, strategy in ((IDLE, IDLING), (COPIES, COPYING)):
                held(bench, strategy)
                look(name)
                if name is COPIES:
                    pairs.append(joined(bench))
                given_up(bench)
    return {"windows": windows, "pairs": pairs}


def main() -> int:
    """Measure and write the result down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cluster", default="sluice")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=40)
    options = parser.parse_args()
    stack = bring_up(options.cluster, print)
    bench = Bench(stack, Watcher(NAMESPACE, NAME, stack.shell.env["KUBECONFIG"]))
    bench.install(COPYING, replicas=REPLICAS)
    result = measure(bench, options.rounds, options.seconds)
    stack.shell.kubectl("delete", "md", NAME, "-n", NAMESPACE, "--ignore-not-found", "--timeout=90s")
    summary = {"machine": described(here()), "rate": RATE, "replicas": REPLICAS, "seconds": options.seconds}
    (RESULTS / "shadow.json").write_text(json.dumps(summary | result, indent=1) + "\n")
    print("| | p50, ms | p99, ms | failed |\n|---|---|---|---|")
    for name, found in result["windows"].items():
        p50, p99 = (", ".join(f"{one[key]:.0f}" for one in found) for key in ("p50", "p99"))
        print(f"| {name} | {p50} | {p99} | {sum(one['failed'] for one in found):.0f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())
