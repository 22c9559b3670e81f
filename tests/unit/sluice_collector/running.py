"""A real collector: gunicorn with workers of its own, which can be killed."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sluice_collector.answers import Answer

from tests.unit.sluice_collector.worlds import PATIENCE_SECONDS


@dataclass
class Running:
    url: str
    directory: Path
    environment: dict[str, str] = field(default_factory=dict)
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """On a free port; the next start takes the same one, as a Service has it."""
        given = {
            "SLUICE_DATABASE_URL": self.url,
            "SLUICE_HOST": "127.0.0.1",
            "SLUICE_PORT": str(self.port),
            "SLUICE_WORKERS": "2",
            "SLUICE_DATABASE_TIMEOUT_SECONDS": str(PATIENCE_SECONDS),
            "SLUICE_RUNTIME_DIR": str(self.directory),
        }
        log = self.directory / "log"
        with log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sluice_collector"],
                env=os.environ | given | self.environment, stdout=out, stderr=out, start_new_session=True,
            )  # fmt: skip
        until(lambda: "Listening at" in log.read_text() or self._ended(), log)
        assert not self._ended(), log.read_text()
        self.port = int(re.findall(r"Listening at: http://[\d.]+:(\d+)", log.read_text())[0])
        until(self.ready, log)

    def _ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def ready(self) -> bool:
        return self.ask("GET", "/readyz")[0] == 200

    def kill(self) -> None:
        """All of its processes at once, as when a node is lost."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(timeout=PATIENCE_SECONDS)

    def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(timeout=PATIENCE_SECONDS)

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Status and JSON, or text."""
        text = None if body is None else json.dumps(body)
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)) as connection:
            connection.request(method, path, text)
            response = connection.getresponse()
            content = response.read().decode()
            is_json = response.headers.get_content_type() == "application/json"
            return response.status, json.loads(content) if is_json else content

    def send(self, answers: Sequence[Answer]) -> tuple[int, Any]:
        return self.ask("POST", "/v1/answers", {"answers": [as_sent(one) for one in answers]})

    def counts(self, name: str) -> dict[str, Any]:
        status, found = self.ask("GET", f"/v1/comparisons/{name}")
        assert status == 200
        assert isinstance(found, dict)
        return found


def as_sent(answer: Answer) -> dict[str, Any]:
    """As a model server sends it."""
    return {name: value for name, value in vars(answer).items() if value is not None}


def until(condition: Callable[[], object], log: Path) -> None:
    """Waits for something to become true."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.02)
