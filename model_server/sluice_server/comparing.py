"""Tells the collector what this pod has answered, so that stable's and a candidate's answers can be compared.

The route says of which requests (`x-sluice-compare: COMPARISON;PERCENT`), and both versions' pods choose the same ones:
by their ids. Nothing here may delay an answer: it is put into a bounded queue, and a thread sends what is in it. What
does not fit, because the collector is slow or away, is dropped and counted.
"""

import hashlib
import logging
import math
import queue
import threading
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import urllib3
from prometheus_client import Counter

from sluice_server.protocols.mlflow import dumps, plain

HEADER: Final = "x-sluice-compare"
STABLE, CANDIDATE = "stable", "candidate"
MOST_PREDICTIONS: Final = 64  # of one answer; of longer ones only the digest is sent
MOST_TEXT: Final = 64
LARGEST: Final = 1e19  # of numbers; of larger ones the digest says whether they are the same
MOST_IDENTITY: Final = 128
BATCH: Final = 200
PAUSE_SECONDS: Final = 0.5
TIMEOUT_SECONDS: Final = 2.0
RETRY_SECONDS: Final = 2.0
# Later there is no partner to wait for; and after ten minutes the collector would not know that it has an answer.
PATIENCE_SECONDS: Final = 60.0

log = logging.getLogger(__name__)

_told = Counter(
    "sluice_compared_answers", "Answers for the collector, by what became of them.", ["fate"], registry=None
)


@dataclass(frozen=True)
class Answer:
    """What was answered to one request; `seconds` is how long it took, `predictions` what the model returned."""

    comparison: str
    request: str
    side: str
    status: int
    seconds: float
    predictions: Any = None

    def told(self) -> dict[str, Any]:
        """Return what the collector is told: predictions only, never what was asked."""
        said = {
            "comparison": self.comparison, "request": self.request, "side": self.side, "status": self.status,
            "seconds": round(self.seconds, 6), "predictions": None,
        }  # fmt: skip
        if self.status >= 400:
            return said
        flat = list(_flat(plain(self.predictions)))
        if len(flat) > MOST_PREDICTIONS or not all(map(_fits, flat)):
            return said | {"digest": f"sha256:{hashlib.sha256(repr(flat).encode()).hexdigest()}"}
        return said | {"predictions": flat}


def asked(header: str | None, request: str | None) -> str | None:
    """Return the comparison that a request belongs to, None when its answer is not compared.

    Args:
        header: `x-sluice-compare`, as the route has set it.
        request: the request's id, which the gateway gives to the request and to its copy.
    """
    if not header or not request or len(request) > MOST_IDENTITY or not _visible(request):
        return None
    comparison, _, percent = header.rpartition(";")
    if not comparison or not percent.isdecimal():
        return None
    return comparison if zlib.crc32(request.encode()) % 100 < int(percent) else None


class Sender:
    """Sends answers to the collector at `url`, from one thread in each worker process."""

    def __init__(self, url: str, *, capacity: int = 2000) -> None:
        self._address = f"{url.rstrip('/')}/v1/answers"
        self._waiting: queue.Queue[Answer] = queue.Queue(capacity)
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def offer(self, answer: Answer) -> None:
        """Take an answer along, or drop it; never waits."""
        try:
            self._waiting.put_nowait(answer)
        except queue.Full:
            _told.labels("dropped").inc()
            return
        if self._thread is None:  # the process that was forked from has none
            with self._starting:
                if self._thread is None:
                    self._thread = threading.Thread(target=self._send_all, name="comparing", daemon=True)
                    self._thread.start()

    def _send_all(self) -> None:
        pool = urllib3.PoolManager(maxsize=1, retries=False, timeout=TIMEOUT_SECONDS)
        while True:
            batch = list(self._batch())
            until = time.monotonic() + PATIENCE_SECONDS
            while not self._sent(pool, batch):
                if time.monotonic() > until:
                    _told.labels("dropped").inc(len(batch))
                    break
                time.sleep(RETRY_SECONDS)
            time.sleep(PAUSE_SECONDS)

    def _batch(self) -> Iterator[Answer]:
        yield self._waiting.get()
        for _ in range(BATCH - 1):
            try:
                yield self._waiting.get_nowait()
            except queue.Empty:
                return

    def _sent(self, pool: urllib3.PoolManager, batch: list[Answer]) -> bool:
        """Send a batch; say whether it is done with. The collector counts each answer once, however often it comes."""
        try:
            body = dumps({"answers": [answer.told() for answer in batch]})
            response = pool.request("POST", self._address, body=body, headers={"Content-Type": "application/json"})
        except urllib3.exceptions.HTTPError as problem:
            log.debug("the collector can't be reached: %s", problem)
            return False
        except Exception:  # what a model returned can't be told: this thread must not end with it
            log.exception("%d answers can't be told to the collector", len(batch))
            _told.labels("refused").inc(len(batch))
            return True
        if response.status >= 500 or response.status == 429:
            return False
        if response.status >= 400:
            log.warning("the collector refuses answers: HTTP %d: %s", response.status, response.data[:200])
        _told.labels("refused" if response.status >= 400 else "sent").inc(len(batch))
        return True


def _visible(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text


def _fits(value: Any) -> bool:
    """Whether the collector takes a value as it is."""
    if isinstance(value, str):
        return len(value) <= MOST_TEXT
    return value is None or abs(value) <= LARGEST


def create_series() -> None:
    """All series exist from the start."""
    for fate in ("sent", "dropped", "refused"):
        _told.labels(fate)


def _flat(value: Any) -> Iterator[Any]:
    """Yield the scalars of an answer in an order that depends on its form only."""
    if isinstance(value, dict):
        for key in sorted(value, key=str):
            yield from _flat(value[key])
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _flat(item)
    elif isinstance(value, float):
        yield value if math.isfinite(value) else None
    elif value is None or isinstance(value, bool | int | str):
        yield value
    elif hasattr(value, "tolist"):
        yield from _flat(value.tolist())
    else:
        yield str(value)
