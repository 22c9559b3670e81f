"""`python -m sluice_collector`: serves until SIGTERM."""

import logging
import os
import shutil
import sys
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication
from pydantic import ValidationError

from sluice_collector.settings import Settings


def main() -> int:
    """Returns the exit code."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    try:
        settings = Settings()
    except ValidationError as error:
        logging.getLogger(__name__).error("%s", error)
        return 2
    _share_counters(settings.runtime_dir / "sluice-metrics")
    _Server(settings).run()
    return 0


def _share_counters(directory: Path) -> None:
    """A directory in which all workers keep their counters; those of an earlier run do not belong to this one."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory)


class _Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        super().__init__()

    def load_config(self) -> None:
        settings = self._settings
        chosen = {
            "bind": f"{settings.host}:{settings.port}",
            "worker_class": "gthread",
            "workers": settings.workers,
            "threads": settings.threads,
            "worker_tmp_dir": str(settings.runtime_dir),
            "control_socket_disable": True,
            "graceful_timeout": settings.graceful_timeout_seconds,
            "keepalive": 75,  # senders keep their connections
            "timeout": 60,
            "accesslog": None,
            "errorlog": "-",
        }
        for name, value in chosen.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        """In each worker, after the fork: connections and threads can't be shared."""
        from sluice_collector.wiring import application  # noqa: PLC0415 - after the directory of the counters is named

        return application(self._settings)


if __name__ == "__main__":
    sys.exit(main())
