"""What clients see of rollouts, from their own log: `make bench`.

hard-failure: a canary that answers 500 to everything, at 10 % weight; how long until it is off traffic, counted from
the first failed answer, and how many requests failed. good: a version that is fine; how many requests failed.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sluice_training.data import request_rows

from benchmarks.machine import RESULTS, described, here
from hack.demo.watching import Sight, Watcher
from hack.load import Answer, Load, no_more
from hack.stack.install import Stack, bring_up

NAMESPACE, NAME, ALIAS = "bench", "bench", "bench"
FIRST, BETTER, BROKEN = 1, 2, 4
QUIET_SECONDS = 3.0
PATIENCE_SECONDS = 180.0
GOOD_STEPS: list[dict[str, Any]] = [
    {"setWeight": 10},
    {"analysis": {"marginAbsolute": 0.03}},
    {"setWeight": 50},
    {"analysis": {"marginAbsolute": 0.01}},
]
BAD_STEPS: list[dict[str, Any]] = [{"setWeight": 10}, {"pause": {"duration": "10m"}}]


def canary(steps: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the strategy with these steps."""
    return {"canary": {"steps": steps}}


@dataclass(frozen=True)
class Bench:
    """A ModelDeployment to measure on."""

    stack: Stack
    watcher: Watcher

    def install(
        self,
        strategy: Mapping[str, Any],
        *,
        warm_seconds: int = 5,
        replicas: int = 2,
        traffic: Mapping[str, Any] | None = None,
        analysis: Mapping[str, Any] | None = None,
    ) -> None:
        """Put version 1 live with this strategy, from nothing; `traffic` is what that has beside gateway and path."""
        shell = self.stack.shell
        shell.apply(json.dumps({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}}))
        shell.kubectl("delete", "md", NAME, "-n", NAMESPACE, "--ignore-not-found", "--timeout=90s")
        self.stack.move_alias(ALIAS, FIRST)
        spec = {
            "model": {"uri": f"models:/penguins@{ALIAS}"},
            "replicas": replicas,
            "traffic": {
                **(traffic or {}),
                "gateway": {"name": "public", "namespace": "gateways"},
                "pathPrefix": "/bench",
            },
            "strategy": strategy,
            "scaleDownDelaySeconds": warm_seconds,
            **({"analysis": analysis} if analysis else {}),
        }
        meta = {"name": NAME, "namespace": NAMESPACE}
        manifest = {"apiVersion": "sluice.dev/v1alpha1", "kind": "ModelDeployment", "metadata": meta, "spec": spec}
        shell.apply(json.dumps(manifest))
        self.until(lambda sight: sight.ready and sight.stable == str(FIRST))

    def until(self, true: Callable[[Sight], bool]) -> None:
        """Wait for something to be so."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not true(self.watcher.look()):
            if time.monotonic() > end:
                raise TimeoutError(json.dumps(self.watcher.look().status, indent=1))
            time.sleep(0.5)

    def pardon(self) -> None:
        """Let the version that was rolled back last be tried again, once nobody wants it any more."""
        self.until(lambda sight: sight.status.get("verdict") != "Failed")
        shell = self.stack.shell.kubectl
        status = json.loads(shell("get", "md", NAME, "-n", NAMESPACE, "-o", "json"))["status"]
        revision = status["rejected"][-1]["revision"]["name"]
        shell("annotate", "md", NAME, "-n", NAMESPACE, f"sluice.dev/retry={revision}", "--overwrite")

    def load(self, rate: float, headers_of: Callable[[int], Mapping[str, str]] = no_more) -> Load:
        """Send rows at a rate."""
        return Load(f"{self.stack.gateway_url}/bench/invocations", request_rows(), rate, headers_of=headers_of)


def hard_failure(bench: Bench, trials: int, rate: float) -> dict[str, Any]:
    """Roll out the broken version again and again."""
    bench.install(canary(BAD_STEPS))
    rows = []
    with bench.load(rate) as load:
        for number in range(1, trials + 1):
            since = len(load.answers)
            bench.stack.move_alias(ALIAS, BROKEN)
            bench.until(lambda sight: sight.rejected == str(BROKEN))
            quiet(load.answers, since)
            bench.stack.move_alias(ALIAS, FIRST)
            rows.append(trial(load.answers[since:]))
            print(f"trial {number}/{trials}: off after {rows[-1]['seconds']:.2f} s, {rows[-1]['failed']} failed")
            bench.pardon()
            bench.until(lambda sight: not sight.rejected and len(sight.status.get("retired", [])) <= 1)
            time.sleep(12)  # the old pods are drained and gone: every trial starts from the same state
    seconds = sorted(row["seconds"] for row in rows)
    failed = sorted(row["failed"] for row in rows)
    return {
        "rate": rate, "weight": 10, "trials": rows,
        "seconds": {"median": quantile(seconds, 0.5), "p95": quantile(seconds, 0.95), "max": seconds[-1]},
        "failed": {"median": quantile(failed, 0.5), "p95": quantile(failed, 0.95), "max": failed[-1]},
    }  # fmt: skip


def trial(answers: Sequence[Answer]) -> dict[str, Any]:
    """Read one trial off the clients' log."""
    failed = [answer for answer in answers if answer.failed]
    others = [answer for answer in failed if answer.version != str(BROKEN)]
    first = min(answer.done for answer in failed)
    last = last_sent_to(answers, BROKEN)
    return {"seconds": max(0.0, last - first), "failed": len(failed), "failed_elsewhere": len(others)}


