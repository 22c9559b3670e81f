"""Reads a ModelDeployment and its pods, and helps when there is none."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

from sluice.cli import names
from sluice.cli.errors import ApiError, CliError
from sluice.cli.kubectl import Api, Object

_NO_CRD = "could not find the requested resource"


@dataclass(frozen=True)
class Snapshot:
    """A ModelDeployment and its pods, as the API server has them, at one moment."""

    raw: Object
    pods: tuple[Object, ...]
    now: datetime


def now() -> datetime:
    """Return the time."""
    return datetime.now(UTC)


def model_deployment(api: Api, namespace: str, name: str) -> Object:
    """Return a ModelDeployment.

    Raises:
        CliError: there is none of this name, with names that are near; or no Sluice at all.
    """
    try:
        return api.get(names.resources(namespace, name=name))
    except ApiError as error:
        if error.reason != "NotFound":
            raise
        if _NO_CRD in error.message:
            raise no_sluice() from error
        raise _unknown(api, namespace, name) from error


def model_deployments(api: Api, namespace: str | None) -> list[Object]:
    """Return all ModelDeployments of a namespace, or of all of them."""
    return items(api, names.resources(namespace))


def snapshot(api: Api, namespace: str, name: str) -> Snapshot:
    """Read a ModelDeployment and its pods at the same time; without the right to see pods, none are shown."""
    with ThreadPoolExecutor(2) as pool:
        pods = pool.submit(_pods, api, namespace, name)
        raw = model_deployment(api, namespace, name)
        return Snapshot(raw, tuple(pods.result()), now())


def pods_path(namespace: str, name: str) -> str:
    """Return the API path of a ModelDeployment's pods."""
    return f"/api/v1/namespaces/{namespace}/pods?labelSelector={quote(f'{names.LABEL_MODEL_DEPLOYMENT}={name}')}"


def records(api: Api, namespace: str, name: str) -> list[Object]:
    """Return the RolloutRecords of a ModelDeployment, which may be gone itself, oldest first."""
    selector = quote(f"{names.LABEL_MODEL_DEPLOYMENT}={name}")
    found = items(api, f"{names.resources(namespace, names.RECORD_PLURAL)}?labelSelector={selector}")
    return sorted(found, key=lambda record: (record["spec"].get("startedAt", ""), record["metadata"]["name"]))


def items(api: Api, path: str) -> list[Object]:
    """Return a list of our objects."""
    try:
        found: list[Object] = api.get(path)["items"]
    except ApiError as error:
        if error.reason == "NotFound":
            raise no_sluice() from error
        raise
    return found


def operators(api: Api) -> str:
    """Say how the operator's Deployments are, as far as we may see them; empty when we may not."""
    try:
        found = api.get(f"/apis/apps/v1/deployments?labelSelector={quote(names.OPERATOR_LABEL)}")["items"]
    except CliError:
        return ""
    if not found:
        return "No Deployment of the operator is in this cluster: install Sluice (helm install …)."
    return "\n".join(_operator(deployment) for deployment in found)


def no_sluice() -> CliError:
    """Say that this cluster does not know our API."""
    return CliError(
        f"this cluster has no {names.KIND}s: Sluice is not installed here",
        "Is it the right cluster? kubectl config current-context\n"
        "To install it: helm install sluice charts/sluice (see the README).",
    )


def _operator(deployment: Object) -> str:
    meta, status = deployment["metadata"], deployment.get("status", {})
    wanted = deployment["spec"].get("replicas", 1)
    ready = status.get("readyReplicas", 0)
    where = f"{meta['namespace']}/{meta['name']}"
    line = f"The operator {where} has {ready} of {wanted} pods ready"
    if ready:
        return f"{line}; its log: kubectl logs -n {meta['namespace']} deploy/{meta['name']}"
    return f"{line}: kubectl get pods -n {meta['namespace']} -l {names.OPERATOR_LABEL}"


def _pods(api: Api, namespace: str, name: str) -> list[Object]:
    try:
        found: list[Object] = api.get(pods_path(namespace, name))["items"]
    except ApiError:
        return []
    return found


def _unknown(api: Api, namespace: str, name: str) -> CliError:
    lines = []
    with suppress(CliError):
        here = _names(model_deployments(api, namespace))
        near = difflib.get_close_matches(name, here, n=3, cutoff=0.5)
        if near:
            lines.append(f"Did you mean {' or '.join(near)}?")
        elif here:
            lines.append(f"There are: {', '.join(here[:10])}{' …' if len(here) > 10 else ''}")
        else:
            lines.append(f"There are none in {namespace}.")
    with suppress(CliError):
        elsewhere = [one["metadata"]["namespace"] for one in model_deployments(api, None)
                     if one["metadata"]["name"] == name]  # fmt: skip
        lines.extend(f"There is one in another namespace: -n {where}" for where in elsewhere[:3])
    return CliError(f"there is no {names.KIND} {name} in namespace {namespace}", "\n".join(lines))


def _names(found: Iterable[Object]) -> list[str]:
    return sorted(one["metadata"]["name"] for one in found)
