"""A registry that answers MLflow's client over HTTP, and can be told to misbehave."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

API = "/api/2.0/mlflow"
ARTIFACTS = "/api/2.0/mlflow-artifacts/artifacts"
ROOT = "1/models/m-1/artifacts"


@dataclass
class Registry:
    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    status: int = 200
    error: dict[str, str] = field(default_factory=dict)
    listed: list[dict[str, Any]] | None = None
    broken_off: bool = False
    asked: list[str] = field(default_factory=list)

    def answer(self, target: str) -> tuple[int, bytes]:
        parts = urlsplit(target)
        self.asked.append(parts.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if self.status != 200:
            return self.status, json.dumps(self.error).encode()
        if parts.path == f"{API}/model-versions/get-download-uri":
            if query != {"name": "penguins", "version": "7"}:
                return 404, json.dumps({"error_code": "RESOURCE_DOES_NOT_EXIST", "message": "no such version"}).encode()
            return 200, json.dumps({"artifact_uri": f"mlflow-artifacts:/{ROOT}"}).encode()
        if parts.path == f"{API}/registered-models/get":
            return 200, json.dumps({"registered_model": {"name": query["name"]}}).encode()
        if parts.path == ARTIFACTS:
            return 200, json.dumps({"files": self._listing(query["path"])}).encode()
        content = self.files.get(parts.path.removeprefix(f"{ARTIFACTS}/{ROOT}/"))
        return (404, b"{}") if content is None else (200, content)

    def _listing(self, path: str) -> list[dict[str, Any]]:
        if self.listed is not None:
            return self.listed
        folder = path.removeprefix(ROOT).strip("/")
        prefix = f"{folder}/" if folder else ""
        below = {name.removeprefix(prefix) for name in self.files if name.startswith(prefix)}
        names = {name.partition("/")[0]: "/" in name for name in below}
        return [{"path": name, "is_dir": is_dir, "file_size": 1} for name, is_dir in sorted(names.items())]


@contextmanager
def serve(directory: Path) -> Iterator[Registry]:
    """Serves the files of a directory as penguins version 7."""
    registry = Registry()
    registry.files = {p.relative_to(directory).as_posix(): p.read_bytes() for p in directory.rglob("*") if p.is_file()}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = registry.answer(self.path)
            self.send_response(status)
            cut = registry.broken_off and self.path.startswith(f"{ARTIFACTS}/")
            self.send_header("Content-Length", str(len(body) + 1000 * cut))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    registry.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield registry
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
