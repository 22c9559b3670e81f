"""A collector over real HTTP that keeps what it is told, and answers as it is told to."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

FIELDS = {"/v1/answers": "answers", "/v1/exposures": "exposures", "/v1/outcomes": "outcomes"}


@dataclass
class Collector:
    """Answers with the statuses it is given, then with 200; keeps what came with a 200, by field.

    `says` is the body of its answers; while `hold` is clear, none is given.
    """

    statuses: list[int] = field(default_factory=list)
    kept: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {name: [] for name in FIELDS.values()})
    says: bytes = b'{"accepted": 1, "duplicates": 0, "unknown": 0}'
    hold: threading.Event = field(default_factory=threading.Event)
    calls: int = 0
    url: str = ""

    @property
    def told(self) -> list[dict[str, Any]]:
        """Answers."""
        return self.kept["answers"]

    def answer(self, path: str, body: bytes) -> int:
        self.calls += 1
        self.hold.wait(30)
        status = self.statuses.pop(0) if self.statuses else 200
        if path not in FIELDS:
            return 404
        if status == 200:
            self.kept[FIELDS[path]] += json.loads(body)[FIELDS[path]]
        return status


@contextmanager
def collecting() -> Iterator[Collector]:
    collector = Collector()
    collector.hold.set()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            status = collector.answer(self.path, self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(status)
            self.send_header("Content-Length", str(len(collector.says)))
            self.end_headers()
            self.wfile.write(collector.says)

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Who asked has not waited."""

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        collector.url = f"http://127.0.0.1:{server.server_address[1]}"
        yield collector
        collector.hold.set()
        server.shutdown()


def free_port() -> int:
    with closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
