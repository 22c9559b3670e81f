"""gunicorn's thread worker, with honest durations, and an end that loses no request and does not wait for nobody."""

import time
from functools import partial
from selectors import EVENT_READ
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from sluice_server import durations

IDLE_SECONDS_WHILE_DRAINING = 2.0
_LOOK_EVERY_SECONDS = 0.2


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """It notes when a request arrives, and changes two things about what happens after SIGTERM.

    On one port each connection takes one request: without a gateway it is connections that are led to one version or
    another, and each request is to be led anew.

    A connection whose last answer promised keep-alive stays open for the next request, which is then answered with
    `Connection: close`: gunicorn would close it at once, and a request on its way would be lost.

    Idle connections are closed after a short while: gunicorn would wait for the gateway's idle pool until the end of
    its graceful timeout.
    """

    one_request_port: int | None = None
    _drains_until_idle: float | None = None

    def enqueue_req(self, conn: Any) -> None:
        """Called on the main thread when there is something to read, or when a connection is new."""
        conn.readable_since = time.monotonic() if conn.initialized or conn.data_ready else None
        super().enqueue_req(conn)

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Called on a thread of the pool, with the request's headers read."""
        durations.seen(conn.readable_since)
        if conn.server[1] == self.one_request_port:
            req.force_close()
        return super().handle_request(req, conn)

    def finish_request(self, conn: Any, fs: Any) -> None:
        """Called on the main thread when a request is answered."""
        promised = not self.alive and not fs.cancelled() and fs.exception() is None and fs.result() is True
        if not promised:
            super().finish_request(conn, fs)
            return
        conn.sock.setblocking(False)
        conn.timeout = time.monotonic() + IDLE_SECONDS_WHILE_DRAINING
        self.keepalived_conns.append(conn)
        self.poller.register(conn.sock, EVENT_READ, partial(self.on_client_socket_readable, conn))

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """The loop's heart, before and after SIGTERM."""
        if self.alive:
            super().wait_for_and_dispatch_events(timeout)
            return
        if self._drains_until_idle is None:
            self._drains_until_idle = time.monotonic() + IDLE_SECONDS_WHILE_DRAINING
            for conn in (*self.keepalived_conns, *self.pending_conns):
                conn.timeout = min(conn.timeout, self._drains_until_idle)
        super().wait_for_and_dispatch_events(min(timeout, _LOOK_EVERY_SECONDS))
