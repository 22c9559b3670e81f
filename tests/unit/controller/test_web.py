"""What the kubelet and Prometheus get to see."""

from __future__ import annotations

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, Gauge
from sluice.controller.web import Check, Web


async def ask(path: str, *, healthy: Check = lambda: None, ready: Check = lambda: None) -> tuple[int, str, str]:
    registry = CollectorRegistry()
    Gauge("sluice_leader", "Leads.", registry=registry).set(1)
    async with (
        Web(healthy, ready, registry).serve(0, "127.0.0.1") as port,
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}{path}") as answer,
    ):
        return answer.status, await answer.text(), answer.headers["Content-Type"]


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
async def test_an_operator_without_problems_is_fine(path: str) -> None:
    assert (await ask(path))[:2] == (200, "ok")


async def test_each_path_tells_its_own_problem() -> None:
    assert (await ask("/healthz", healthy=lambda: "kopf has ended"))[:2] == (503, "kopf has ended")
    assert (await ask("/healthz", ready=lambda: "no lease yet"))[:2] == (200, "ok")
    assert (await ask("/readyz", ready=lambda: "no lease yet"))[:2] == (503, "no lease yet")


async def test_metrics_are_prometheus_text() -> None:
    status, text, kind = await ask("/metrics")
    assert status == 200
    assert "sluice_leader 1.0" in text.splitlines()
    assert kind.startswith("text/plain; version=")
