"""Users of an application: each has an id, comes more than once, and does, or does not do, what the site wants."""

from __future__ import annotations

import asyncio
import itertools
import random
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from hack.load import VERSION

HEADER = "x-user-id"
METRIC = "conversion"
GOING_ON, UNHEARD = 202, 503  # what feedback is answered while a test goes on, and while the collector is away


@dataclass(frozen=True, slots=True)
class Visit:
    """One request: when it was answered (seconds of the monotonic clock), whose it was, by which version, and how."""

    at: float
    user: str
    version: str
    status: int


@dataclass
class Users:
    """So many new users a second; some of the first ones come again and again, the others twice.

    Args:
        url: of the ModelDeployment.
        rows: what they ask about.
        rate: new users each second.
        converts: the share that converts, by model version.
        loyal: how many come again all the time.
        cookie: in which they say who they are; in a header where there is none.
    """

    url: str
    rows: Sequence[dict[str, Any]]
    rate: float
    converts: Mapping[str, float]
    loyal: int = 12
    cookie: str | None = None
    visits: list[Visit] = field(default_factory=list)
    told: list[int] = field(default_factory=list)  # statuses of feedback

    def __post_init__(self) -> None:
        self._stop, self._rng = threading.Event(), random.Random(5)  # noqa: S311 (whose choice it is harms nobody)
        self._rows = itertools.cycle([{"dataframe_records": [row]} for row in self.rows])
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="users", daemon=True)

    def __enter__(self) -> Users:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    @property
    def failed(self) -> list[Visit]:
        """Requests that were lost or ended in a 5xx."""
        return [visit for visit in self.visits if visit.status == 0 or visit.status >= 500]

    def flipped(self, since: float, until: float) -> dict[str, set[str]]:
        """Return who has met more than one version between two moments, and which."""
        met: dict[str, set[str]] = {}
        for visit in self.visits:
            if since <= visit.at <= until and visit.version:
                met.setdefault(visit.user, set()).add(visit.version)
        return {user: versions for user, versions in met.items() if len(versions) > 1}

    async def _run(self) -> None:
        connector, timeout = aiohttp.TCPConnector(limit=0), aiohttp.ClientTimeout(total=10)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session, asyncio.TaskGroup() as group:
            for user in self._come():
                group.create_task(self._live(session, *user))
                await asyncio.sleep(1 / self.rate)

    def _come(self) -> Iterator[tuple[str, bool]]:
        for number in itertools.count():
            if self._stop.is_set():
                return
            yield f"user-{number}", number < self.loyal

    async def _live(self, session: aiohttp.ClientSession, user: str, loyal: bool) -> None:
        version, request = await self._ask(session, user)
        if self._rng.random() < self.converts.get(version, 0.0):
            await self._tell(session, user, request)
        await asyncio.sleep(1)
        await self._ask(session, user)
        while loyal and not self._stop.is_set():
            await asyncio.sleep(1)
            await self._ask(session, user)

    def _id(self, user: str) -> dict[str, str]:
        return {"cookie": f"{self.cookie}={user}"} if self.cookie else {HEADER: user}

    async def _ask(self, session: aiohttp.ClientSession, user: str) -> tuple[str, str]:
        """Return the version that has answered, and the request's id."""
        try:
            async with session.post(f"{self.url}/invocations", json=next(self._rows), headers=self._id(user)) as answer:
                await answer.read()
                version, status = answer.headers.get(VERSION, ""), answer.status
                request = answer.headers.get("x-request-id", "")
        except (aiohttp.ClientError, TimeoutError, OSError):
            version, status, request = "", 0, ""
        self.visits.append(Visit(time.monotonic(), user, version, status))
        return version, request

    async def _tell(self, session: aiohttp.ClientSession, user: str, request: str) -> None:
        """Feed back that a user has converted, again while nobody hears it: it counts once."""
        body = {"outcomes": [{"metric": METRIC, "value": 1.0, "request": request}]}
        for _ in range(5):
            try:
                async with session.post(f"{self.url}/feedback", json=body, headers=self._id(user)) as answer:
                    self.told.append(answer.status)
                    if answer.status != UNHEARD:
                        return
            except (aiohttp.ClientError, TimeoutError, OSError):
                self.told.append(0)
            await asyncio.sleep(1)
