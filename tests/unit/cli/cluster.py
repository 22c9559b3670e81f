"""A cluster for the plugin: a few objects by path, and an operator that answers as it is told to."""

from __future__ import annotations

import copy
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sluice.cli import names
from sluice.cli.errors import ApiError
from sluice.cli.kubectl import Object

NOW = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)
ONE = {"name": "aaaa", "modelName": "penguins", "modelVersion": "1", "digest": "sha256:1", "image": "server"}
TWO = {"name": "bbbb", "modelName": "penguins", "modelVersion": "2", "digest": "sha256:2", "image": "server"}
THREE = {"name": "cccc", "modelName": "penguins", "modelVersion": "3", "digest": "sha256:3", "image": "server"}
STEPS = [{"setWeight": 10}, {"analysis": {}}, {"setWeight": 50}, {"pause": {}}]


def model_deployment(name: str = "penguins", namespace: str = "shop", **status: object) -> Object:
    """A ModelDeployment where version 1 serves, unless the status says more."""
    return {
        "kind": names.KIND,
        "metadata": {"name": name, "namespace": namespace, "resourceVersion": "1", "generation": 1,
                     "creationTimestamp": "2030-01-01T11:00:00Z"},
        "spec": {"model": {"uri": "models:/penguins@champion"}, "strategy": {"canary": {"steps": STEPS}}},
        "status": {"observedGeneration": 1, "stable": ONE, "message": "penguins/1 serves all traffic",
                   "verdict": "Successful"} | status,
    }  # fmt: skip


def rollout(step: int = 1, weight: int = 10, **more: object) -> Object:
    """A rollout of version 2."""
    return {"revision": TWO, "startedAt": "2030-01-01T11:58:00Z", "stepIndex": step, "weight": weight,
            "stepStartedAt": "2030-01-01T11:59:00Z"} | more  # fmt: skip


@dataclass
class Cluster:
    """What the API server has; `answer` is what the operator does with a change."""

    found: list[Object] = field(default_factory=list)
    records: list[Object] = field(default_factory=list)
    others: dict[str, Object] = field(default_factory=dict)
    answer: Callable[[Object], None] | None = None
    errors: list[ApiError] = field(default_factory=list)
    patches: list[Object] = field(default_factory=list)
    between: Callable[[Object], None] | None = None
    me: str | None = "maria"
    flags: Sequence[str] = ()
    installed: bool = True

    def __call__(self, flags: Sequence[str]) -> Cluster:
        self.flags = flags
        return self

    def get(self, path: str) -> Object:
        if self.errors:
            raise self.errors.pop(0)
        path = path.partition("?")[0]
        if path in self.others:
            return self.others[path]
        if not path.startswith(f"/apis/{names.GROUP}/"):
            return {"items": []}
        if not self.installed:
            raise ApiError("NotFound", "the server could not find the requested resource")
        if path.endswith(names.RECORD_PLURAL):
            return {"items": self.records}
        if path.endswith(names.PLURAL):
            return {"items": [o for o in self.found if path in (names.resources(None), _list(o))]}
        for one in self.found:
            if path == f"{_list(one)}/{one['metadata']['name']}":
                return copy.deepcopy(one)
        raise ApiError("NotFound", f'{names.PLURAL}.{names.GROUP} "{path.rpartition("/")[2]}" not found')

    def watch(self, path: str) -> Iterator[Object]:
        yield from ()

    def merge(self, namespace: str, name: str, patch: Object) -> Object:
        live = next(o for o in self.found if (o["metadata"]["namespace"], o["metadata"]["name"]) == (namespace, name))
        if self.between:
            between, self.between = self.between, None
            between(live)
            live["metadata"]["resourceVersion"] += "1"
        if patch["metadata"].get("resourceVersion") != live["metadata"]["resourceVersion"]:
            raise ApiError("Conflict", "the object has been modified")
        self.patches.append(patch)
        live["spec"] |= patch.get("spec", {})
        live["metadata"]["annotations"] = patch["metadata"].get("annotations", {})
        live["metadata"]["generation"] += bool(patch.get("spec"))
        if self.answer:
            self.answer(live)
        return live

    def user(self) -> str | None:
        return self.me

    def namespace(self) -> str:
        return "shop"

    def close(self) -> None:
        pass


def says(outcome: str) -> Callable[[Object], None]:
    """An operator that answers every wish with a sentence."""

    def answer(live: Object) -> None:
        wishes = {k: v for k, v in live["metadata"]["annotations"].items() if k != names.ACTOR}
        for annotation, revision in wishes.items():
            action = annotation.partition("/")[2]
            last = {"action": action, "revision": revision, "outcome": outcome, "at": "2030-01-01T12:00:00Z"}
            live["status"]["lastAction"] = last

    return answer


@dataclass
class Clock:
    """Time that passes only while somebody sleeps."""

    time: float = 0.0
    wakes: list[Callable[[], None]] = field(default_factory=list)

    def monotonic(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds
        if self.wakes:
            self.wakes.pop(0)()


def terminal() -> io.StringIO:
    """Return a stream that says it is a terminal."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    return Terminal()


def _list(one: Object) -> str:
    return names.resources(one["metadata"]["namespace"])
