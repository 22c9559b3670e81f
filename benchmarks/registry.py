"""The few answers of an MLflow registry that the operator asks for: every model has one version, with its digest."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit


@dataclass
class Registry:
    """Where it answers, and how often it was asked."""

    url: str
    requests: int = 0


@contextmanager
def registry() -> Iterator[Registry]:
    """Serve on a free port of 127.0.0.1."""
    found = Registry("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            found.requests += 1
            name = parse_qs(urlsplit(self.path).query).get("name", [""])[0]
            tags = [{"key": "sluice.dev/digest", "value": f"sha256:{1:064x}"}]
            version = {"name": name, "version": "1", "status": "READY", "creation_timestamp": 1, "tags": tags}
            body = json.dumps({"model_version": version}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
