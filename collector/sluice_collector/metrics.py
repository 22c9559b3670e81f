"""What the collector tells about itself; no label has values that senders choose."""

import os
from collections.abc import Callable

# prometheus_client chooses its storage when it is imported: see __main__, which makes the directory first.
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from sluice_collector.answers import SIDES
from sluice_collector.ledger import Dropped, Recorded

VERDICTS = ("agree", "disagree", "refused", "unknown")
DROPS = ("late", "full")
REFUSALS = ("malformed", "too_large")


class Metrics:
    """Counts of one process, or of all workers with PROMETHEUS_MULTIPROC_DIR; zeros are there from the start."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._answers = self._counter("answers", "Answers received.", result=("accepted", "duplicate"))
        self._pairs = self._counter("pairs", "Requests of which both sides answered.", verdict=VERDICTS)
        self._unpaired = self._counter("unpaired", "Answers given up without a partner.", side=SIDES, reason=DROPS)
        self._refused = self._counter("refused", "Calls refused.", reason=REFUSALS)
        self._failures = self._counter("database_errors", "Calls and sweeps that the database failed.")

    def _counter(self, name: str, text: str, **labels: tuple[str, ...]) -> Counter:
        counter = Counter(f"sluice_collector_{name}", text, list(labels), registry=self._registry)
        series: list[dict[str, str]] = [{}]
        for label, values in labels.items():
            series = [one | {label: value} for one in series for value in values]
        for one in series if labels else ():
            counter.labels(**one)
        return counter

    def recorded(self, done: Recorded) -> None:
        """A batch is in the database."""
        self._answers.labels("accepted").inc(done.accepted)
        self._answers.labels("duplicate").inc(done.duplicates)
        for pair in done.pairs:
            self._pairs.labels(pair.verdict).inc()

    def dropped(self, answers: Dropped, reason: str) -> None:
        """Answers are given up, because they are `late` or the place is `full`."""
        for side, count in answers.counts.items():
            self._unpaired.labels(side, reason).inc(count)

    def refused(self, reason: str) -> None:
        """A call is `malformed` or `too_large`."""
        self._refused.labels(reason).inc()

    def database_failed(self) -> None:
        """Something was not done."""
        self._failures.inc()

    def page(self, waiting: Callable[[], int]) -> bytes:
        """Everything, with the number of answers that wait."""
        page = CollectorRegistry()
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            MultiProcessCollector(page)  # type: ignore[no-untyped-call]
            return generate_latest(page) + _gauge(waiting())
        return generate_latest(self._registry) + _gauge(waiting())


def _gauge(waiting: int) -> bytes:
    """From the database, which all processes share: not one of a process's own values."""
    page = CollectorRegistry()
    Gauge("sluice_collector_waiting", "Answers that wait for their partner.", registry=page).set(waiting)
    return generate_latest(page)
