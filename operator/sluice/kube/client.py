"""The real Kubernetes API, through `kubernetes.aio`."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
from kubernetes.aio import config
from kubernetes.aio.client.api_client import ApiClient
from kubernetes.aio.client.configuration import Configuration

from sluice.kube.api import KubeApi, Manifest, Manifests, Resource
from sluice.kube.errors import KubeError, NotFoundError, TooNewError, UnavailableError, from_status
from sluice.kube.horizon import Horizon
from sluice.resources.naming import FIELD_MANAGER

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
TIMEOUT_SECONDS = 10


async def connect() -> ApiClient:
    """Return a client with the pod's service account, or with the kubeconfig that KUBECONFIG names."""
    configuration = Configuration()
    try:
        config.load_incluster_config(client_configuration=configuration)
    except config.ConfigException:
        # Named here, because the library looks at KUBECONFIG only when it is imported.
        await config.load_kube_config(
            config_file=os.environ.get("KUBECONFIG") or "~/.kube/config", client_configuration=configuration
        )
    configuration.connection_pool_maxsize = 20  # each takes a quarter of a megabyte
    # Otherwise every request looks for a ~/.netrc, in a thread of its own.
    configuration.client_session_kwargs = {"trust_env": False}
    return ApiClient(configuration)


class Kube(KubeApi):
    """One method for each thing the controller does; JSON in and out, no generated models."""

    def __init__(
        self,
        client: ApiClient,
        hear: Callable[[datetime], None] = lambda _: None,
        *,
        horizon: Horizon | None = None,
        timeout: float = TIMEOUT_SECONDS,
    ) -> None:
        """Talk through a client.

        Args:
            client: with its credentials.
            hear: is told what time the API server has, with each answer.
            horizon: what is known already; nothing that is read is older. None: nothing is read from a cache.
            timeout: of a request, in seconds.
        """
        self._client = client
        self._hear = hear
        self._horizon = horizon
        self._timeout = timeout

    async def get(self, resource: Resource, namespace: str, name: str) -> Manifest | None:
        """Return an object, None when it is not there."""
        try:
            return self._saw(resource, await self._read(resource, namespace, name))
        except NotFoundError:
            return None

    async def list(self, resource: Resource, namespace: str, labels: str) -> list[Manifest]:
        """Return the objects of a namespace that a label selector picks."""
        answer = await self._read(resource, namespace, labelSelector=labels)
        items: list[Manifest] = answer["items"]
        return [self._saw(resource, item) for item in items]

    async def pages(self, resource: Resource, namespace: str = "", size: int = 100) -> AsyncIterator[Manifests]:
        """Yield the objects of a namespace, or of all, some at a time: there may be more than fit into memory."""
        query = {"limit": str(size)}
        while True:
            answer = await self._request("GET", resource.path(namespace), query)
            yield answer["items"]
            if not (more := answer.get("metadata", {}).get("continue")):
                return
            query = {"limit": str(size), "continue": more}

    async def apply(self, resource: Resource, manifest: Manifest) -> Manifest:
        """Apply an object server-side, taking over the fields it names; return what is stored."""
        return await self._apply(resource, manifest, "")

    async def apply_status(self, resource: Resource, manifest: Manifest) -> Manifest:
        """Apply an object's status; with a resourceVersion in its metadata only if that is still current."""
        return await self._apply(resource, manifest, "/status")

    async def merge(self, resource: Resource, namespace: str, name: str, patch: Manifest) -> Manifest:
        """Apply a JSON merge patch; return what is stored."""
        path = resource.path(namespace, name)
        return self._saw(resource, await self._request("PATCH", path, body=patch, content_type=MERGE))

    async def create(self, resource: Resource, manifest: Manifest) -> None:
        """Create an object."""
        await self._request("POST", resource.path(manifest["metadata"]["namespace"]), body=manifest)

    async def replace(self, resource: Resource, manifest: Manifest) -> Manifest:
        """Replace an object, only if the resourceVersion in its metadata is still current; return what is stored."""
        meta = manifest["metadata"]
        path = resource.path(meta["namespace"], meta["name"])
        return self._saw(resource, await self._request("PUT", path, body=manifest))

    async def delete(self, resource: Resource, namespace: str, name: str) -> None:
        """Delete an object and, in the background, what it owns; one that is not there is fine."""
        try:
            await self._request("DELETE", resource.path(namespace, name), {"propagationPolicy": "Background"})
        except NotFoundError:
            return

    async def _apply(self, resource: Resource, manifest: Manifest, subresource: str) -> Manifest:
        meta = manifest["metadata"]
        path = resource.path(meta["namespace"], meta["name"]) + subresource
        query = {"fieldManager": FIELD_MANAGER, "force": "true"}
        return self._saw(resource, await self._request("PATCH", path, query, manifest, APPLY))

    async def _read(self, resource: Resource, namespace: str, name: str = "", **query: str) -> Manifest:
        """Read an object, or a list; from the cache where that will do, and once it has got there."""
        path = resource.path(namespace, name)
        if not self._horizon or (since := self._horizon.of(resource)) is None:
            return await self._request("GET", path, query)
        cached = {"resourceVersion": since} | ({} if name else {"resourceVersionMatch": "NotOlderThan"})
        try:
            return await self._request("GET", path, query | cached)
        except TooNewError:
            found = await self._request("GET", path, query)
        self._horizon.forget(resource)
        return found

    def _saw(self, resource: Resource, found: Manifest) -> Manifest:
        if self._horizon:
            self._horizon.saw(resource.plural, found.get("metadata", {}))
        return found

    async def _request(
        self,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        body: Manifest | None = None,
        content_type: str = "application/json",
    ) -> Manifest:
        headers = {"Accept": "application/json", "Content-Type": content_type}
        try:
            request = await self._client.param_serialize(
                method, path, query_params=list((query or {}).items()), header_params=headers, body=body,
                auth_settings=["BearerToken"],
            )  # fmt: skip
            response = await self._client.call_api(*request, _request_timeout=self._timeout)
            data = await response.read()
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise UnavailableError(f"the API server can't be reached: {type(error).__name__}: {error}") from error
        if told := _date(response.headers):
            self._hear(told)
        try:
            return _answer(method, path, response.status, data)
        except UnavailableError as error:
            error.retry_after = _seconds(response.headers.get("Retry-After"))
            raise


def _date(headers: Mapping[str, str]) -> datetime | None:
    try:
        return parsedate_to_datetime(headers.get("Date", ""))
    except ValueError:
        return None


def _seconds(retry_after: str | None) -> float:
    """Read a Retry-After header; 0 when there is none, or a date, which the API server never sends."""
    return float(retry_after) if retry_after and retry_after.isdigit() else 0.0


def _answer(method: str, path: str, status: int, data: bytes) -> Manifest:
    try:
        answer: Any = json.loads(data)
    except ValueError:
        answer = None
    beginning = data[:200].decode(errors="replace")
    if status >= 400:
        message = answer.get("message", status) if isinstance(answer, dict) else beginning
        raise from_status(status, f"{method} {path}: {message}")
    if not isinstance(answer, dict):
        raise KubeError(f"{method} {path}: the API server answered something that is no object: {beginning}")
    return answer
