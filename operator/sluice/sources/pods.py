"""Counts straight from the pods: health without a Prometheus in the cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Final

import aiohttp
from yarl import URL

from sluice.core.observation import Counters, Pod, Scrape
from sluice.sources.exposition import MalformedError, parse

METRICS_PORT = 9090
CONCURRENCY = 32
MAX_BYTES: Final = 4 * 1024 * 1024


async def scrape(
    session: aiohttp.ClientSession,
    pods: Iterable[Pod],
    timeout: float,  # noqa: ASYNC109 - per pod, so the caller's own asyncio.timeout() would not do
    *,
    port: int = METRICS_PORT,
) -> Scrape:
    """Ask every pod for its counters, at most `CONCURRENCY` at a time.

    Args:
        timeout: seconds that one pod may take, connection and answer together; the wait for its turn is not counted.

    Returns:
        For each pod, by UID, either its counters or a few words on why there are none. Nothing is raised for them.
    """
    turn = asyncio.Semaphore(CONCURRENCY)

    async def ask(pod: Pod) -> tuple[str, Counters | str]:
        async with turn:
            try:
                async with asyncio.timeout(timeout):
                    return pod.uid, await _ask(session, pod, port)
            except TimeoutError:
                return pod.uid, "timeout"

    answers = await asyncio.gather(*(ask(pod) for pod in pods))
    return Scrape(
        counters={uid: answer for uid, answer in answers if isinstance(answer, Counters)},
        unreachable={uid: answer for uid, answer in answers if isinstance(answer, str)},
    )


async def _ask(session: aiohttp.ClientSession, pod: Pod, port: int) -> Counters | str:
    if not pod.address:
        return "no address yet"
    try:
        return parse(await _fetch(session, URL.build(scheme="http", host=pod.address, port=port, path="/metrics")))
    except TimeoutError:
        return "timeout"
    except MalformedError as problem:
        return str(problem)
    except aiohttp.ClientConnectorError as problem:
        refused = isinstance(problem.os_error, ConnectionRefusedError)
        return "refused" if refused else f"unreachable: {problem.os_error.strerror or problem.os_error}"
    except (aiohttp.ClientError, OSError, ValueError) as problem:
        return f"broken answer: {type(problem).__name__}"


async def _fetch(session: aiohttp.ClientSession, url: URL) -> str:
    # A pod never sends the operator elsewhere, and never fills its memory.
    async with session.get(url, allow_redirects=False) as response:
        if response.status != 200:
            raise MalformedError(f"HTTP {response.status}")
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > MAX_BYTES:
                raise MalformedError(f"garbage: more than {MAX_BYTES} bytes")
    try:
        return body.decode()
    except UnicodeDecodeError as problem:
        raise MalformedError("garbage: not text") from problem
