"""`python -m sluice_server`: loads the model, answers its input example once, then serves.

The order matters. The environment is set before the imports that read it, and the model is loaded before gunicorn
starts: until then nothing listens, so nothing can be taken for ready.
"""

import logging
import os
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import Any

from sluice_server.termination import GivingUpError, report

# One thread per prediction: workers and threads are the parallelism. It also makes forking after the warm-up safe,
# since OpenMP's pool of threads does not survive a fork.
_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}


def main() -> int:
    """Serves until SIGTERM; returns the exit code."""
    started = time.time()
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # The first process of a container ignores signals it has no handler for; gunicorn installs its own later.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        _serve(started)
    except GivingUpError as error:
        return report(error)
    return 0


def _serve(started: float) -> None:
    os.environ.update(_ENVIRONMENT)
    from sluice_server.settings import Settings  # noqa: PLC0415

    settings = Settings()
    _prepare_counters(settings.counters_dir)
    application = _application(settings)

    from gunicorn.app.base import BaseApplication  # noqa: PLC0415

    from sluice_server import gunicorn_config  # noqa: PLC0415

    class Server(BaseApplication):  # type: ignore[misc]  # gunicorn has no types
        def load_config(self) -> None:
            for name, value in gunicorn_config.options(settings, started=started).items():
                self.cfg.set(name, value)

        def load(self) -> Any:
            return application

    Server().run()


def _prepare_counters(directory: Path) -> None:
    """An empty directory: counts of an earlier run of the container do not belong to this one."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory)


def _application(settings: Any) -> Any:
    try:
        from sluice_server import engine, warmup  # noqa: PLC0415
        from sluice_server.app import create_app  # noqa: PLC0415
    except ImportError as error:
        raise GivingUpError("ModelLoadFailed", f"the server's image is incomplete: {error}") from error
    loaded = engine.load(settings.model_dir, trust_pickle=settings.trust_pickle)
    warmup.warm_up(loaded, settings.model_dir)
    return create_app(loaded, settings)


if __name__ == "__main__":
    sys.exit(main())
