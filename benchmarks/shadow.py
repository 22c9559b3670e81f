"""What users notice of a shadow that gets a copy of each of their requests: `make bench-shadow`.

The same load goes on all the time. Windows without a candidate, with one that waits without copies, and with one that
gets a copy of every request follow each other, several times, so that what else happens on the machine meets all alike.
After each of the latter: what share of the answers that stable had for the collector was joined with the candidate's.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.machine import RESULTS, described, here
from benchmarks.rollouts import ALIAS, BETTER, FIRST, NAME, NAMESPACE, Bench, quantile
from hack.demo.watching import Watcher
from hack.load import Answer
from hack.stack.install import bring_up

RATE, REPLICAS = 30.0, 2
TOLD_SECONDS = 5.0  # after which all answers are with the collector, and joined
ALONE, IDLE, COPIES = "no candidate", "candidate without copies", "candidate with copies"
IDLING = {"blueGreen": {"preview": {"pathPrefix": "/bench-preview"}, "pause": {}}}
COPYING = {"shadow": {"percent": 100, "then": "Hold", "minPairs": 100}}


def window(answers: Sequence[Answer]) -> dict[str, float]:
    """Return what users saw in a window; durations in milliseconds."""
    times = sorted(1000 * (answer.done - answer.sent) for answer in answers)
    failed = sum(answer.failed for answer in answers)
    return {"requests": len(times), "failed": failed, "p50": quantile(times, 0.5), "p99": quantile(times, 0.99)}


def offered(metrics: str) -> int:
    """Return how many answers a pod has had for the collector since it started, whatever became of them."""
    found = re.findall(r"^sluice_compared_answers_total\{.*\} (\S+)$", metrics, re.MULTILINE)
    return sum(int(float(count)) for count in found)


def sampled(bench: Bench) -> int:
    """Return the same of all pods that are there: while no candidate is, of stable's."""
    shell = bench.stack.shell
    pods = shell.kubectl("get", "pods", "-n", NAMESPACE, "-o", "jsonpath={.items[*].metadata.name}").split()
    paths = (f"/api/v1/namespaces/{NAMESPACE}/pods/{pod}:9090/proxy/metrics" for pod in pods)
    return sum(offered(shell.kubectl("get", "--raw", path)) for path in paths)


def joined(bench: Bench, record: str, answers: int) -> dict[str, Any]:
    """Return the collector's counts of a rollout that is over, and the share of stable's answers that were joined."""
    path = "/api/v1/namespaces/sluice-system/services/http:sluice-collector:80/proxy/v1/comparisons"
    found: dict[str, Any] = json.loads(bench.stack.shell.kubectl("get", "--raw", f"{path}/{NAMESPACE}/{record}"))
    return {**found, "sampled": answers, "share": found["pairs"] / answers if answers else None}


def pooled(windows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the medians over windows of the same kind, and the sums of their counts."""
    middle = {key: quantile(sorted(one[key] for one in windows), 0.5) for key in ("p50", "p99")}
    return middle | {key: sum(one[key] for one in windows) for key in ("requests", "failed")}


def summed_up(result: Mapping[str, Any]) -> str:
    """Return the result as a table in Markdown, and a sentence."""
    lines = ["| | p50, ms | p99, ms | failed |", "|---|---|---|---|"]
    for name, found in result["windows"].items():
        p50, p99 = (", ".join(f"{one[key]:.0f}" for one in found) for key in ("p50", "p99"))
        lines.append(f"| {name} | {p50} | {p99} | {sum(one['failed'] for one in found):.0f} |")
    pairs, answers = (sum(one[key] for one in result["pairs"]) for key in ("pairs", "sampled"))
    return "\n".join([*lines, "", f"joined: {pairs:,} of {answers:,} sampled requests"])


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


def measure(bench: Bench, rounds: int, seconds: float) -> Iterator[dict[str, Any]]:
    """Go through the windows; yield all of them so far, and the joined pairs, after each round."""
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
                before = sampled(bench)
                held(bench, strategy)
                record = bench.watcher.look().status["record"]
                look(name)
                given_up(bench)
                if name is COPIES:
                    time.sleep(TOLD_SECONDS)
                    pairs.append(joined(bench, record, sampled(bench) - before))
            medians = {name: pooled(found) for name, found in windows.items()}
            yield {"windows": windows, "pairs": pairs, "pooled": medians}


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
    summary = {"machine": described(here()), "rate": RATE, "replicas": REPLICAS, "seconds": options.seconds}
    for result in measure(bench, options.rounds, options.seconds):
        (RESULTS / "shadow.json").write_text(json.dumps(summary | result, indent=1) + "\n")
    stack.shell.kubectl("delete", "md", NAME, "-n", NAMESPACE, "--ignore-not-found", "--timeout=90s")
    print(summed_up(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
