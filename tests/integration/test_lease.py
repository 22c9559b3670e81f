"""The elector at a real API server: what it writes is accepted, and versions keep two from writing at once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from kubernetes.aio.client.api_client import ApiClient
from sluice.kube.api import LEASES, Manifest
from sluice.kube.client import Kube, connect
from sluice.kube.errors import ConflictError
from sluice.kube.lease import Election, Elector

pytestmark = pytest.mark.integration

NAME = "sluice-election"


@pytest.fixture
async def client(kubeconfig: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[ApiClient]:
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig))
    client = await connect()
    yield client
    await client.close()


def elector(client: ApiClient, namespace: str, identity: str) -> Elector:
    return Elector(
        Kube(client), Election(identity), namespace, NAME, time.monotonic, lambda: datetime.now(UTC), asyncio.sleep
    )


async def test_the_first_leads_until_it_hands_over(client: ApiClient, namespace: str) -> None:
    one, two = elector(client, namespace, "one"), elector(client, namespace, "two")
    for _ in range(2):
        assert await one.attempt()
        assert await two.attempt()
        assert one.election.leads(time.monotonic())
        assert not two.election.leads(time.monotonic())
    await one.release()
    assert await two.attempt()
    assert two.election.leads(time.monotonic())
    stored = await Kube(client).get(LEASES, namespace, NAME)
    assert stored
    assert stored["spec"]["leaseTransitions"] == 1
    await Kube(client).delete(LEASES, namespace, NAME)


async def test_a_record_comes_back_as_it_was_written(client: ApiClient, namespace: str) -> None:
    """Otherwise every look would seem to show a renewal, and nobody would ever take over."""
    await elector(client, namespace, "one").attempt()
    waiting = Election("two")
    changes = []
    for now in (1.0, 2.0, 3.0):
        waiting.saw(await Kube(client).get(LEASES, namespace, NAME), now)
        changes.append(waiting.expires_at())
    assert changes == [9.0] * 3
    await Kube(client).delete(LEASES, namespace, NAME)


async def test_an_old_version_is_not_written_over(client: ApiClient, namespace: str) -> None:
    kube = Kube(client)
    await elector(client, namespace, "one").attempt()
    old: Manifest | None = await kube.get(LEASES, namespace, NAME)
    assert old
    await elector(client, namespace, "one").attempt()
    stolen: dict[str, Any] = old | {"spec": old["spec"] | {"holderIdentity": "two"}}
    with pytest.raises(ConflictError):
        await kube.replace(LEASES, stolen)
    await kube.delete(LEASES, namespace, NAME)
