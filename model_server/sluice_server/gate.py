"""A bound on the predictions that run and wait in one process."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore, Lock

from sluice_server.errors import OverloadedError


class Gate:
    """Lets `slots` predictions run at a time; up to `queue` more wait, each at most `patience` seconds.

    gunicorn's own queue has no bound, and its timeout does not end a request in a thread: without this a slow model
    would be asked for answers that nobody waits for any more.
    """

    def __init__(self, *, slots: int, queue: int, patience: float) -> None:
        self._free = BoundedSemaphore(slots)
        self._queue = queue
        self._patience = patience
        self._waiting = 0
        self._lock = Lock()

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Holds one slot.

        Raises:
            OverloadedError: the queue is full, or the wait took too long.
        """
        if not self._free.acquire(blocking=False):
            self._wait()
        try:
            yield
        finally:
            self._free.release()

    def _wait(self) -> None:
        with self._lock:
            if self._waiting >= self._queue:
                raise OverloadedError(f"{self._waiting} requests already wait for this server; try again later.")
            self._waiting += 1
        try:
            if not self._free.acquire(timeout=self._patience):
                raise OverloadedError(f"No prediction thread became free within {self._patience:g} s; try again later.")
        finally:
            with self._lock:
                self._waiting -= 1
