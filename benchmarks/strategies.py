"""The classic table of strategies, measured: `make bench-strategies`.

For each strategy the same two versions and the same load: a good version is rolled out, and taken back by a person's
command; then a version that answers 500 to everything is rolled out. All figures are from the clients' log; pods are
counted in the API server's list, twice a second. Each of the users sends every n-th request.
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.machine import RESULTS, described, here
from benchmarks.rollouts import ALIAS, BETTER, BROKEN, FIRST, NAME, NAMESPACE, Bench, last_sent_to
from hack.demo.watching import Watcher
from hack.load import Answer, Load
from hack.stack.install import bring_up

RATE, USERS, REPLICAS = 40.0, 200, 2
WARM_SECONDS = 30  # in which a person may go back
SETTLED_SECONDS = 15.0
NOTICED_SECONDS = 60.0  # who has not rolled back by himself by then is told to

STRATEGIES: Mapping[str, dict[str, Any]] = {
    "recreate": {"recreate": {}},
    "blueGreen": {"blueGreen": {"preview": {"pathPrefix": "/bench-preview"}, "verify": {"maxErrorRate": 0.02}}},
    "canary": {"canary": {"steps": [
        {"setWeight": 10}, {"analysis": {"marginAbsolute": 0.03}}, {"setWeight": 50}, {"analysis": {}},
    ]}},
}  # fmt: skip


@dataclass
class Census:
    """Counts the pods of the ModelDeployment while it is open."""

    bench: Bench
    samples: list[tuple[float, int]] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Census:
        self._thread = threading.Thread(target=self._count, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _count(self) -> None:
        while not self._stop.wait(0.5):
            names = self.bench.stack.shell.kubectl("get", "pods", "-n", NAMESPACE, "-o", "name").split()
            self.samples.append((time.monotonic(), len(names)))

    @property
    def above_steady(self) -> float:
        """Pod-seconds beyond those of a version at rest."""
        pairs = zip(self.samples, self.samples[1:], strict=False)
        return sum(max(0, number - REPLICAS) * (after - at) for (at, number), (after, _) in pairs)


def leaves(value: object) -> Iterator[object]:
    """Yield what a user writes: every value that holds no other."""
    inside: Sequence[object] = ()
    if isinstance(value, dict):
        inside = list(value.values())
    elif isinstance(value, list):
        inside = value
    if not inside:
        yield value
    for each in inside:
        yield from leaves(each)


def downtime(answers: Sequence[Answer]) -> float:
    """Seconds in which nobody was answered: of every run of failures that no answer interrupts, from its first on."""
    total, since = 0.0, None
    for answer in sorted(answers, key=lambda one: one.sent):
        if answer.failed and answer.version == "":
            since = answer.sent if since is None else since
        elif since is not None:
            total, since = total + answer.sent - since, None
    return total


def seen_by(answers: Sequence[Answer], version: int) -> dict[str, int]:
    """How many requests, and how many of the users, a version has answered."""
    ordered = sorted(answers, key=lambda one: one.sent)
    met = [index % USERS for index, answer in enumerate(ordered) if answer.version == str(version)]
    return {"requests": len(met), "users": len(set(met))}


@dataclass(frozen=True)
class Trial:
    """One strategy, from its first rollout to its last."""

    bench: Bench
    name: str
    load: Load

    def run(self) -> dict[str, Any]:
        """Roll the good version out and back, then the bad one."""
        result: dict[str, Any] = {"strategy": self.name, "fields": len(list(leaves(STRATEGIES[self.name])))}
        result["good"] = self._good()
        result["command"] = self._back(BETTER)
        result["bad"] = self._bad()
        return result

    def _good(self) -> dict[str, Any]:
        since, began = len(self.load.answers), time.monotonic()
        with Census(self.bench) as census:
            self.bench.stack.move_alias(ALIAS, BETTER)
            self.bench.until(lambda sight: sight.stable == str(BETTER) and not sight.candidate)
            seconds = time.monotonic() - began
            time.sleep(SETTLED_SECONDS)
        answers = self.load.answers[since:]
        switched = last_sent_to(answers, FIRST)
        tested = sum(answer.version == str(BETTER) and answer.sent < switched for answer in answers)
        return {
            "seconds": seconds, "requests": len(answers), "failed": sum(answer.failed for answer in answers),
            "downtime": downtime(answers), "tested_before": tested, "pod_seconds": census.above_steady,
        }  # fmt: skip

    def _back(self, version: int) -> dict[str, Any]:
        """Go back by command; from the command to the last request that the version gets."""
        since = len(self.load.answers)
        status = self.bench.watcher.look().status
        earlier = next(entry for entry in status["retired"] if entry["revision"]["modelVersion"] == str(FIRST))
        began = time.monotonic()
        wish = f"sluice.dev/rollback={earlier['revision']['name']}"
        self.bench.stack.shell.kubectl("annotate", "md", NAME, "-n", NAMESPACE, wish, "--overwrite")
        self.bench.until(lambda sight: sight.stable == str(FIRST) and not sight.candidate)
        time.sleep(SETTLED_SECONDS)
        answers = self.load.answers[since:]
        self.bench.stack.move_alias(ALIAS, FIRST)
        return {
            "off_seconds": max(0.0, last_sent_to(answers, version) - began),
            "failed": sum(answer.failed and answer.version != str(BROKEN) for answer in answers),
            "downtime": downtime(answers),
        }  # fmt: skip

    def _bad(self) -> dict[str, Any]:
        since = len(self.load.answers)
        self.bench.stack.move_alias(ALIAS, BROKEN)
        self.bench.until(lambda sight: bool(sight.candidate))
        noticed = self._noticed()
        decided = time.monotonic()
        if not noticed:
            self._back(BROKEN)
        time.sleep(SETTLED_SECONDS)
        answers = self.load.answers[since:]
        return {
            "noticed": noticed, "seen": seen_by(answers, BROKEN), "downtime": downtime(answers),
            "failed_elsewhere": sum(answer.failed and answer.version != str(BROKEN) for answer in answers),
            "off_seconds": max(0.0, last_sent_to(answers, BROKEN) - decided),
        }  # fmt: skip

    def _noticed(self) -> bool:
        """Whether the broken version is rolled back by itself."""
        end = time.monotonic() + NOTICED_SECONDS
        while time.monotonic() < end:
            if self.bench.watcher.look().rejected == str(BROKEN):
                return True
            time.sleep(0.05)
        return False


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the result as a table in Markdown."""
    head = (
        "strategy", "fields", "failed", "downtime, s", "real requests before all depend on it", "pod-seconds more",
        "bad version: noticed", "saw it: requests", "users", "decision to off, s", "command to off, s",
    )  # fmt: skip
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for row in rows:
        good, bad, command = row["good"], row["bad"], row["command"]
        cells = (
            row["strategy"], row["fields"], f"{good['failed']} of {good['requests']:,}", f"{good['downtime']:.1f}",
            good["tested_before"], f"{good['pod_seconds']:.0f}", "by itself" if bad["noticed"] else "by a person",
            bad["seen"]["requests"], f"{bad['seen']['users']} of {USERS}", f"{bad['off_seconds']:.1f}",
            f"{command['off_seconds']:.1f}",
        )  # fmt: skip
        lines.append(f"| {' | '.join(str(cell) for cell in cells)} |")
    return "\n".join(lines)


def main() -> int:
    """Measure and write the result down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cluster", default="sluice")
    parser.add_argument("--only", choices=tuple(STRATEGIES), action="append")
    options = parser.parse_args()
    stack = bring_up(options.cluster, print)
    bench = Bench(stack, Watcher(NAMESPACE, NAME, stack.shell.env["KUBECONFIG"]))
    rows = []
    for name in options.only or STRATEGIES:
        bench.install(STRATEGIES[name], warm_seconds=WARM_SECONDS, replicas=REPLICAS)
        with bench.load(RATE) as load:
            time.sleep(5)
            rows.append(Trial(bench, name, load).run())
        print(json.dumps(rows[-1]), flush=True)
    stack.shell.kubectl("delete", "md", NAME, "-n", NAMESPACE, "--ignore-not-found", "--timeout=90s")
    result = {"machine": described(here()), "rate": RATE, "users": USERS, "replicas": REPLICAS, "strategies": rows}
    (RESULTS / "strategies.json").write_text(json.dumps(result, indent=1) + "\n")
    print(table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
