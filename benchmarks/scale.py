"""What many idle objects cost: `make bench-scale`.

Sluice beside Argo Rollouts, one after the other on the same cluster, both as a process outside of it, with default
settings, and both with objects of no replicas. Everything is measured from outside: by a watch on the objects, and by
what the kernel says of the process.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from benchmarks.clients import GIVEN_UP, Client, Request, Watch
from benchmarks.contestants import Contestant, argo_rollouts, sluice
from benchmarks.machine import RESULTS, described, here
from benchmarks.processes import Program, at_rest, running
from benchmarks.registry import registry
from hack.cluster.api import Api
from hack.cluster.paths import ClusterPaths
from hack.stack.commands import ROOT, Shell, environment, module

PATIENCE_SECONDS = 7200.0
QUIET_SECONDS = 15.0
SETTLE_SECONDS = 120.0  # who never comes to rest is measured as it is then
REST_SECONDS = 60.0
MERGE = "application/merge-patch+json"


@dataclass(frozen=True)
class Measurement:
    """One contestant on one cluster with a number of objects."""

    contestant: Contestant
    client: Client
    number: int
    logs: Path

    def run(self) -> dict[str, Any]:
        """Measure all of it; leave no object behind."""
        result: dict[str, Any] = {"name": self.contestant.name, "version": self.contestant.version}
        result["objects"] = self.number
        result["load_before"] = os.getloadavg()[0]
        self._put_namespace()
        with self._started() as program:
            self._warm_up()
            result |= self._creation()
            print(json.dumps(result), flush=True)
            result["settled_seconds"] = self._settle(program)
            result["memory_mib"], result["peak_mib"] = program.memory(), program.peak()
            result["cpu_at_rest_percent"] = at_rest(program, REST_SECONDS)
            print(json.dumps(result), flush=True)
        self._edit_all()
        began = time.monotonic()
        with self._started() as program:
            result |= self._restart(began)
            time.sleep(QUIET_SECONDS)
            result["restart_memory_mib"], result["restart_peak_mib"] = program.memory(), program.peak()
            print(json.dumps(result), flush=True)
            result["deletion_seconds"] = self._delete_all()
        result["load_after"] = os.getloadavg()[0]
        return result

    def _started(self) -> Any:
        log = self.logs / f"{self.contestant.namespace}.log"
        return running(self.contestant.command, self.contestant.env, log)

    def _put_namespace(self) -> None:
        meta = {"name": self.contestant.namespace}
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}
        path = f"/api/v1/namespaces/{meta['name']}?fieldManager=bench&force=true"
        self.client.one(Request("PATCH", path, body, "application/apply-patch+yaml"))

    def _create(self, *numbers: int) -> None:
        it = self.contestant
        self.client.all(Request("POST", it.collection, it.object(number)) for number in numbers)

    def _warm_up(self) -> None:
        """See that it runs: with one object."""
        with self._watch() as watch:
            self._create(self.number)
            if not watch.wait(1, 120):
                raise RuntimeError(f"{self.contestant.name} does nothing: see {self.logs}")
        self._delete_all()

    def _creation(self) -> dict[str, float]:
        with self._watch() as watch:
            began = time.monotonic()
            self._create(*range(self.number))
            created = time.monotonic()
            complete = watch.wait(self.number, PATIENCE_SECONDS)
        times = sorted(moment - began for moment in watch.reached.values())
        return {
            "create_requests_seconds": created - began,
            "status_all_seconds": times[-1] if complete else float("inf"),
            "status_median_seconds": times[len(times) // 2],
        }

    def _edit_all(self) -> None:
        """Change every spec while nobody looks: who takes it up has looked."""
        patch = {"spec": {"progressDeadlineSeconds": 601}}
        paths = [f"{self.contestant.collection}/model-{number}" for number in range(self.number)]
        self.client.all(Request("PATCH", path, patch, MERGE) for path in paths)

    def _restart(self, began: float) -> dict[str, float]:
        with self._watch() as watch:
            complete = watch.wait(self.number, PATIENCE_SECONDS)
        return {"restart_all_seconds": max(watch.reached.values()) - began if complete else float("inf")}

    def _settle(self, program: Program) -> float:
        """Wait until nothing changes any more; return how long it took."""
        began = last = time.monotonic()
        sets = f"/apis/apps/v1/namespaces/{self.contestant.namespace}/replicasets"
        with self._watch() as objects, Watch(self.client, sets, lambda _: False) as children:
            seen, used = -1, program.cpu()
            while time.monotonic() - last < QUIET_SECONDS and time.monotonic() - began < SETTLE_SECONDS:
                time.sleep(1)
                writes = objects.writes + children.writes
                if writes != seen or program.cpu() - used > 0.5:
                    last, seen = time.monotonic(), writes
                used = program.cpu()
        return last - began

    def _delete_all(self) -> float:
        began = time.monotonic()
        delete = Request("DELETE", self.contestant.collection)
        while self.client.one(delete, timeout=PATIENCE_SECONDS).get("code") == GIVEN_UP:
            pass  # of very many it deletes some each time
        while self.client.one(Request("GET", f"{self.contestant.collection}?limit=1"))["items"]:
            if time.monotonic() - began > PATIENCE_SECONDS:
                raise RuntimeError(f"objects of {self.contestant.name} do not go away")
            time.sleep(0.2)
        return time.monotonic() - began

    def _watch(self) -> Watch:
        return Watch(self.client, self.contestant.collection, self.contestant.is_done)


ROWS = {
    "until all have a status": "status_all_seconds",
    "until half have one": "status_median_seconds",
    "until all edits are taken up after a restart": "restart_all_seconds",
    "resident at rest, MiB": "memory_mib",
    "resident at most, MiB": "peak_mib",
    "resident at most after the restart, MiB": "restart_peak_mib",
    "processor at rest, % of a core": "cpu_at_rest_percent",
    "until all are deleted": "deletion_seconds",
}


def table(results: list[dict[str, Any]]) -> str:
    """Return the results side by side, in Markdown; times in seconds."""
    lines = ["| " + " | ".join(["", *(f"{r['name']}, {r['objects']:,}" for r in results)]) + " |"]
    lines.append("|---" * (len(results) + 1) + "|")
    for title, key in ROWS.items():
        lines.append("| " + " | ".join([title, *(f"{r[key]:.1f}" for r in results)]) + " |")
    return "\n".join(lines)


def main() -> int:
    """Measure and write the result down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cluster", default="scale")
    parser.add_argument("--objects", type=int, default=1000)
    parser.add_argument("--models", type=int, help="how many different models they follow (default: each its own)")
    parser.add_argument("--only", choices=("sluice", "argo", "argo-unthrottled"), action="append")
    parser.add_argument("--write", metavar="NAME", help="the result's name in benchmarks/results")
    options = parser.parse_args()
    subprocess.run(module("hack.cluster", "up", "--name", options.cluster), cwd=ROOT, check=True)
    kubeconfig = ClusterPaths.of(options.cluster).kubeconfig
    client = Client(Api.from_kubeconfig(kubeconfig))
    shell = Shell(environment(Shell(environment("")).run(*module("hack.cluster", "env", "--name", options.cluster))))
    results = []
    with ExitStack() as held:
        logs = Path(mkdtemp(prefix="bench-scale-"))
        mlflow = held.enter_context(registry())
        makers = {
            "sluice": lambda: sluice(kubeconfig, mlflow.url, options.models or options.objects),
            "argo": lambda: argo_rollouts(kubeconfig),
            "argo-unthrottled": lambda: argo_rollouts(kubeconfig, "--qps=1000", "--burst=1000"),
        }
        for name in options.only or makers:
            contestant = makers[name]()
            for crd in contestant.crds:
                shell.kubectl("apply", "--server-side", "--force-conflicts", "-f", str(crd))
            shell.kubectl("wait", "--for=condition=established", "crd", "--all", "--timeout=60s")
            results.append(Measurement(contestant, client, options.objects, logs).run())
            print(json.dumps(results[-1]), flush=True)
            if options.write:
                models = options.models or options.objects
                write(options.write, {"machine": described(here()), "models": models, "results": results})
    print(table(results))
    return 0


def write(name: str, content: dict[str, Any]) -> None:
    """Write a result down, after every contestant."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
