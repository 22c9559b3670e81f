"""The few REST calls to MLflow's model registry that must be quick: they need no import of mlflow (seconds).

API: https://mlflow.org/docs/latest/api_reference/rest-api.html, paths below `/api/2.0/mlflow`.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import SplitResult, urlencode, urlsplit

from sluice_training.errors import UserError

TIMEOUT_SECONDS = 10.0
_ALIAS = re.compile(r"[\w-]{1,255}", re.ASCII)
_RESERVED = re.compile(r"latest|v\d+", re.IGNORECASE)


def check_alias(alias: str) -> str:
    """Return the alias if MLflow accepts it.

    Raises:
        UserError: MLflow would refuse it.
    """
    if not _ALIAS.fullmatch(alias):
        raise UserError(f"'{alias}' is not an alias: use 1 to 255 letters, digits, '-' or '_', such as 'champion'.")
    if _RESERVED.fullmatch(alias):
        raise UserError(f"The alias '{alias}' is reserved by MLflow ('latest', 'v1', 'v2', …): choose another word.")
    return alias


def check_name(name: str) -> str:
    """Return the name if it can name a registered model.

    Raises:
        UserError: MLflow would refuse it.
    """
    if not name.strip() or set(name) & set("/:"):
        raise UserError(f"'{name}' cannot name a model: it must not be empty and must not hold '/' or ':'.")
    return name


@dataclass(frozen=True)
class Registry:
    """A tracking server at an http(s) address. Credentials: the environment variables that MLflow's client reads."""

    uri: str

    def __post_init__(self) -> None:
        if not _is_address(self.uri):
            raise UserError(
                f"'{self.uri}' is not the address of an MLflow tracking server: "
                "give one such as http://127.0.0.1:5000 with --tracking-uri or in MLFLOW_TRACKING_URI."
            )

    def check_alive(self) -> None:
        """Ask for the server's health.

        Raises:
            UserError: it does not answer, or something else answers.
        """
        status, _ = self._exchange("GET", "/health")
        if status != 200:
            raise UserError(f"What answers at {self.uri} is not a healthy MLflow tracking server (status {status}).")

    def set_alias(self, name: str, alias: str, version: int) -> None:
        """Let the alias name this version; it must exist.

        Raises:
            UserError: no such model or version, a bad alias, or no server.
        """
        body = {"name": name, "alias": check_alias(alias), "version": str(version)}
        self._call("POST", "registered-models/alias", body)

    def version_of(self, name: str, alias: str) -> dict[str, Any]:
        """The `model_version` object that the alias names.

        Raises:
            UserError: no such model or alias, or no server.
        """
        query = urlencode({"name": name, "alias": alias})
        return dict(self._call("GET", f"registered-models/alias?{query}")["model_version"])

    def _call(self, method: str, path: str, body: Mapping[str, str] | None = None) -> dict[str, Any]:
        status, text = self._exchange(method, f"/api/2.0/mlflow/{path}", body)
        answer = _json_object(text)
        if status == 200 and answer is not None:
            return answer
        reason = (answer or {}).get("message") or text.decode(errors="replace")[:200].strip() or "no reason given"
        raise UserError(f"MLflow at {self.uri} refused (status {status}): {reason}")

    def _exchange(self, method: str, path: str, body: Mapping[str, str] | None = None) -> tuple[int, bytes]:
        parts = urlsplit(self.uri)
        headers = {"Content-Type": "application/json", **_credentials()}
        payload = json.dumps(body).encode() if body is not None else None
        connection = _connection(parts)
        try:
            connection.request(method, parts.path.rstrip("/") + path, body=payload, headers=headers)
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, HTTPException) as error:
            raise UserError(f"No MLflow tracking server answers at {self.uri} ({error}). Is it running?") from error
        finally:
            connection.close()


def _is_address(uri: str) -> bool:
    try:
        parts = urlsplit(uri)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _connection(parts: SplitResult) -> HTTPConnection:
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    return kind(parts.hostname or "", parts.port, timeout=TIMEOUT_SECONDS)


def _credentials() -> dict[str, str]:
    if token := os.environ.get("MLFLOW_TRACKING_TOKEN"):
        return {"Authorization": f"Bearer {token}"}
    if user := os.environ.get("MLFLOW_TRACKING_USERNAME"):
        pair = f"{user}:{os.environ.get('MLFLOW_TRACKING_PASSWORD', '')}"
        return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode()}
    return {}


def _json_object(text: bytes) -> dict[str, Any] | None:
    try:
        answer = json.loads(text)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None
