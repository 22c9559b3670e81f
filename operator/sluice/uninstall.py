"""Lets go of every ModelDeployment before the operator is taken away: `python -m sluice.uninstall`, Helm's hook.

The operator is stopped first, or it would take hold again. What serves is left as it is. Everything may be done twice.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Protocol

from pydantic import Field

from sluice.api.base import GROUP
from sluice.controller.handlers import FINALIZER
from sluice.kube.api import DEPLOYMENTS, MODEL_DEPLOYMENTS, PODS, Manifest, Manifests, Resource
from sluice.kube.client import Kube, connect
from sluice.kube.errors import ConflictError, KubeError, NotFoundError
from sluice.settings import Scope

log = logging.getLogger(__name__)

ANNOTATIONS = f"kopf.{GROUP}/"
LOOK_SECONDS = 0.5


class Where(Scope):
    """What the hook is told by its environment."""

    operator_namespace: str = Field(min_length=1)
    operator_deployment: str = Field(min_length=1)
    operator_selector: str = Field(min_length=1, description="Labels of the operator's pods, as NAME=VALUE,…")
    stop_seconds: float = Field(default=120, gt=0, description="How long the operator's pods may take to end.")


class Api(Protocol):
    """What it needs of the Kubernetes API."""

    async def list(self, resource: Resource, namespace: str, labels: str) -> Manifests:
        """Return the objects that a label selector picks."""

    def pages(self, resource: Resource, namespace: str = "") -> AsyncIterator[Manifests]:
        """Yield the objects of a namespace, or of all."""

    async def get(self, resource: Resource, namespace: str, name: str) -> Manifest | None:
        """Return an object, None when it is not there."""

    async def merge(self, resource: Resource, namespace: str, name: str, patch: Manifest) -> Manifest:
        """Apply a JSON merge patch; return what is stored."""


class StillRunningError(Exception):
    """The operator does not end; the message says what to do."""


async def uninstall(api: Api, where: Where, sleep: Callable[[float], Awaitable[None]] = asyncio.sleep) -> int:
    """Stop the operator and let go of everything it holds; return how many ModelDeployments that were.

    Raises:
        KubeError: a request failed; run it again.
        StillRunningError: the operator's pods do not end.
    """
    await stop_operator(api, where, sleep)
    total = 0
    for namespace in where.namespaces or ("",):
        async for page in api.pages(MODEL_DEPLOYMENTS, namespace):
            held = [found for found in page if release(found)]
            await asyncio.gather(*(let_go(api, found) for found in held))
            total += len(held)
    return total


async def stop_operator(api: Api, where: Where, sleep: Callable[[float], Awaitable[None]]) -> None:
    """Scale the operator to nothing, and wait until its pods are gone."""
    namespace = where.operator_namespace
    try:
        # The scale subresource: the hook's role may change no other field.
        await api.merge(DEPLOYMENTS, namespace, f"{where.operator_deployment}/scale", {"spec": {"replicas": 0}})
    except NotFoundError:
        log.info("the operator's Deployment %s/%s is gone already", namespace, where.operator_deployment)
    for _ in range(int(where.stop_seconds / LOOK_SECONDS)):
        pods = await api.list(PODS, namespace, where.operator_selector)
        if not pods:
            return
        await sleep(LOOK_SECONDS)
    names = ", ".join(pod["metadata"]["name"] for pod in pods)
    raise StillRunningError(
        f"the operator's pods do not end ({names}); if their node is lost, delete them with --force, and run "
        "helm uninstall again"
    )


async def let_go(api: Api, found: Manifest) -> None:
    """Take off what we have put on one ModelDeployment, also when somebody writes to it at the same time."""
    meta = found["metadata"]
    current: Manifest | None = found
    while current and (patch := release(current)):
        try:
            await api.merge(MODEL_DEPLOYMENTS, meta["namespace"], meta["name"], patch)
        except ConflictError:
            current = await api.get(MODEL_DEPLOYMENTS, meta["namespace"], meta["name"])
            continue
        except NotFoundError:
            pass  # it was being deleted, and its last finalizer was ours
        log.info("let go of ModelDeployment %s/%s", meta["namespace"], meta["name"])
        return


def release(found: Manifest) -> Manifest | None:
    """Return the merge patch that takes our finalizer and kopf's notes off, None when there are none."""
    meta = found["metadata"]
    finalizers = meta.get("finalizers", [])
    notes = {name: None for name in meta.get("annotations", {}) if name.startswith(ANNOTATIONS)}
    if FINALIZER not in finalizers and not notes:
        return None
    kept = [finalizer for finalizer in finalizers if finalizer != FINALIZER]
    patch: Manifest = {"resourceVersion": meta["resourceVersion"], "finalizers": kept or None}
    return {"metadata": patch | ({"annotations": notes} if notes else {})}


async def run(where: Where) -> int:
    """Do it at the real API server."""
    client = await connect()
    try:
        return await uninstall(Kube(client), where)
    finally:
        await client.close()


def main() -> int:
    """Run as `python -m sluice.uninstall`."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout, force=True)
    try:
        total = asyncio.run(run(Where()))
    except (KubeError, StillRunningError) as problem:
        log.error("%s", problem)
        return 1
    log.info("let go of %d ModelDeployments; what they serve goes on", total)
    return 0


if __name__ == "__main__":
    sys.exit(main())
