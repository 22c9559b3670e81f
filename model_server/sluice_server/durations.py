"""How long answers took, in cells fine enough to compare two versions of a model.

Each cell is sqrt(1.2) as wide as the one before: twenty per cent slower are exactly two cells. The operator knows the
same edges (`sluice.analysis.cells`), since it compares cells and not quantiles.

What is measured: from the moment the worker sees the request (for the first one on a new connection: has read its
headers), with the wait for a thread and for the gate, until the answer is computed. The time before the worker accepts
a connection, and the time to send the answer, are not seen.
"""

import threading
import time
from dataclasses import dataclass

# prometheus_client chooses its storage when it is imported: see __main__, which makes the directory first.
from prometheus_client import Histogram

# Six significant digits, so that every machine computes the same: 0.47 ms to 60 s, and 1 s is one of them.
EDGES = tuple(float(f"{1.2 ** (half / 2):.6g}") for half in range(-84, 46))

COMPARED = "random"  # the other assignments are no fair sample, and 132 lines each
USER = "user"  # of those, the first that counts of each user of an experiment

_seconds = Histogram(
    "sluice_request_duration_seconds",
    "Duration of answered predictions, without errors and without a worker's first seconds.",
    ["assignment"],
    buckets=EDGES,
    registry=None,
)


@dataclass
class _WarmUp:
    """Until when, on the monotonic clock, this process counts no durations.

    A process that has just begun is slow, whatever it serves: its memory is still shared and its caches are empty.
    """

    until: float = 0.0


_warm_up = _WarmUp()
_thread = threading.local()


def create_series() -> None:
    """The cells exist from the start, for requests assigned at random only: the page is read every second."""
    _seconds.labels(COMPARED)
    _seconds.labels(USER)


def worker_began(warm_up_seconds: float) -> None:
    """A worker process starts to serve."""
    _warm_up.until = time.monotonic() + warm_up_seconds


def seen(at: float | None) -> None:
    """The request that this thread handles next arrived at this monotonic time, in seconds; None if unknown."""
    _thread.seen = at


def begun() -> float:
    """When the request that this thread handles arrived, as far as anybody knows: a monotonic time in seconds."""
    at: float | None = getattr(_thread, "seen", None)
    _thread.seen = None
    return time.monotonic() if at is None else at


def answered(assignment: str, status: int, *, began: float) -> float | None:
    """A request that began at this monotonic time is answered with this HTTP status.

    Returns:
        Its duration in seconds if it counts.
    """
    if assignment != COMPARED or status >= 400 or began < _warm_up.until:
        return None
    seconds = max(0.0, time.monotonic() - began)
    _seconds.labels(COMPARED).observe(seconds)
    return seconds


def answered_user(seconds: float) -> None:
    """It was the first of its user that counts."""
    _seconds.labels(USER).observe(seconds)
