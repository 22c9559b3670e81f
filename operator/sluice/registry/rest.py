"""Requests to MLflow's REST API, with every way to fail turned into a sentence."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from yarl import URL

from sluice.core.observation import Unresolved

MAX_JSON_BYTES = 4 * 1024 * 1024


class RefusalError(Exception):
    """There is no answer, and this is why. Stays inside this package."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.unresolved = Unresolved(reason, message)


class MissingError(Exception):
    """MLflow works and says that it does not have this; or, for an alias, that the parameter is wrong."""


class Rest:
    """Requests below one tracking URI."""

    def __init__(self, session: aiohttp.ClientSession, tracking_uri: str, *, timeout: float) -> None:
        self._session = session
        self._base = URL(tracking_uri)
        self._timeout = timeout
        self.address = str(self._base.with_user(None))  # without the password, for messages

    async def json(self, path: str, /, **params: str) -> dict[str, Any]:
        """Return the JSON object at a path.

        Raises:
            MissingError: MLflow answered that there is no such thing.
            RefusalError: MLflow did not answer, or not as MLflow does.
        """
        return await self._object("GET", path, params=params)

    async def post(self, path: str, /, **values: object) -> dict[str, Any]:
        """Change something; return MLflow's answer, which may be empty. Raises as `json` does."""
        return await self._object("POST", path, json=values)

    async def _object(self, method: str, path: str, **request: Mapping[str, object]) -> dict[str, Any]:
        limits = aiohttp.ClientTimeout(total=self._timeout)
        async with self._request(method, path, limits, **request) as response:
            body = await _read(response.content, MAX_JSON_BYTES)
            status = response.status
        answer = _object(body)
        if status in (400, 404) and answer is not None and "error_code" in answer:
            raise MissingError(str(answer.get("message", "")))
        if status != 200:
            raise self._refusal(status)
        if answer is None:
            raise RefusalError(
                "RegistryInvalid",
                f"{self.address} answered something that is not MLflow's JSON: check the operator's tracking URI",
            )
        return answer

    async def stream(self, path: str, *, silence: float) -> AsyncGenerator[bytes, None]:
        """Yield the body at a path in pieces; `silence` is how many seconds may pass without one.

        Raises:
            RefusalError: MLflow did not answer, or broke off.
        """
        limits = aiohttp.ClientTimeout(total=None, sock_connect=self._timeout, sock_read=silence)
        async with self._request("GET", path, limits) as response:
            if response.status != 200:
                raise self._refusal(response.status)
            async for chunk in response.content.iter_any():
                yield chunk

    @asynccontextmanager
    async def _request(
        self, method: str, path: str, limits: aiohttp.ClientTimeout, **request: Any
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        url = self._base.joinpath(path)
        try:
            async with self._session.request(method, url, timeout=limits, **request) as response:
                yield response
        except TimeoutError:
            raise self._unreachable("did not answer in time") from None
        except aiohttp.ClientConnectorError:
            raise self._unreachable("does not accept connections") from None
        except (aiohttp.ClientError, OSError) as problem:
            raise self._unreachable(f"broke off the answer ({type(problem).__name__})") from None

    def _refusal(self, status: int) -> RefusalError:
        if status in (401, 403):
            return RefusalError(
                "RegistryDenied",
                f"the registry at {self.address} refuses the operator (HTTP {status}): check its credentials",
            )
        if status >= 500 or status == 429:
            return self._unreachable(f"answered HTTP {status}")
        return RefusalError(
            "RegistryInvalid",
            f"{self.address} answered HTTP {status}, which MLflow does not: check the operator's tracking URI",
        )

    def _unreachable(self, what: str) -> RefusalError:
        return RefusalError(
            "RegistryUnreachable", f"the registry at {self.address} {what}: check that MLflow runs; trying again"
        )


async def _read(content: aiohttp.StreamReader, limit: int) -> bytes:
    body = bytearray()
    async for chunk in content.iter_any():
        body += chunk
        if len(body) > limit:
            return b""  # no answer of MLflow's is as long
    return bytes(body)


def _object(body: bytes) -> dict[str, Any] | None:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None
