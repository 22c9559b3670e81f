"""Lives through stories on a cluster and keeps what is printed."""

from __future__ import annotations

import json
import os
import shlex
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sluice_training.data import request_rows

from hack.load import Load
from hack.stack.commands import ROOT, Shell
from hack.stack.install import Stack
from hack.users import HEADER, Users

NAMESPACE, NAME, ALIAS, VARIANT = "shop", "penguins", "stories", "storiesvariant"
PATIENCE_SECONDS = 120.0
WIDTH = "112"
FIRST, BETTER, FAILING, BROKEN, SLOW = 1, 2, 3, 4, 5
STEPS: list[dict[str, Any]] = [
    {"setWeight": 10},
    {"analysis": {"marginAbsolute": 0.03}},
    {"setWeight": 50},
    {"pause": {}},
]
STICKY = {
    "gateway": {"name": "public", "namespace": "gateways"},
    "pathPrefix": f"/{NAMESPACE}",
    "sticky": {"header": HEADER},
}

Status = dict[str, Any]


class NeverHappenedError(Exception):
    """A story took another turn."""


@dataclass
class Teller:
    """Lives through stories and writes down what is printed."""

    stack: Stack
    written: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        env = dict(self.stack.shell.env)
        path = f"{ROOT / '.venv/bin'}{os.pathsep}{env['PATH']}"
        self.shell = Shell(env | {"PATH": path, "COLUMNS": WIDTH, "NO_COLOR": "1"})

    def story(self, title: str) -> None:
        """Begin a story."""
        self.written.append(f"## {title}\n")
        print(f"· {title}", flush=True)

    def moment(self, title: str, *commands: str) -> None:
        """Write down what some commands print; without any, the two that everybody types."""
        given = commands or (f"kubectl get md -n {NAMESPACE}", f"kubectl sluice status {NAME} -n {NAMESPACE}")
        lines = [f"{title}\n", "```console"]
        for command in given:
            done = self.shell.attempt(*shlex.split(command))
            lines += [f"$ {command}", *(line.rstrip() for line in (done.stdout + done.stderr).splitlines())]
        self.written.append("\n".join([*lines, "```\n"]))

    def apply(self, **spec: Any) -> None:
        """Apply the ModelDeployment; keyword arguments are fields of the spec."""
        default: Status = {
            "model": {"uri": f"models:/penguins@{ALIAS}"},
            "replicas": 2,
            "traffic": {"gateway": {"name": "public", "namespace": "gateways"}, "pathPrefix": f"/{NAMESPACE}"},
            "strategy": {"canary": {"steps": STEPS}},
            "scaleDownDelaySeconds": 120,
        }
        meta = {"name": NAME, "namespace": NAMESPACE}
        manifest = {"apiVersion": "sluice.dev/v1alpha1", "kind": "ModelDeployment", "metadata": meta}
        self.shell.apply(json.dumps(manifest | {"spec": default | spec}))

    def alias(self, version: int, name: str = ALIAS) -> None:
        """Move the alias, as CI does."""
        self.stack.move_alias(name, version)

    def plugin(self, *words: str) -> None:
        """Use the plugin."""
        self.shell.run("kubectl", "sluice", *words, "-n", NAMESPACE)

    def status(self) -> Status:
        """Return the status as it is stored."""
        raw = self.shell.kubectl("get", "md", NAME, "-n", NAMESPACE, "-o", "json")
        found: Status = json.loads(raw).get("status", {})
        return found

    def until(self, true: Callable[[Status], bool], what: str) -> None:
        """Wait until the status is as it has to be."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not true(self.status()):
            if time.monotonic() > end:
                raise NeverHappenedError(f"never happened: {what}\n{json.dumps(self.status(), indent=1)}")
            time.sleep(0.2)

    def says(self, *words: str) -> None:
        """Wait for a message."""
        self.until(lambda s: all(word in s.get("message", "") for word in words), " ".join(words))

    def serves(self, version: int) -> None:
        """Wait until a version has all traffic."""
        self.until(lambda s: stable_version(s) == version and "rollout" not in s, f"version {version} serves")

    def begin(self, version: int = FIRST, **spec: Any) -> None:
        """Start anew with a version that serves."""
        self.shell.attempt("kubectl", "delete", "md", NAME, "-n", NAMESPACE, "--ignore-not-found", "--timeout=90s")
        self.alias(version)
        self.apply(**spec)
        self.serves(version)

    def rejected(self) -> str:
        """Return the revision that was rejected last, or told of."""
        name: str = self.status()["rejected"][-1]["revision"]["name"]
        return name

    def traffic(self, rate: float) -> Load:
        """Real requests through the gateway."""
        return Load(f"{self.stack.gateway_url}/{NAMESPACE}/invocations", request_rows(), rate)

    def users(self, converts: Mapping[int, float]) -> Users:
        """Users with an id, who convert or not; the shares are given by version."""
        url = f"{self.stack.gateway_url}/{NAMESPACE}"
        return Users(url, request_rows(), 8, {str(version): share for version, share in converts.items()})


def stable_version(status: Status) -> int:
    """Return the version that serves, 0 before the first."""
    return int(status.get("stable", {}).get("modelVersion", 0))
