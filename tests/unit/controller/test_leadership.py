"""The elector's own thread, on a real event loop: it tells the operator, and ends it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from sluice.controller import leadership as module
from sluice.controller.leadership import Leadership
from sluice.kube.api import LEASES, Manifest, Resource
from sluice.kube.errors import UnavailableError
from sluice.kube.lease import Election, Timing

from tests.simulation.store import Store

QUICK = Timing(lease=1, renew=0.5, retry=0.02, again=0.01, request=0.2)


@dataclass
class Server:
    """The store as another thread uses it."""

    store: Store = field(default_factory=Store)
    down: bool = False
    threads: set[str] = field(default_factory=set)

    async def get(self, resource: Resource, namespace: str, name: str) -> Manifest | None:
        self.threads.add(threading.current_thread().name)
        if self.down:
            raise UnavailableError("down")
        return self.store.get(resource, namespace, name)

    async def create(self, resource: Resource, manifest: Manifest) -> None:
        self.store.create(manifest)

    async def replace(self, resource: Resource, manifest: Manifest) -> Manifest:
        return self.store.replace(manifest)


class Client:
    async def close(self) -> None:
        return


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    server = Server()

    async def connect() -> Client:
        return Client()

    monkeypatch.setattr(module, "connect", connect)
    monkeypatch.setattr(module, "Kube", lambda *_, **__: server)
    return server


def start(identity: str, die: Callable[[], None]) -> Leadership:
    leadership = Leadership(Election(identity, QUICK), "n", "sluice", die=die)
    leadership.start()
    return leadership


def unexpected() -> None:
    raise AssertionError("it must not end")


def ending(died: asyncio.Event) -> Callable[[], None]:
    loop = asyncio.get_running_loop()

    def die() -> None:
        loop.call_soon_threadsafe(died.set)

    return die


async def test_it_leads_and_hands_over(server: Server) -> None:
    one = start("one", unexpected)
    await one.began.wait()
    assert one.leads()
    two = start("two", unexpected)
    await one.release(30)
    assert not one.leads()
    await two.began.wait()
    await two.release(30)
    assert server.threads == {"lease"}, "a busy operator must not keep it from renewing"
    lease = server.store.get(LEASES, "n", "sluice")
    assert lease
    assert lease["spec"]["holderIdentity"] == ""


async def test_it_is_ready_once_it_has_seen_the_lease_also_as_the_second(server: Server) -> None:
    server.down = True
    one = start("one", unexpected)
    assert one.problem
    server.down = False
    await one.began.wait()
    assert one.problem is None
    await one.release(30)


async def test_who_can_renew_no_more_ends_its_process(server: Server) -> None:
    died = asyncio.Event()
    one = start("one", ending(died))
    await one.began.wait()
    server.down = True
    await died.wait()
    assert not one.leads()


async def test_a_bug_ends_the_process_too(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    async def bug(*_: object) -> None:
        raise ZeroDivisionError

    died = asyncio.Event()
    monkeypatch.setattr(server, "get", bug)
    start("one", ending(died))
    await died.wait()


async def test_to_release_twice_or_without_leading_is_fine(server: Server) -> None:
    server.down = True
    one = start("one", unexpected)
    await one.release(30)
    await one.release(30)
