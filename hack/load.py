"""A steady load, as clients see it: open loop, one record per request."""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

REVISION = "x-sluice-revision"
VERSION = "x-sluice-model-version"


@dataclass(frozen=True, slots=True)
class Answer:
    """One request: when it was sent and answered (seconds of the monotonic clock), by whom, and how.

    `number` counts the requests of a load in the order in which they were sent, from 0.
    """

    sent: float
    done: float
    status: int
    revision: str
    version: str
    error: str = ""
    number: int = 0

    @property
    def failed(self) -> bool:
        """A 5xx, a timeout or a lost connection; a 4xx is the client's."""
        return self.status == 0 or self.status >= 500


def no_more(number: int) -> Mapping[str, str]:
    """Return no headers for a request."""
    return {}


@dataclass
class Load:
    """Sends rows to a gateway at `rate` requests per second until stopped, whatever the answers.

    Args:
        headers: of all requests.
        headers_of: what more the request of that number has.
    """

    url: str
    rows: Sequence[dict[str, Any]]
    rate: float
    timeout: float = 10.0
    headers: Mapping[str, str] = field(default_factory=dict)
    headers_of: Callable[[int], Mapping[str, str]] = no_more
    answers: list[Answer] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="load", daemon=True)

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Send no more; return when all requests under way are answered."""
        self._stop.set()
        self._thread.join()

    async def _run(self) -> None:
        rows = itertools.cycle([{"dataframe_records": [row]} for row in self.rows])
        connector = aiohttp.TCPConnector(limit=0)
        timeout = aiohttp.ClientTimeout(total=self.timeout)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session, asyncio.TaskGroup() as group:
            due = time.monotonic()
            numbers = itertools.count()
            while not self._stop.is_set():
                group.create_task(self._send(session, next(rows), next(numbers)))
                due += 1 / self.rate
                await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _send(self, session: aiohttp.ClientSession, body: dict[str, Any], number: int) -> None:
        headers = {**self.headers, **self.headers_of(number)}
        sent = time.monotonic()
        try:
            async with session.post(self.url, json=body, headers=headers) as answer:
                await answer.read()
                status, revision = answer.status, answer.headers.get(REVISION, "")
                version, error = answer.headers.get(VERSION, ""), ""
        except (aiohttp.ClientError, TimeoutError, OSError) as problem:
            status, revision, version, error = 0, "", "", type(problem).__name__
        self.answers.append(Answer(sent, time.monotonic(), status, revision, version, error, number))
