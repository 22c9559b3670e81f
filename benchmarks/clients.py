"""Many objects at once, from outside: created and edited over many connections, watched on one."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from hack.cluster.api import Api

Manifest = dict[str, Any]
CONNECTIONS = 8


@dataclass(frozen=True)
class Request:
    """One request that has to succeed."""

    method: str
    path: str
    body: Manifest | None = None
    content_type: str = "application/json"


# What the API server says when a request has taken a minute, and is to be sent again.
GIVEN_UP = 504


@dataclass(frozen=True)
class Client:
    """The API server, as an administrator reaches it."""

    api: Api

    def connect(self, timeout: float | None = 30.0) -> http.client.HTTPSConnection:
        """Return a connection of its own."""
        return http.client.HTTPSConnection(self.api.host, self.api.port, context=self.api.context, timeout=timeout)

    def one(self, request: Request, timeout: float = 30.0) -> Manifest:
        """Send one request."""
        return _send(self.connect(timeout), request)

    def all(self, requests: Iterable[Request]) -> None:
        """Send many, a few at a time."""
        waiting = list(requests)

        def some(number: int) -> None:
            connection = self.connect()
            for request in islice(waiting, number, None, CONNECTIONS):
                _send(connection, request)
            connection.close()

        with ThreadPoolExecutor(CONNECTIONS) as pool:
            list(pool.map(some, range(CONNECTIONS)))


def _send(connection: http.client.HTTPSConnection, request: Request) -> Manifest:
    body = json.dumps(request.body) if request.body is not None else None
    connection.request(request.method, request.path, body, {"Content-Type": request.content_type})
    response = connection.getresponse()
    content = response.read()
    if response.status >= 400 and not (request.method == "DELETE" and response.status in (404, GIVEN_UP)):
        raise RuntimeError(f"{request.method} {request.path}: {response.status} {content[:500].decode()}")
    answer: Manifest = json.loads(content)
    return answer


Done = Callable[[Manifest], bool]


@dataclass
class Watch:
    """Notes when each object of a collection came to be as it should be: by name, on the monotonic clock."""

    client: Client
    path: str
    done: Done
    reached: dict[str, float] = field(default_factory=dict)
    writes: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Watch:
        listed = self.client.one(Request("GET", self.path), timeout=300.0)  # of 10,000 it may take minutes
        for item in listed["items"]:
            self._note(item)
        self._thread = threading.Thread(target=self._follow, args=(listed["metadata"]["resourceVersion"],), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread:
            self._thread.join()

    def wait(self, number: int, patience: float) -> bool:
        """Return whether that many objects came to be so in time."""
        end = time.monotonic() + patience
        while len(self.reached) < number and time.monotonic() < end:
            time.sleep(0.05)
        return len(self.reached) >= number

    def _follow(self, version: str) -> None:
        while not self._stop.is_set():
            connection = self.client.connect(timeout=1.0)
            try:
                connection.request("GET", f"{self.path}?watch=1&resourceVersion={version}")
                response = connection.getresponse()
                for line in _lines(response, self._stop):
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        raise RuntimeError(f"{self.path}: {event['object'].get('message')}")
                    version = event["object"]["metadata"]["resourceVersion"]
                    self.writes += 1
                    if event["type"] != "DELETED":
                        self._note(event["object"])
            except TimeoutError:
                continue
            finally:
                connection.close()

    def _note(self, item: Manifest) -> None:
        name = item["metadata"]["name"]
        if name not in self.reached and self.done(item):
            self.reached[name] = time.monotonic()


def _lines(response: http.client.HTTPResponse, stop: threading.Event) -> Iterable[bytes]:
    rest = b""
    while not stop.is_set():
        piece = response.read1(1 << 20)
        if not piece:
            return
        *lines, rest = (rest + piece).split(b"\n")
        yield from lines
