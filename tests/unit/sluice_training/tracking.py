"""Runs the tracking server of `hack/mlflow/mlflow.yaml` as a local process: same command, same variables."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

import yaml

MANIFEST = Path(__file__).parents[3] / "hack/mlflow/mlflow.yaml"
PATIENCE_SECONDS = 180.0


@cache
def manifest() -> dict[str, dict[str, Any]]:
    """The objects of the manifest by kind."""
    return {each["kind"]: each for each in yaml.safe_load_all(MANIFEST.read_text())}


def pod() -> dict[str, Any]:
    """The pod's spec."""
    spec: dict[str, Any] = manifest()["Deployment"]["spec"]["template"]["spec"]
    return spec


def container() -> dict[str, Any]:
    """The only container."""
    (only,) = pod()["containers"]
    return dict(only)


def variables() -> dict[str, str]:
    """The container's environment."""
    return {each["name"]: each["value"] for each in container()["env"]}


@contextmanager
def serve(folder: Path) -> Iterator[str]:
    """Run the server with its data in `folder`; yields its address when the startup probe succeeds."""
    port = _free_port()
    local = {"/data": str(folder), "0.0.0.0": "127.0.0.1", "5000": str(port), "python": sys.executable}
    command = [local.get(word, word) for word in (*container()["command"], *container()["args"])]
    env = {name: value.replace("/data", str(folder)) for name, value in variables().items()}
    env = {"PATH": os.environ["PATH"], "TMPDIR": str(folder), **env, "HOME": str(folder)}
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=env, stdout=log, stderr=log, cwd=folder)
    try:
        _wait_until_started(port, process, folder / "log")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=30)


def get(port: int, path: str, *, host: str = "") -> tuple[int, bytes]:
    """One GET, by default with the Host header that names the address."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path, headers={"Host": host or f"127.0.0.1:{port}"})
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def _wait_until_started(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    probe = container()["startupProbe"]["httpGet"]
    (header,) = probe["httpHeaders"]
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            status, _ = get(port, probe["path"], host=header["value"])
        except (OSError, HTTPException):
            status = 0
        if status == 200:
            return
        time.sleep(0.1)
    raise RuntimeError(f"the tracking server did not start:\n{log.read_text()[-3000:]}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
