"""What users notice of a shadow that gets a copy of each of their requests: `make bench-shadow`.

The same load goes on all the time. Windows without a candidate, with one that waits without copies, and with one that
gets a copy of every request follow each other, several times, so that what else happens on the machine meets all alike;
so do windows in which the candidate that gets the copies is in trouble: it fails on each, or is so slow that more of
them come than it can answer. After each: what share of the answers that stable had for the collector was joined with
the candidate's.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.machine import RESULTS, described, here
from benchmarks.rollouts import ALIAS, BETTER, BROKEN, FIRST, NAME, NAMESPACE, Bench, quantile
from hack.demo.watching import Watcher
from hack.load import Answer
from hack.stack.install import bring_up

RATE, REPLICAS = 30.0, 2
TOLD_SECONDS = 5.0  # after which all answers are with the collector, and joined
SLOW = 5
ALONE, IDLE, COPIES = "no candidate", "candidate without copies", "candidate with copies"
FAILING, LATE = "candidate that fails on every copy", "candidate that can't keep up with its copies"
IDLING = {"blueGreen": {"preview": {"pathPrefix": "/bench-preview"}, "pause": {}}}
# Whatever the candidate does, it is compared for as long as a window lasts.
COPYING = {"shadow": {"percent": 100, "then": "Hold", "minPairs": 1_000_000, "maxErrorRate": 0.999}}
CANDIDATES: dict[str, tuple[dict[str, Any], int]] = {
    IDLE: (IDLING, BETTER),
    COPIES: (COPYING, BETTER),
    FAILING: (COPYING, BROKEN),
    LATE: (COPYING, SLOW),
}
PIECE_SECONDS = 5.0
RESAMPLES = 2000


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


def pieces(answers: Sequence[Answer]) -> list[list[float]]:
    """Return the durations in milliseconds of each few seconds: neighbours share what happens on the machine."""
    found: dict[int, list[float]] = {}
    for answer in answers:
        found.setdefault(int(answer.sent // PIECE_SECONDS), []).append(1000 * (answer.done - answer.sent))
    return list(found.values())


def p99(of: Sequence[Sequence[float]]) -> float:
    """Return the 99th percentile of all durations in some pieces."""
    return quantile(sorted(duration for piece in of for duration in piece), 0.99)


def noise(one: Sequence[Sequence[float]], other: Sequence[Sequence[float]]) -> dict[str, float]:
    """Return by how many times the p99 of `one` exceeds that of `other`, with its 95 % interval.

    A percentile bootstrap (Efron 1979) over pieces of time.
    """
    rng = random.Random(1)
    ratios = sorted(p99(rng.choices(one, k=len(one))) / p99(rng.choices(other, k=len(other))) for _ in range(RESAMPLES))
    return {"ratio": p99(one) / p99(other), "from": quantile(ratios, 0.025), "to": quantile(ratios, 0.975)}


def pooled(windows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the medians over windows of the same kind, and the sums of their counts."""
    middle = {key: quantile(sorted(one[key] for one in windows), 0.5) for key in ("p50", "p99")}
    return middle | {key: sum(one[key] for one in windows) for key in ("requests", "failed")}


def summed_up(result: Mapping[str, Any]) -> str:
    """Return the result as a table in Markdown, and a sentence."""
    lines = [f"| | p50, ms | p99, ms | p99 beside that of {IDLE} | failed | joined |", "|---|---|---|---|---|---|"]
    for name, found in result["windows"].items():
        p50, p99 = (", ".join(f"{one[key]:.0f}" for one in found) for key in ("p50", "p99"))
        failed, pairs = f"{sum(one['failed'] for one in found):.0f}", result["pairs"].get(name, ())
        lines.append(f"| {name} | {p50} | {p99} | {_beside(result['noise'].get(name))} | {failed} | {_joined(pairs)} |")
    return "\n".join(lines)


def _beside(noise: Mapping[str, float] | None) -> str:
    return "{ratio:.2f} ({from:.2f} to {to:.2f})".format(**noise) if noise else "–"


def _joined(pairs: Sequence[Mapping[str, Any]]) -> str:
    joined, sampled = (sum(one[key] for one in pairs) for key in ("pairs", "sampled"))
    return f"{joined:,} of {sampled:,}" if pairs else "–"


def goes_on(status: Mapping[str, Any], strategy: Mapping[str, Any]) -> bool:
    """Whether the candidate is where it is to be looked at: idle, or compared."""
    if strategy is IDLING:
        return "until somebody promotes" in status.get("message", "")
    return bool(status.get("rollout", {}).get("evidence", {}).get("pairs", {}).get("joined", 0))


def held(bench: Bench, strategy: dict[str, Any], version: int) -> None:
    """Bring the candidate to where it is looked at."""
    none = dict.fromkeys(("canary", "blueGreen", "shadow"))
    patch = json.dumps({"spec": {"strategy": none | strategy}})
    bench.stack.shell.kubectl("patch", "md", NAME, "-n", NAMESPACE, "--type=merge", "-p", patch)
    bench.stack.move_alias(ALIAS, version)
    bench.until(lambda sight: goes_on(sight.status, strategy))


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
    windows: dict[str, list[dict[str, float]]] = {name: [] for name in (ALONE, *CANDIDATES)}
    durations: dict[str, list[list[float]]] = {name: [] for name in windows}
    pairs: dict[str, list[dict[str, Any]]] = {name: [] for name in CANDIDATES if name is not IDLE}
    with bench.load(RATE) as load:

        def look(name: str) -> None:
            time.sleep(5)
            since = len(load.answers)
            time.sleep(seconds)
            windows[name].append(window(load.answers[since:]))
            durations[name] += pieces(load.answers[since:])
            print(f"{name}: {windows[name][-1]}", flush=True)

        for _ in range(rounds):
            look(ALONE)
            for name, (strategy, version) in CANDIDATES.items():
                before = sampled(bench)
                held(bench, strategy, version)
                record = bench.watcher.look().status["record"]
                look(name)
                given_up(bench)
                if name in pairs:
                    time.sleep(TOLD_SECONDS)
                    pairs[name].append(joined(bench, record, sampled(bench) - before))
            medians = {name: pooled(found) for name, found in windows.items()}
            beside = {name: noise(durations[name], durations[IDLE]) for name in pairs}
            yield {"windows": windows, "pairs": pairs, "pooled": medians, "noise": beside}


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
