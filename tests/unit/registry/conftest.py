"""A real MLflow tracking server, and a way to register models in it without MLflow's client (whose import is slow)."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import Request, urlopen

import aiohttp
import pytest

START_SECONDS = 120  # MLflow takes 10 s to import on a free machine


@dataclass(frozen=True)
class Mlflow:
    """The address of a server, and what the tests do there."""

    address: str

    def post(self, path: str, body: dict[str, Any], method: str = "POST") -> dict[str, Any]:
        import json

        return json.loads(self._send(method, f"api/2.0/mlflow/{path}", json.dumps(body).encode()) or b"{}")  # type: ignore[no-any-return]

    def put(self, path: str, content: bytes) -> None:
        self._send("PUT", f"api/2.0/mlflow-artifacts/artifacts/{quote(path)}", content)

    def register(self, name: str, files: dict[str, bytes], **tags: str) -> str:
        """Store files as a run's artifact and register them as the next version of a model; returns its number."""
        run = self.run({f"model/{path}": content for path, content in files.items()})
        return self.register_source(name, f"{run['artifact_uri']}/model", run_id=run["run_id"], **tags)

    def run(self, files: dict[str, bytes]) -> dict[str, Any]:
        """Make a run with files in its own folder."""
        run: dict[str, Any] = self.post("runs/create", {"experiment_id": "0"})["run"]["info"]
        self._store(run["artifact_uri"], files)
        return run

    def log_model(self, run_id: str, name: str, files: dict[str, bytes], status: str = "READY") -> dict[str, Any]:
        """Store files as a logged model of a run, the way MLflow 3 does."""
        body = {"experiment_id": "0", "name": name, "source_run_id": run_id}
        model: dict[str, Any] = self.post("logged-models", body)["model"]["info"]
        self._store(model["artifact_uri"], files)
        body = {"model_id": model["model_id"], "status": f"LOGGED_MODEL_{status}"}
        self.post(f"logged-models/{model['model_id']}", body, method="PATCH")
        return model

    def _store(self, artifact_uri: str, files: dict[str, bytes]) -> None:
        for path, content in files.items():
            self.put(f"{artifact_uri.removeprefix('mlflow-artifacts:/')}/{path}", content)

    def register_source(self, name: str, source: str, run_id: str | None = None, **tags: str) -> str:
        pairs = [{"key": f"sluice.dev/{key}", "value": value} for key, value in tags.items()]
        body = {"name": name, "source": source, "tags": pairs} | ({"run_id": run_id} if run_id else {})
        return str(self.post("model-versions/create", body)["model_version"]["version"])

    def create(self, name: str) -> None:
        self.post("registered-models/create", {"name": name})

    def alias(self, name: str, alias: str, version: str) -> None:
        self.post("registered-models/alias", {"name": name, "alias": alias, "version": version})

    def _send(self, method: str, path: str, body: bytes) -> bytes:
        headers = {"Content-Type": "application/json"}
        with urlopen(Request(f"{self.address}/{path}", body, headers, method=method), timeout=60) as response:
            return bytes(response.read())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mlflow]:
    home = tmp_path_factory.mktemp("mlflow")
    address = f"http://127.0.0.1:{(port := free_port())}"
    command = [
        *(sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
        *("--backend-store-uri", f"sqlite:///{home}/mlflow.db", "--artifacts-destination", str(home / "artifacts")),
    ]
    quiet = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    with (home / "log").open("wb") as output:
        server = subprocess.Popen(
            command, cwd=home, env=quiet, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        wait_until_healthy(address, server, home / "log")
        yield Mlflow(address)
    finally:
        os.killpg(server.pid, signal.SIGKILL)  # with its workers; the group is the session that we started
        server.wait()


def wait_until_healthy(address: str, server: subprocess.Popen[bytes], output: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urlopen(f"{address}/health", timeout=5):
                return
        except (URLError, OSError):
            time.sleep(0.1)  # no one tells when a process listens
    raise AssertionError(f"MLflow did not start:\n{output.read_text()}")


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as made:
        yield made
