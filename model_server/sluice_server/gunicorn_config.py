"""How gunicorn runs the application."""

import gc
import socket
import time
from typing import Any

from sluice_server import durations, feedback, metrics, sender
from sluice_server.settings import Settings
from sluice_server.users import Users

# Seconds of silence after which the kernel asks whether the other side still exists: connections are kept for an hour.
_KEEPALIVE_PROBE_AFTER_SECONDS = 60
# For health checks, and for telling a request that the queue is full.
_SPARE_THREADS = 4
# A worker that has drained waits no longer for the collector.
_FINISH_SECONDS = 1.0


def options(settings: Settings, *, started: float) -> dict[str, Any]:
    """gunicorn's settings; `started` is the Unix time in seconds at which this run of the container began."""

    def when_ready(arbiter: Any) -> None:
        for listener in arbiter.LISTENERS:  # accepted connections inherit these
            listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            listener.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPALIVE_PROBE_AFTER_SECONDS)
        page = metrics.registry(
            started=started, revision=settings.revision, model=settings.model_name, version=settings.model_version
        )
        port = metrics.serve(settings.host, settings.metrics_port, page)
        arbiter.log.info("metrics on port %d, ready %.1f s after the start", port, time.time() - started)
        gc.collect()
        gc.freeze()  # workers share the model's memory until they write to it, and the collector would

    users = Users(settings.counters_dir)

    def child_exit(_arbiter: Any, worker: Any) -> None:
        metrics.worker_died(worker.pid)
        users.worker_died(worker.pid)

    def worker_exit(_arbiter: Any, worker: Any) -> None:
        application = getattr(worker, "wsgi", None)  # a worker that did not come up has none
        sender.finish(application.extensions[sender.EXTENSION] if application else (), _FINISH_SECONDS)

    def post_fork(_arbiter: Any, worker: Any) -> None:
        worker.one_request_port = settings.shared_port
        durations.worker_began(settings.warm_up_seconds)

    return {
        "bind": [f"{settings.host}:{port}" for port in (settings.port, settings.mirror_port, settings.shared_port)],
        "worker_class": "sluice_server.worker.Worker",
        "workers": settings.workers,
        "threads": settings.threads + settings.max_queue + feedback.AT_ONCE + _SPARE_THREADS,
        "preload_app": True,
        "worker_tmp_dir": str(settings.runtime_dir),
        "control_socket_disable": True,
        "graceful_timeout": settings.graceful_timeout_seconds,
        "keepalive": settings.keepalive_seconds,
        "timeout": 60,
        "accesslog": None,
        "errorlog": "-",
        "when_ready": when_ready,
        "post_fork": post_fork,
        "worker_exit": worker_exit,
        "child_exit": child_exit,
    }
