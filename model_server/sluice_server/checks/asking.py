"""Sends rows to a running model server, as probes, which are no evidence and no user's."""

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sluice_server.checks.answer import CantTellError
from sluice_server.checks.golden import GoldenRows

BATCH = 50
TIMEOUT_SECONDS = 60.0
PATIENCE = (1.0, 2.0, 4.0, 8.0, 16.0)  # seconds between attempts while nobody answers
BUSY = (502, 503, 504)  # nothing of the model: too many requests, or no pod


@dataclass(frozen=True)
class NoAnswer:
    """A row that the model did not answer, and what it said instead."""

    why: str


@dataclass(frozen=True)
class Client:
    """One revision, by the address of its Service; `who` names it in sentences."""

    url: str
    who: str
    sleep: Callable[[float], None] = time.sleep

    def predict(self, rows: GoldenRows) -> list[Any]:
        """One prediction for each row, or a `NoAnswer`.

        Raises:
            CantTellError: it can't be reached, or answers with something else than predictions.
        """
        found: list[Any] = []
        for start in range(0, len(rows.data), BATCH):
            found += self._batch(rows.columns, rows.data[start : start + BATCH])
        return found

    def _batch(self, columns: Sequence[str], data: Sequence[Sequence[Any]]) -> list[Any]:
        """One row that can't be answered must not take the others with it."""
        answer = self._post({"dataframe_split": {"columns": columns, "data": data}})
        if isinstance(answer, NoAnswer):
            return [answer] if len(data) == 1 else [self._batch(columns, [row])[0] for row in data]
        predictions = answer.get("predictions") if isinstance(answer, dict) else None
        if not isinstance(predictions, list) or len(predictions) != len(data):
            raise CantTellError(f"{self.who} did not answer with one prediction for each row")
        return predictions

    def _post(self, body: dict[str, Any]) -> Any:
        problem = ""
        for wait in (*PATIENCE, None):
            try:
                return self._once(body)
            except urllib.error.HTTPError as error:
                if error.code not in BUSY:
                    return NoAnswer(f"HTTP {error.code}: {_message(error)}")
                problem = f"HTTP {error.code}"
            except (OSError, http.client.HTTPException) as error:
                problem = str(getattr(error, "reason", error)) or type(error).__name__
            if wait is not None:
                self.sleep(wait)
        raise CantTellError(f"{self.who} can't be reached at {self.url} ({problem})")

    def _once(self, body: dict[str, Any]) -> Any:
        request = urllib.request.Request(  # noqa: S310 - the address of our own Service
            f"{self.url}/invocations",
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json", "x-sluice-assignment": "probe"},
        )
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
            try:
                return json.load(answer)
            except ValueError as error:
                raise CantTellError(f"{self.who} did not answer in JSON") from error


def _message(error: urllib.error.HTTPError) -> str:
    try:
        said = json.loads(error.read(4096))
        return str(said["message"])[:200]
    except (ValueError, KeyError, TypeError, OSError):
        return str(error.reason)
