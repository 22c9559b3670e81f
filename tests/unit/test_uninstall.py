"""Before the operator goes it is stopped, and lets go of every ModelDeployment."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from sluice.controller.handlers import FINALIZER
from sluice.kube.api import Manifest, Manifests, Resource
from sluice.kube.errors import ConflictError, NotFoundError, UnavailableError
from sluice.uninstall import StillRunningError, Where, release, uninstall

WHERE = Where(operator_namespace="system", operator_deployment="sluice", operator_selector="a=b", stop_seconds=2)
OTHER = "example.com/other"


def model(name: str = "m", namespace: str = "n", finalizers: Any = (FINALIZER,), **annotations: str) -> Manifest:
    meta = {"name": name, "namespace": namespace, "resourceVersion": "1", "finalizers": list(finalizers)}
    return {"metadata": meta | {"annotations": {key.replace("_", "/"): value for key, value in annotations.items()}}}


@dataclass
class Cluster:
    """What the hook sees; pods end after some looks."""

    models: list[Manifest]
    looks_until_stopped: int = 2
    deployment: bool = True
    disturb: int = 0
    gone: bool = False
    log: list[Any] = field(default_factory=list)

    async def list(self, resource: Resource, namespace: str, labels: str) -> Manifests:
        assert (resource.kind, namespace, labels) == ("Pod", "system", "a=b")
        self.log.append("look")
        self.looks_until_stopped -= 1
        return [{"metadata": {"name": "sluice-0"}}] if self.looks_until_stopped >= 0 else []

    async def pages(self, resource: Resource, namespace: str = "") -> AsyncIterator[Manifests]:
        for found in self.models:
            if namespace in ("", found["metadata"]["namespace"]):
                yield [found]

    async def get(self, resource: Resource, namespace: str, name: str) -> Manifest | None:
        return next((m for m in self.models if m["metadata"]["name"] == name), None)

    async def merge(self, resource: Resource, namespace: str, name: str, patch: Manifest) -> Manifest:
        if resource.kind == "Deployment":
            self.log.append((namespace, name, patch))
            if not self.deployment:
                raise NotFoundError("gone")
            return patch
        if self.gone:
            raise NotFoundError("gone")
        found = next(m for m in self.models if m["metadata"]["name"] == name)["metadata"]
        if self.disturb:
            self.disturb -= 1
            found["resourceVersion"] = str(int(found["resourceVersion"]) + 1)
        if patch["metadata"].pop("resourceVersion") != found["resourceVersion"]:
            raise ConflictError("changed")
        self.log.append(name)
        found["finalizers"] = patch["metadata"]["finalizers"] or []
        for key in patch["metadata"].get("annotations", {}):
            del found["annotations"][key]
        return {"metadata": found}


async def nothing(seconds: float) -> None:
    """No test waits."""


async def test_the_operator_is_gone_before_anything_is_let_go() -> None:
    cluster = Cluster([model("a"), model("b", finalizers=[])])
    assert await uninstall(cluster, WHERE, nothing) == 1
    assert cluster.log == [("system", "sluice/scale", {"spec": {"replicas": 0}}), "look", "look", "look", "a"]
    assert cluster.models[0]["metadata"]["finalizers"] == []


async def test_what_others_put_on_it_stays() -> None:
    cluster = Cluster([model(finalizers=[OTHER, FINALIZER], **{"kopf.sluice.dev_x": "1", "mine_y": "2"})])
    await uninstall(cluster, WHERE, nothing)
    meta = cluster.models[0]["metadata"]
    assert (meta["finalizers"], meta["annotations"]) == ([OTHER], {"mine/y": "2"})


async def test_only_the_namespaces_that_were_watched_are_looked_at() -> None:
    cluster = Cluster([model("a", "one"), model("b", "two")])
    assert await uninstall(cluster, WHERE.model_copy(update={"namespaces": ("two",)}), nothing) == 1
    assert cluster.log[-1] == "b"


async def test_somebody_who_writes_at_the_same_time_does_not_keep_it_held() -> None:
    cluster = Cluster([model()], disturb=3)
    await uninstall(cluster, WHERE, nothing)
    assert cluster.models[0]["metadata"]["finalizers"] == []


async def test_one_that_goes_away_meanwhile_is_fine() -> None:
    assert await uninstall(Cluster([model()], gone=True), WHERE, nothing) == 1


async def test_an_operator_that_is_gone_already_is_fine() -> None:
    assert await uninstall(Cluster([model()], deployment=False, looks_until_stopped=0), WHERE, nothing) == 1


async def test_an_operator_that_does_not_end_is_named_and_nothing_is_let_go() -> None:
    cluster = Cluster([model()], looks_until_stopped=10**6)
    with pytest.raises(StillRunningError, match=r"do not end \(sluice-0\)"):
        await uninstall(cluster, WHERE, nothing)
    assert cluster.models[0]["metadata"]["finalizers"] == [FINALIZER]


async def test_doing_it_again_changes_nothing() -> None:
    cluster = Cluster([model()])
    await uninstall(cluster, WHERE, nothing)
    assert await uninstall(cluster, WHERE, nothing) == 0


def test_a_failure_is_one_line_and_an_exit_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from sluice import uninstall as module

    async def fails(_: Where) -> int:
        raise UnavailableError("the API server can't be reached")

    for name, value in WHERE.model_dump(exclude={"namespaces"}).items():
        monkeypatch.setenv(f"SLUICE_{name.upper()}", str(value))
    monkeypatch.setattr(module, "run", fails)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    assert module.main() == 1
    assert capsys.readouterr().out == "the API server can't be reached\n"


def test_nothing_to_take_off_is_no_write() -> None:
    assert release(model(finalizers=[OTHER])) is None
    assert release({"metadata": {"name": "m", "resourceVersion": "1"}}) is None
