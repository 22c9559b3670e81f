"""A real server process, and clients that keep their connections."""

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GOOD_ROW = {"length": 39.1, "mass": None, "island": "Dream"}
FAILING_ROW = {"length": 39.1, "mass": None, "island": "Atlantis"}


@dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Running:
    process: subprocess.Popen[bytes]
    log: Path
    directory: Path
    port: int = 0
    metrics_port: int = 0
    mirror_port: int = 0
    shared_port: int = 0

    @contextmanager
    def connect(self) -> Iterator[http.client.HTTPConnection]:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)) as connection:
            yield connection

    def predict(self, *rows: dict[str, Any], **headers: str) -> Answer:
        with self.connect() as connection:
            return predict(connection, *rows, **headers)

    def metrics_page(self, path: str) -> Answer:
        with closing(http.client.HTTPConnection("127.0.0.1", self.metrics_port, timeout=30)) as connection:
            return ask(connection, "GET", path)

    def metrics(self) -> dict[str, float]:
        page = self.metrics_page("/metrics").body.decode()
        lines = (line.rpartition(" ") for line in page.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, _, value in lines}

    def requests(self) -> dict[tuple[str, str], float]:
        """Counted answers by (assignment, outcome)."""
        found: dict[tuple[str, str], float] = {}
        for name, value in self.metrics().items():
            if match := re.fullmatch(r'sluice_requests_total\{assignment="(\w+)",outcome="(\w+)"\}', name):
                found[match[1], match[2]] = value
        return found

    def workers(self) -> list[int]:
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=60)


def start(model: Path, directory: Path, **environment: str) -> Running:
    """Starts the server on free ports and waits until it listens."""
    running = spawn(model, directory, **environment)
    until(lambda: "metrics on port" in running.log.read_text() or running.process.poll() is not None)
    text = running.log.read_text()
    assert running.process.poll() is None, text
    running.port = int(re.findall(r"Listening at: http://[\d.]+:(\d+)", text)[0])
    running.metrics_port = int(re.findall(r"metrics on port (\d+)", text)[0])
    return running


def spawn(model: Path, directory: Path, **environment: str) -> Running:
    given: Mapping[str, str] = {
        "SLUICE_MODEL_DIR": str(model),
        "SLUICE_MODEL_NAME": "penguins",
        "SLUICE_MODEL_VERSION": "7",
        "SLUICE_REVISION": "6d8f",
        "SLUICE_HOST": "127.0.0.1",
        "SLUICE_PORT": "0",
        "SLUICE_MIRROR_PORT": "0",
        "SLUICE_SHARED_PORT": "0",
        "SLUICE_METRICS_PORT": "0",
        "SLUICE_RUNTIME_DIR": str(directory),
        "SLUICE_TERMINATION_LOG": str(directory / "termination-log"),
    }
    log = directory / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "sluice_server"], env=os.environ | given | environment, stdout=out, stderr=out
        )
    return Running(process, log, directory)


def ask(connection: http.client.HTTPConnection, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    response = connection.getresponse()
    return Answer(response.status, response.headers, response.read())


def predict(connection: http.client.HTTPConnection, *rows: dict[str, Any], **headers: str) -> Answer:
    body = json.dumps({"dataframe_records": rows}).encode()
    return ask(connection, "POST", "/invocations", body, **{"content_type": "application/json"} | headers)


def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Waits for something to become true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)
