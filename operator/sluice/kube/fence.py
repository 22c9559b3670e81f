"""Lets writes through only while this process leads."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

from sluice.kube.api import KubeApi, Manifest, Resource
from sluice.kube.errors import NotLeadingError

P = ParamSpec("P")
T = TypeVar("T")


class Fence(KubeApi):
    """Stands before the API: each write asks whether it may still be made, at the very last moment."""

    def __init__(self, api: KubeApi, leads: Callable[[], bool]) -> None:
        self._api = api
        self._leads = leads
        self._closed = False
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()

    async def close(self, patience: float) -> None:
        """Let no more writes through, and wait some seconds for those under way."""
        self._closed = True
        try:
            async with asyncio.timeout(patience):
                await self._idle.wait()
        except TimeoutError:
            return

    async def get(self, resource: Resource, namespace: str, name: str) -> Manifest | None:
        """Return an object, None when it is not there."""
        return await self._api.get(resource, namespace, name)

    async def list(self, resource: Resource, namespace: str, labels: str) -> list[Manifest]:
        """Return the objects of a namespace that a label selector picks."""
        return await self._api.list(resource, namespace, labels)

    async def apply(self, resource: Resource, manifest: Manifest) -> Manifest:
        """Apply an object server-side."""
        return await self._write(lambda: self._api.apply(resource, manifest))

    async def apply_status(self, resource: Resource, manifest: Manifest) -> Manifest:
        """Apply an object's status."""
        return await self._write(lambda: self._api.apply_status(resource, manifest))

    async def merge(self, resource: Resource, namespace: str, name: str, patch: Manifest) -> Manifest:
        """Apply a JSON merge patch; return what is stored."""
        return await self._write(lambda: self._api.merge(resource, namespace, name, patch))

    async def create(self, resource: Resource, manifest: Manifest) -> None:
        """Create an object."""
        await self._write(lambda: self._api.create(resource, manifest))

    async def replace(self, resource: Resource, manifest: Manifest) -> Manifest:
        """Replace an object."""
        return await self._write(lambda: self._api.replace(resource, manifest))

    async def delete(self, resource: Resource, namespace: str, name: str) -> None:
        """Delete an object and what it owns."""
        await self._write(lambda: self._api.delete(resource, namespace, name))

    def guards(self, send: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
        """Return a write to somewhere else, behind the same fence."""

        async def guarded(*args: P.args, **kwargs: P.kwargs) -> T:
            return await self._write(lambda: send(*args, **kwargs))

        return guarded

    async def _write(self, send: Callable[[], Awaitable[T]]) -> T:
        if self._closed or not self._leads():
            raise NotLeadingError("this operator does not lead, so it writes nothing")
        self._under_way += 1
        self._idle.clear()
        try:
            return await send()
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._idle.set()
