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
from typing import Any

from hack.stack.commands import ROOT, Shell, StackError, environment, module
from hack.stack.forward import forward

RELEASE = "sluice"
NAMESPACE = "sluice-system"
IN_CLUSTER_MLFLOW = "http://mlflow.mlflow.svc:5000"
MODEL = "penguins"
VERSIONS = ("first", "better", "failing", "broken", "slow")
VERSIONS_TAG = "sluice.dev/demo-versions"


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
        """Let an alias name another version, as CI does after training; by one request, which takes no time."""
        _registry(self, "POST", "alias", name=model, alias=alias, version=str(version))


def bring_up(cluster: str, say: Callable[[str], None]) -> Stack:
    """Return a ready stack on a cluster: `kind`, `current` (the user's own), or an embedded one of that name.

    Raises:
        StackError: a step failed.
    """
    # These two show their own progress.
    _visible("hack.clusters", "up", "--name", cluster)
    loaded = _visible("hack.images", "load", "--cluster", cluster, stdout=subprocess.PIPE)
    images = dict(line.split("=", 1) for line in loaded.splitlines() if "=" in line)
    env = environment(Shell(environment("")).run(*module("hack.clusters", "env", "--name", cluster)))
    shell = Shell(env)
    with _step(say, "MLflow tracking server"):
        stack = Stack(shell, env["GATEWAY_URL"], mlflow(shell, images["mlflow"], owned=cluster != "current"), images)
    with _step(say, "Sluice, by its Helm chart"):
        if cluster != "current":
            forget_interrupted(stack)
        install_chart(stack)
    with _step(say, f"models: {', '.join(VERSIONS)}; trained and registered"):
        train_versions(stack)
    return stack


def install_chart(stack: Stack, *options: str) -> None:
    """Install or upgrade the operator with real Helm."""
    helm(stack, "upgrade", "--install", "--take-ownership", RELEASE, "charts/sluice", *values(stack), *options)


def forget_interrupted(stack: Stack) -> None:
    """Helm refuses to touch a release that an interrupted helm was changing: take its note of that away.

    Only on clusters that nobody else changes.
    """
    states = "pending-install,pending-upgrade,pending-rollback,uninstalling"
    label = f"owner=helm,name={RELEASE},status in ({states})"
    stack.shell.kubectl("--namespace", NAMESPACE, "delete", "secrets", "--selector", label, "--ignore-not-found")


def helm(stack: Stack, command: str, *arguments: str) -> str:
    """Run a helm command on the release's namespace, and wait for what it does."""
    where = ("--namespace", NAMESPACE, *(("--create-namespace",) if command != "uninstall" else ()))
    return stack.shell.run("helm", command, *where, *arguments, "--wait", "--timeout", "3m")


def values(stack: Stack) -> tuple[str, ...]:
    """Return the chart's values for this stack, as helm's options."""
    repository, tag = stack.images["operator"].rsplit(":", 1)
    return (
        "--set", f"image.repository={repository}", "--set-string", f"image.tag={tag}",
        "--set", f"server.image={stack.images['server']}",
        "--set", f"collector.image={stack.images['collector']}",
        "--set", "collector.enabled=true,collector.persistence.enabled=false",
        "--set", f"mlflow.trackingUri={IN_CLUSTER_MLFLOW}",
        "--set", "registry.pollSeconds=2",
    )  # fmt: skip


def train_versions(stack: Stack, model: str = MODEL) -> None:
    """Register the demo's versions, once: version 1 is the first, 2 the better, 3 the failing one, and so on.

    The tag comes last: what another checkout registered, or half of it, is taken away before.
    """
    wanted = f"{','.join(VERSIONS)}; with golden sets"
    found = _registry(stack, "GET", f"get?name={model}")
    if found is not None:
        if {"key": VERSIONS_TAG, "value": wanted} in found["registered_model"].get("tags", ()):
            return
        _registry(stack, "DELETE", "delete", name=model)
    stack.train("demo-versions", "--name", model, "--kinds", ",".join(VERSIONS))
    _registry(stack, "POST", "set-tag", name=model, key=VERSIONS_TAG, value=wanted)


def _registry(stack: Stack, method: str, call: str, **body: str) -> dict[str, Any] | None:
    """Call MLflow about a registered model; None when there is none."""
    url = f"{stack.mlflow_url}/api/2.0/mlflow/registered-models/{call}"
    request = urllib.request.Request(  # noqa: S310 - our own tracking server
        url,
        method=method,
        data=json.dumps(body).encode() if body else None,
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            found: dict[str, Any] = json.load(answer)
            return found
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        raise StackError(f"MLflow answers {error.code}") from error


def mlflow(shell: Shell, image: str, *, owned: bool) -> str:
    """Install MLflow and return where it answers on this machine.

    On a cluster of our own its node port leads here; on anybody else's it is reached within the cluster only, and
    through a port that kubectl forwards as long as this process lives.
    """
    shell.apply(mlflow_manifest(image, owned=owned))
    shell.kubectl("--namespace", "mlflow", "rollout", "status", "deployment/mlflow", "--timeout=180s")
    url = shell.env.get("MLFLOW_TRACKING_URI") or forward(shell, "mlflow", "service/mlflow", 5000)
    for _ in range(100):
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5):  # noqa: S310
                return url
        except OSError:
            time.sleep(0.2)
    raise StackError(f"MLflow does not answer at {url}: look at kubectl -n mlflow get pods")


def mlflow_manifest(image: str, *, owned: bool) -> str:
    """Return MLflow's objects; the node port, which has no log-in, only on a cluster of our own."""
    manifest = (ROOT / "hack/mlflow/mlflow.yaml").read_text().replace("localhost/sluice-mlflow:TAG", image)
    return manifest if owned else manifest.replace("type: NodePort", "type: ClusterIP").replace(", nodePort: 30500", "")


@contextmanager
def _step(say: Callable[[str], None], title: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    say(f"· {title} ({time.monotonic() - began:.0f} s)")


def _visible(*arguments: str, stdout: int | None = None) -> str:
    """Run one of our own modules and let its progress be seen; return its standard output, if that is a pipe."""
    command = module(*arguments)
    done = subprocess.run(command, cwd=ROOT, stdout=stdout, text=True, check=False)
    if done.returncode:
        print(f"{' '.join(command)} failed; what it printed above says why.", file=sys.stderr)
        raise StackError(f"{' '.join(command)} failed")
    return done.stdout or ""