def last_sent_to(answers: Sequence[Answer], version: int) -> float:
    """When the last request was sent that a version has answered; 0 when none was."""
    return max((answer.sent for answer in answers if answer.version == str(version)), default=0.0)


def quiet(answers: list[Answer], since: int) -> None:
    """Wait until nobody has met the broken version for some seconds."""
    while True:
        last = max((a.done for a in answers[since:] if a.version == str(BROKEN)), default=0.0)
        if time.monotonic() - last > QUIET_SECONDS:
            return
        time.sleep(0.2)


def good(bench: Bench, trials: int, rate: float) -> dict[str, Any]:
    """Promote good versions, there and back."""
    bench.install(canary(GOOD_STEPS))
    rows = []
    with bench.load(rate) as load:
        for number in range(1, trials + 1):
            since, began = len(load.answers), time.monotonic()
            version = BETTER if number % 2 else FIRST
            bench.stack.move_alias(ALIAS, version)
            bench.until(lambda sight, to=str(version): sight.stable == to and not sight.candidate)  # type: ignore[misc]
            seconds = time.monotonic() - began
            time.sleep(12)  # until the old pods are gone: their end is part of a rollout
            answers = load.answers[since:]
            latencies = sorted(1000 * (a.done - a.sent) for a in answers)
            rows.append(
                {
                    "seconds": seconds,
                    "requests": len(answers),
                    "failed": sum(a.failed for a in answers),
                    "p50_ms": quantile(latencies, 0.5),
                    "p99_ms": quantile(latencies, 0.99),
                }
            )
            print(f"rollout {number}/{trials}: {json.dumps(rows[-1])}")
    return {"rate": rate, "rollouts": rows, "failed": sum(row["failed"] for row in rows)}


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least this share of the sorted values does not exceed."""
    return values[max(0, math.ceil(share * len(values)) - 1)]


def main() -> int:
    """Measure and write the result down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("hard-failure", "good"))
    parser.add_argument("--cluster", default="sluice")
    parser.add_argument("--trials", type=int)
    options = parser.parse_args()
    stack = bring_up(options.cluster, print)
    bench = Bench(stack, Watcher(NAMESPACE, NAME, stack.shell.env["KUBECONFIG"]))
    if options.what == "good":
        result = good(bench, options.trials or 6, 100)
    else:
        result = hard_failure(bench, options.trials or 20, 50)
    stack.shell.kubectl("delete", "md", NAME, "-n", NAMESPACE, "--ignore-not-found", "--timeout=90s")
    RESULTS.mkdir(exist_ok=True)
    target = RESULTS / f"{options.what}.json"
    target.write_text(json.dumps({"machine": described(here()), **result}, indent=1) + "\n")
    print(json.dumps({key: value for key, value in result.items() if key not in ("trials", "rollouts")}))
    print(f"written: {target.relative_to(RESULTS.parent.parent)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
