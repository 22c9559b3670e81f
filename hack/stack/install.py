"""Brings up what the product needs, step by step, each of them idempotent."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from hack.stack.commands import ROOT, Shell, StackError, environment, module

RELEASE = "sluice"
NAMESPACE = "sluice-system"
IN_CLUSTER_MLFLOW = "http://mlflow.mlflow.svc:5000"
MODEL = "penguins"
VERSIONS = ("first", "better", "failing", "broken")


@dataclass(frozen=True)
class Stack:
    """A cluster with everything on it."""

    shell: Shell
    gateway_url: str
    mlflow_url: str
    images: dict[str, str]

    def train(self, *arguments: str) -> list[dict[str, object]]:
        """Run `sluice-train` against the cluster's registry; return its lines of JSON."""
        out = self.shell.run(str(ROOT / ".venv/bin/sluice-train"), *arguments, "--tracking-uri", self.mlflow_url)
        return [json.loads(line) for line in out.splitlines() if line.startswith("{")]

    def move_alias(self, alias: str, version: int | str, model: str = MODEL) -> None:
        """Let an alias name another version, as CI does after training."""
        self.train("alias", "--name", model, "--alias", alias, "--version", str(version))


def bring_up(cluster: str, say: Callable[[str], None]) -> Stack:
    """Return a ready stack on an embedded cluster.

    Raises:
        StackError: a step failed.
    """
    # These two show their own progress.
    _visible("hack.cluster", "up", "--name", cluster)
    _visible("hack.images", "load", "--cluster", cluster)
    env = environment(Shell(environment("")).run(*module("hack.cluster", "env", "--name", cluster)))
    shell = Shell(env)
    images = dict(line.split("=", 1) for line in shell.run(*module("hack.images", "refs")).splitlines() if "=" in line)
    stack = Stack(shell, env["GATEWAY_URL"], env["MLFLOW_TRACKING_URI"], images)
    with _step(say, "MLflow tracking server"):
        _mlflow(stack)
    with _step(say, "Sluice, by its Helm chart"):
        install_chart(stack)
    with _step(say, "models: first, better, failing and broken, trained and registered"):
        train_versions(stack)
    return stack


def install_chart(stack: Stack, *options: str) -> None:
    """Install or upgrade the operator with real Helm."""
    repository, tag = stack.images["operator"].rsplit(":", 1)
    stack.shell.run(
        "helm", "upgrade", "--install", "--take-ownership", RELEASE, "charts/sluice",
        "--namespace", NAMESPACE, "--create-namespace",
        "--set", f"image.repository={repository}", "--set-string", f"image.tag={tag}",
        "--set", f"server.image={stack.images['server']}",
        "--set", f"mlflow.trackingUri={IN_CLUSTER_MLFLOW}",
        "--set", "registry.pollSeconds=2",
        *options, "--wait", "--timeout", "3m",
    )  # fmt: skip


def train_versions(stack: Stack, model: str = MODEL) -> None:
    """Register the demo's versions, once: version 1 is the first, 2 the better, 3 the failing, 4 the broken one."""
    query = f"{stack.mlflow_url}/api/2.0/mlflow/registered-models/get?name={model}"
    try:
        with urllib.request.urlopen(query, timeout=10) as answer:  # noqa: S310 - our own tracking server
            json.load(answer)
        return
    except urllib.error.HTTPError as error:
        if error.code != 404:
            raise StackError(f"MLflow answers {error.code}") from error
    stack.train("demo-versions", "--name", model, "--kinds", ",".join(VERSIONS))


def _mlflow(stack: Stack) -> None:
    manifest = (ROOT / "hack/mlflow/mlflow.yaml").read_text()
    stack.shell.apply(manifest.replace("localhost/sluice-mlflow:TAG", stack.images["mlflow"]))
    stack.shell.kubectl("--namespace", "mlflow", "rollout", "status", "deployment/mlflow", "--timeout=180s")
    for _ in range(100):
        try:
            with urllib.request.urlopen(f"{stack.mlflow_url}/health", timeout=5):  # noqa: S310
                return
        except OSError:
            time.sleep(0.2)
    raise StackError(f"MLflow does not answer at {stack.mlflow_url}: look at kubectl -n mlflow get pods")


@contextmanager
def _step(say: Callable[[str], None], title: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    say(f"· {title} ({time.monotonic() - began:.0f} s)")


def _visible(*arguments: str) -> None:
    command = module(*arguments)
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        print(f"{' '.join(command)} failed; what it printed above says why.", file=sys.stderr)
        raise StackError(f"{' '.join(command)} failed")
