"""Rollouts back to back: does the operator's memory stay flat? `make bench-soak`.

Two good versions there and back and a broken one in between, under a light load, as fast as they go, for two hours by
default; after each the kernel is asked what is resident in the operators' processes (those of an embedded cluster are
processes of this machine).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import linear_regression
from typing import Any

from benchmarks.machine import RESULTS, described, here
from benchmarks.rollouts import ALIAS, BETTER, BROKEN, FIRST, NAME, NAMESPACE, Bench, canary
from hack.cluster.paths import ClusterPaths
from hack.demo.watching import Watcher
from hack.stack.install import bring_up

# Light, so that other measurements can go on beside it: what is watched is the operator.
STEPS: list[dict[str, Any]] = [{"setWeight": 50}, {"pause": {"duration": "1s"}}]
BROKEN_STEPS: list[dict[str, Any]] = [{"setWeight": 50}, {"pause": {"duration": "1h"}}]
RATE = 3.0
ROUND = (BETTER, BROKEN, FIRST, BROKEN)
COMMAND = b"python\0-m\0sluice\0"


def operators(cluster: str) -> dict[int, float]:
    """Return what is resident in each operator process of an embedded cluster, by pid, in MiB."""
    group = ClusterPaths.of(cluster).cgroup
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cmdline").read_bytes() == COMMAND and f"/{group}/" in (process / "cgroup").read_text():
                lines = (process / "status").read_text().splitlines()
                found[int(process.name)] = next(int(x.split()[1]) / 1024 for x in lines if x.startswith("VmRSS:"))
        except OSError:  # it ended while it was looked at
            continue
    return found


def growth(samples: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Return by pid how fast its memory grows in the second half of the time, in MiB per hour.

    The first half is left out: caches fill and the allocator finds its size.
    """
    half = [sample for sample in samples if sample["seconds"] >= samples[-1]["seconds"] / 2]
    pids = set.intersection(*(set(sample["mib"]) for sample in half))
    hours = [sample["seconds"] / 3600 for sample in half]
    return {pid: linear_regression(hours, [sample["mib"][pid] for sample in half]).slope for pid in sorted(pids)}


def soak(bench: Bench, cluster: str, minutes: float) -> dict[str, Any]:
    """Roll out until the time is over; what was stable before is never warm, so that each rollout is a whole one."""
    bench.install(canary(STEPS), warm_seconds=0, replicas=1)
    samples: list[dict[str, Any]] = []
    began = time.monotonic()
    with bench.load(RATE) as load:
        while time.monotonic() - began < 60 * minutes:
            version = ROUND[len(samples) % len(ROUND)]
            roll_out(bench, version)
            memory = {str(pid): round(mib, 1) for pid, mib in operators(cluster).items()}
            samples.append({"seconds": round(time.monotonic() - began, 1), "version": version, "mib": memory})
            print(f"rollout {len(samples)}: {json.dumps(samples[-1])}", flush=True)
    failed = sum(answer.failed and answer.version != str(BROKEN) for answer in load.answers)
    return {
        "rollouts": len(samples), "requests": len(load.answers), "failed_elsewhere": failed,
        "mib_per_hour": growth(samples), "samples": samples,
    }  # fmt: skip


def roll_out(bench: Bench, version: int) -> None:
    """Move the alias, and wait for the end: a promotion, or for the broken version a rollback, and back again."""
    before = bench.watcher.look().stable
    steps = json.dumps({"spec": {"strategy": {"canary": {"steps": BROKEN_STEPS if version == BROKEN else STEPS}}}})
    bench.stack.shell.kubectl("patch", "md", NAME, "-n", NAMESPACE, "--type=merge", "--patch", steps)
    bench.stack.move_alias(ALIAS, version)
    if version != BROKEN:
        bench.until(lambda sight: sight.stable == str(version) and not sight.candidate)
        return
    bench.until(lambda sight: sight.rejected == str(BROKEN))
    bench.stack.move_alias(ALIAS, before)
    bench.pardon()
    bench.until(lambda sight: not sight.rejected and not sight.candidate)


def main() -> int:
    """Measure and write the result down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cluster", default="sluice")
    parser.add_argument("--minutes", type=float, default=120)
    options = parser.parse_args()
    stack = bring_up(options.cluster, print)
    bench = Bench(stack, Watcher(NAMESPACE, NAME, stack.shell.env["KUBECONFIG"]))
    result = soak(bench, options.cluster, options.minutes)
    stack.shell.kubectl("delete", "md", NAME, "-n", NAMESPACE, "--ignore-not-found", "--timeout=90s")
    RESULTS.mkdir(exist_ok=True)
    target = RESULTS / "soak.json"
    target.write_text(json.dumps({"machine": described(here()), **result}, indent=1) + "\n")
    print(json.dumps({key: value for key, value in result.items() if key != "samples"}))
    print(f"written: {target.relative_to(RESULTS.parent.parent)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
