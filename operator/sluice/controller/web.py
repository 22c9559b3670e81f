"""What the kubelet and Prometheus ask the operator."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

# Says in a sentence what is wrong, None when nothing is.
Check = Callable[[], str | None]


@dataclass(frozen=True)
class Web:
    """`/healthz`: does it work, or is it better started again? `/readyz`: can it take over? `/metrics`.

    That there is an answer at all shows that the event loop runs.
    """

    healthy: Check
    ready: Check
    metrics: CollectorRegistry

    @asynccontextmanager
    async def serve(self, port: int, host: str = "0.0.0.0") -> AsyncIterator[int]:  # noqa: S104 - the kubelet asks from outside
        """Serve on a port, 0 for any; yields the port."""
        app = web.Application()
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        app.router.add_get("/metrics", self._metrics)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
            yield int(runner.addresses[0][1])
        finally:
            await runner.cleanup()

    async def _healthz(self, _: web.Request) -> web.Response:
        return _answer(self.healthy())

    async def _readyz(self, _: web.Request) -> web.Response:
        return _answer(self.ready())

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self.metrics), headers={"Content-Type": CONTENT_TYPE_LATEST})


def _answer(problem: str | None) -> web.Response:
    return web.Response(text=problem or "ok", status=503 if problem else 200)
