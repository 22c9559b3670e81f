"""Counts of answers, kept in files that all workers of a pod share, and the small server that shows them.

The operator decides by these counts, so they must hold across workers and survive a worker's death: prometheus_client's
multiprocess mode keeps one file per process and adds them up on reading. `sluice_server_start_time_seconds` changes
whenever the counts start again at zero.
"""

import json
import logging
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

# prometheus_client chooses its storage when it is imported: see __main__, which makes the directory first.
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

ASSIGNMENTS = ("random", "targeted", "mirror", "probe", "direct")
OUTCOMES = ("ok", "client_error", "error")

log = logging.getLogger(__name__)

_requests = Counter(
    "sluice_requests",
    "Finished answers to prediction requests.",
    ["assignment", "outcome"],
    registry=None,
)
_in_progress = Gauge(
    "sluice_requests_in_progress",
    "Prediction requests that have begun and are not answered yet.",
    ["assignment"],
    registry=None,
    multiprocess_mode="livesum",
)


def outcome_of(status: int) -> str:
    """How an HTTP status counts."""
    if status >= 500:
        return "error"
    return "client_error" if status >= 400 else "ok"


def assignment_of(header: str | None) -> str:
    """Who chose this revision for the request, as the route says; nobody if it came past the route."""
    return header if header in ASSIGNMENTS else "direct"


def create_series() -> None:
    """All series exist from the start: a reader can tell zero from absent."""
    for assignment in ASSIGNMENTS:
        _in_progress.labels(assignment)
        for outcome in OUTCOMES:
            _requests.labels(assignment, outcome)


def begin(assignment: str) -> None:
    """A prediction request has arrived."""
    _in_progress.labels(assignment).inc()


def finish(assignment: str, status: int) -> None:
    """It is answered with this HTTP status."""
    _requests.labels(assignment, outcome_of(status)).inc()
    _in_progress.labels(assignment).dec()


def worker_died(pid: int) -> None:
    """Requests that a worker took with it count as errors: their clients saw a broken connection.

    A worker killed for its memory, or by a fault in native code, leaves no other trace: gunicorn starts the next.
    """
    file = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"], f"gauge_livesum_{pid}.db")
    if file.exists():
        for key, value, *_ in MmapedDict.read_all_values_from_file(str(file)):  # type: ignore[no-untyped-call]
            assignment = json.loads(key)[2].get("assignment")
            if value > 0 and assignment:
                log.error("worker %d died with %d %s requests unanswered", pid, value, assignment)
                _requests.labels(assignment, "error").inc(value)
    mark_process_dead(pid)  # type: ignore[no-untyped-call]


class _Page:
    """Everything on the metrics page."""

    def __init__(self, *, started: float, labels: dict[str, str]) -> None:
        self._started = started
        self._labels = labels
        self._counts = MultiProcessCollector(None)  # type: ignore[no-untyped-call]

    def collect(self) -> Iterator[Metric]:
        yield from self._counts.collect()  # type: ignore[no-untyped-call]
        yield GaugeMetricFamily(
            "sluice_server_start_time_seconds", "Unix time at which the counts began at zero.", self._started
        )
        info = GaugeMetricFamily("sluice_server_info", "What this server serves.", labels=list(self._labels))
        info.add_metric(list(self._labels.values()), 1)
        yield info


def registry(*, started: float, revision: str, model: str, version: str) -> CollectorRegistry:
    """The metrics page; `started` is the Unix time in seconds at which this run of the container began."""
    page = CollectorRegistry()
    page.register(_Page(started=started, labels={"revision": revision, "model": model, "version": version}))
    return page


class _Server(HTTPServer):
    """One request at a time, from a thread of gunicorn's master, which never runs a model."""

    request_queue_size = 64
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], page: CollectorRegistry) -> None:
        super().__init__(address, _Handler)
        self.page = page
        self.busy = threading.Lock()

    def leave(self) -> None:
        """In a forked child: the page belongs to the master."""
        self.busy.release()
        self.socket.close()

    def handle_error(self, request: object, client_address: object) -> None:
        log.debug("a scrape by %s broke off", client_address)


class _Handler(BaseHTTPRequestHandler):
    timeout = 2.0  # seconds for a client to send its request
    server: _Server

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != "/metrics":
            self.send_error(404)
            return
        with self.server.busy:
            body = generate_latest(self.server.page)
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """A scrape per second is no news."""


def serve(host: str, port: int, page: CollectorRegistry) -> int:
    """Starts to serve the page from a thread; returns the port.

    gunicorn's master forks workers while this thread runs. A fork in the middle of a scrape would copy locks that
    nobody in the child will ever release, so it waits for the scrape (a millisecond).
    """
    server = _Server((host, port), page)
    os.register_at_fork(
        before=server.busy.acquire,
        after_in_parent=server.busy.release,
        after_in_child=server.leave,
    )
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return int(server.server_address[1])
