"""Tells the collector things in the background: nothing here may delay an answer.

What is told is put into a bounded queue, and a thread sends what is in it. What does not fit, because the collector is
slow or away, is dropped and counted. What waits when the worker ends is sent first, in the short time that there is.
"""

import logging
import queue
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Protocol

import urllib3
from prometheus_client import Counter

from sluice_server.protocols.mlflow import dumps

EXTENSION: Final = "sluice_senders"  # where a Flask application has its senders
PAUSE_SECONDS: Final = 0.5
TIMEOUT_SECONDS: Final = 2.0
RETRY_SECONDS: Final = 2.0
LAST_RETRY_SECONDS: Final = 0.1
# An answer has no partner later than that; and after ten minutes the collector would not know that it has it already.
PATIENCE_SECONDS: Final = 60.0
FATES: Final = ("sent", "dropped", "refused")

log = logging.getLogger(__name__)


class Telling(Protocol):
    """Something that the collector is told."""

    def told(self) -> dict[str, Any]:
        """Return it as JSON knows it."""
        ...


@dataclass(frozen=True)
class Channel:
    """Where one kind of things is told: a path of the collector, the field they come in, and the count of their fates.

    `capacity` is how many may wait in one worker, `batch` how many are sent in one call.
    """

    path: str
    field: str
    fates: Counter
    capacity: int = 2000
    batch: int = 200


def create_series(fates: Counter) -> None:
    """All series exist from the start."""
    for fate in FATES:
        fates.labels(fate)


def finish(senders: Iterable["Sender"], seconds: float) -> None:
    """Send all that waits, in the worker's last moments; what takes longer than this is lost."""
    used, until = list(senders), time.monotonic() + seconds
    for sender in used:
        sender.end()
    for sender in used:
        sender.join(max(0.0, until - time.monotonic()))


class Sender:
    """Sends one kind of things to the collector at `url`, from one thread in each worker process."""

    def __init__(self, url: str, channel: Channel) -> None:
        self._address = f"{url.rstrip('/')}{channel.path}"
        self._channel = channel
        self._waiting: queue.Queue[Telling | None] = queue.Queue(channel.capacity)
        self._ending = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def offer(self, told: Telling) -> None:
        """Take something along, or drop it; never waits."""
        try:
            self._waiting.put_nowait(told)
        except queue.Full:
            self._count("dropped", 1)
            return
        if self._thread is None:  # the process that was forked from has none
            with self._starting:
                if self._thread is None:
                    name = f"sends {self._channel.field}"
                    self._thread = threading.Thread(target=self._send_all, name=name, daemon=True)
                    self._thread.start()

    def end(self) -> None:
        """Nothing more comes: send what waits without a pause, and then no more."""
        self._ending.set()
        with suppress(queue.Full):  # then nobody waits for something to come
            self._waiting.put_nowait(None)

    def join(self, seconds: float) -> None:
        """Wait until all is sent, after `end`; at most so long."""
        if self._thread is not None:
            self._thread.join(seconds)

    def _send_all(self) -> None:
        pool = urllib3.PoolManager(maxsize=1, retries=False, timeout=TIMEOUT_SECONDS)
        while batch := self._batch():
            until = time.monotonic() + PATIENCE_SECONDS
            while not self._sent(pool, batch):
                if time.monotonic() > until:
                    self._count("dropped", len(batch))
                    break
                if self._ending.wait(RETRY_SECONDS):
                    time.sleep(LAST_RETRY_SECONDS)
            if len(batch) < self._channel.batch:
                self._ending.wait(PAUSE_SECONDS)

    def _batch(self) -> list[Telling]:
        """Return what waits, or else what comes next; nothing when all is sent at the end."""
        batch: list[Telling] = []
        while len(batch) < self._channel.batch:
            try:
                told = self._waiting.get(block=not batch and not self._ending.is_set())
            except queue.Empty:
                break
            if told is not None:
                batch.append(told)
        return batch

    def _sent(self, pool: urllib3.PoolManager, batch: list[Telling]) -> bool:
        """Send a batch; say whether it is done with. The collector counts each of it once, however often it comes."""
        field = self._channel.field
        try:
            body = dumps({field: [one.told() for one in batch]})
            response = pool.request("POST", self._address, body=body, headers={"Content-Type": "application/json"})
        except urllib3.exceptions.HTTPError as problem:
            log.debug("the collector can't be reached: %s", problem)
            return False
        except Exception:  # what a model returned can't be told: this thread must not end with it
            log.exception("%d %s can't be told to the collector", len(batch), field)
            self._count("refused", len(batch))
            return True
        if response.status >= 500 or response.status == 429:
            return False
        if response.status >= 400:
            log.warning("the collector refuses %s: HTTP %d: %s", field, response.status, response.data[:200])
        self._count("refused" if response.status >= 400 else "sent", len(batch))
        return True

    def _count(self, fate: str, number: int) -> None:
        self._channel.fates.labels(fate).inc(number)
