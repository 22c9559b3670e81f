"""One ModelDeployment under test, and the verbs of its life."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from kubernetes.client import ApiException, CustomObjectsApi
from kubernetes.config import new_client_from_config
from urllib3.exceptions import HTTPError

from hack.stack.commands import StackError
from hack.stack.install import MODEL, Stack

Status = dict[str, Any]
PATIENCE_SECONDS = 180.0

# Quick to prove and quick to see: what the steps do is tested, not how long they take.
STEPS = [
    {"setWeight": 20},
    {"analysis": {"marginAbsolute": 0.1, "minRequests": 30}},
    {"setWeight": 50},
    {"analysis": {"marginAbsolute": 0.05, "minRequests": 30}},
]


@dataclass
class Subject:
    """A ModelDeployment called `model` in a namespace of its own."""

    stack: Stack
    namespace: str
    name: str = "model"

    @property
    def alias(self) -> str:
        """An alias that no other test moves."""
        return f"a{self.namespace.replace('-', '')}"

    @property
    def uri(self) -> str:
        """The model URI that follows the alias."""
        return f"models:/{MODEL}@{self.alias}"

    def create_namespace(self) -> None:
        """Make room for it, under the restricted pod security standard."""
        labels = {"pod-security.kubernetes.io/enforce": "restricted"}
        self._apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace, "labels": labels}})

    def remove(self) -> None:
        """Take everything away; a finalizer that is never taken off would show here."""
        self.kubectl("delete", "md", "--all", "--timeout=60s")
        self.stack.shell.kubectl("delete", "namespace", self.namespace, "--wait=false")

    def kubectl(self, *arguments: str) -> str:
        """Run kubectl in its namespace."""
        return self.stack.shell.kubectl("--namespace", self.namespace, *arguments)

    def alias_to(self, version: int) -> None:
        """Move the alias that it follows."""
        self.stack.move_alias(self.alias, version)

    def apply(self, **spec: Any) -> None:
        """Apply it; keyword arguments are fields of the spec, in camelCase."""
        self._apply(self.manifest(**spec))

    def apply_all(self, specs: Iterable[dict[str, Any]]) -> None:
        """Apply it again and again, as fast as kubectl can."""
        self.stack.shell.apply("\n---\n".join(json.dumps(self.manifest(**spec)) for spec in specs))

    def manifest(self, **spec: Any) -> dict[str, Any]:
        """Return the whole object."""
        default: dict[str, Any] = {
            "model": {"uri": self.uri},
            "replicas": 1,
            "traffic": {
                "gateway": {"name": "public", "namespace": "gateways"},
                "pathPrefix": f"/{self.namespace}",
            },
            "strategy": {"canary": {"steps": STEPS}},
            "scaleDownDelaySeconds": 5,
        }
        return {
            "apiVersion": "sluice.dev/v1alpha1",
            "kind": "ModelDeployment",
            "metadata": {"name": self.name, "namespace": self.namespace},
            "spec": {field: value for field, value in (default | spec).items() if value is not None},
        }

    def install(self, version: int = 1, **spec: Any) -> None:
        """Apply it and wait until a version serves."""
        self.alias_to(version)
        self.apply(**spec)
        self.until(lambda status: stable(status) == version and is_true(status, "Ready"), f"version {version} serves")
        self.reached()

    def reached(self) -> None:
        """Wait until it is reached: Ready says so, but for clusters that the gateway holds up (design/places)."""
        self.until(lambda _: self.answers(), "the gateway's proxies know it")

    def answers(self) -> bool:
        """Whether the model is reached through the gateway."""
        url = f"{self.stack.gateway_url}/{self.namespace}/ping"
        return self.stack.shell.attempt("curl", "--silent", "--fail", "--max-time", "5", url).returncode == 0

    def annotate(self, action: str) -> None:
        """Ask for an action on the present candidate."""
        revision = self.status()["rollout"]["revision"]["name"]
        self.kubectl("annotate", "md", self.name, f"sluice.dev/{action}={revision}", "--overwrite")

    def patch(self, spec: dict[str, Any]) -> None:
        """Change fields of the spec."""
        self.kubectl("patch", "md", self.name, "--type=merge", "--patch", json.dumps({"spec": spec}))

    def status(self) -> Status:
        """Return the status as it is stored.

        Raises:
            StackError: the API server does not answer, or has no such object.
        """
        where = ("sluice.dev", "v1alpha1", self.namespace, "modeldeployments", self.name)
        try:
            found: Status = self._objects.get_namespaced_custom_object(*where).get("status", {})
        except (ApiException, HTTPError) as error:
            raise StackError(f"{self.namespace}/{self.name} can't be read: {error}") from error
        return found

    @cached_property
    def _objects(self) -> CustomObjectsApi:
        """A connection that stays: a kubectl for each look takes a good part of a core from what is tested."""
        return CustomObjectsApi(new_client_from_config(self.stack.shell.env.get("KUBECONFIG")))

    def get(self, kind: str) -> list[dict[str, Any]]:
        """Return all objects of a kind in its namespace."""
        items: list[dict[str, Any]] = json.loads(self.kubectl("get", kind, "-o", "json"))["items"]
        return items

    def pods_of(self, version: int) -> set[str]:
        """Return the UIDs of a model version's pods, without those that are ending."""
        return {
            pod["metadata"]["uid"]
            for pod in self.get("pods")
            if pod["metadata"].get("annotations", {}).get("sluice.dev/model") == f"penguins/{version}"
            and "deletionTimestamp" not in pod["metadata"]
        }

    def events(self) -> list[tuple[str, str]]:
        """Return reasons and messages of its events, oldest first."""
        events = sorted(self.get("events"), key=lambda event: int(event["metadata"]["resourceVersion"]))
        return [(e["reason"], e["message"]) for e in events if e["involvedObject"]["kind"] == "ModelDeployment"]

    def until(self, true: Callable[[Status], bool], what: str) -> Status:
        """Wait until the status is as expected; the patience is for slow machines, nothing is measured."""
        status: Status = {}
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            status = self.status()
            if true(status):
                return status
            time.sleep(0.3)
        story = "\n".join(f"{reason}: {message}" for reason, message in self.events())
        raise AssertionError(f"never happened: {what}\n{json.dumps(status, indent=1)[:6000]}\n{story}")

    def _apply(self, manifest: dict[str, Any]) -> None:
        self.stack.shell.apply(json.dumps(manifest))


def stable(status: Status) -> int:
    """Version number of stable, 0 before the first install."""
    return int(status.get("stable", {}).get("modelVersion", 0))


def candidate(status: Status) -> int:
    """Version number of the candidate, 0 when no rollout is going on."""
    return int(status.get("rollout", {}).get("revision", {}).get("modelVersion", 0))


def rejected(status: Status) -> int:
    """Version number that was rolled back last, 0 if none."""
    entries = status.get("rejected") or [{}]
    return int(entries[-1].get("revision", {}).get("modelVersion", 0))


def weight(status: Status) -> int:
    """Percent of the traffic for the candidate."""
    return int(status.get("rollout", {}).get("weight", 0))


def condition(status: Status, kind: str) -> dict[str, Any]:
    """Return a condition."""
    return next((c for c in status.get("conditions", ()) if c["type"] == kind), {})


def is_true(status: Status, kind: str) -> bool:
    """Whether a condition is True."""
    return bool(condition(status, kind).get("status") == "True")
