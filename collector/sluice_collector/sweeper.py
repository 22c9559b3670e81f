"""Takes away what is over, again and again, from a thread."""

import logging
import threading

from sqlalchemy.exc import SQLAlchemyError

from sluice_collector.experiments.retention import Retention
from sluice_collector.ledger import Ledger
from sluice_collector.metrics import Metrics

log = logging.getLogger(__name__)


def sweep(ledger: Ledger, retention: Retention, metrics: Metrics) -> None:
    """Once; what fails is tried again the next time."""
    try:
        metrics.dropped(ledger.expire(), "late")
        ledger.forget()
        metrics.given_up(retention.expire())
        retention.forget()
    except SQLAlchemyError as error:
        metrics.database_failed()
        log.warning("the database does not let go of what is over: %s", type(error).__name__)


def start(ledger: Ledger, retention: Retention, metrics: Metrics, *, seconds: float) -> None:
    """Every so many seconds, until the process ends. Several processes may do it at once."""

    def run() -> None:
        pause = threading.Event()
        while True:
            pause.wait(seconds)
            sweep(ledger, retention, metrics)

    threading.Thread(target=run, name="sweeper", daemon=True).start()
