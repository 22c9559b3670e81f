"""What the collector tells about itself; no label has values that senders choose."""

import os
from dataclasses import dataclass

# prometheus_client chooses its storage when it is imported: see __main__, which makes the directory first.
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from sluice_collector.answers import SIDES
from sluice_collector.experiments.ledger import Exposed, Fed
from sluice_collector.experiments.retention import Given
from sluice_collector.ledger import Dropped, Recorded

VERDICTS = ("agree", "disagree", "refused", "unknown")
DROPS = ("late", "full")
REFUSALS = ("malformed", "too_large")


@dataclass(frozen=True)
class Stored:
    """What the database has, which all processes share: no process has a value of its own."""

    waiting: int
    """Answers."""
    experiment_rows: int
    outcomes: int
    """That wait."""


class Metrics:
    """Counts of one process, or of all workers with PROMETHEUS_MULTIPROC_DIR; zeros are there from the start."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._answers = self._counter("answers", "Answers received.", result=("accepted", "duplicate"))
        self._pairs = self._counter("pairs", "Requests of which both sides answered.", verdict=VERDICTS)
        self._unpaired = self._counter("unpaired", "Answers given up without a partner.", side=SIDES, reason=DROPS)
        self._exposures = self._counter("exposures", "Exposures received.", result=("accepted", "duplicate"))
        self._outcomes = self._counter(
            "outcomes",
            "Outcomes received; unknown: before their exposure.",
            result=("accepted", "duplicate", "unknown"),
        )
        self._full = self._counter("exposures_dropped", "Exposures that count for nothing.", reason=("full",))
        self._lost = self._counter(
            "outcomes_dropped", "Outcomes that count for nothing.", reason=("late", "full", "unknown")
        )
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

    def exposed(self, done: Exposed) -> None:
        """A batch of exposures is in the database."""
        self._exposures.labels("accepted").inc(done.accepted)
        self._exposures.labels("duplicate").inc(done.duplicates)
        self._full.labels("full").inc(done.full)

    def fed(self, done: Fed) -> None:
        """A batch of outcomes is in the database."""
        self._outcomes.labels("accepted").inc(done.accepted)
        self._outcomes.labels("duplicate").inc(done.duplicates)
        self._outcomes.labels("unknown").inc(done.unknown)
        self._lost.labels("late").inc(done.late)
        self._lost.labels("full").inc(done.full)

    def given_up(self, given: Given) -> None:
        """Outcomes have waited for nothing."""
        self._lost.labels("unknown").inc(given.unknown)
        self._lost.labels("full").inc(given.full)

    def refused(self, reason: str) -> None:
        """A call is `malformed` or `too_large`."""
        self._refused.labels(reason).inc()

    def database_failed(self) -> None:
        """Something was not done."""
        self._failures.inc()

    def page(self, stored: Stored) -> bytes:
        """Everything."""
        page = CollectorRegistry()
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            MultiProcessCollector(page)  # type: ignore[no-untyped-call]
            return generate_latest(page) + _gauges(stored)
        return generate_latest(self._registry) + _gauges(stored)


def _gauges(stored: Stored) -> bytes:
    page = CollectorRegistry()
    for name, text, value in (
        ("waiting", "Answers that wait for their partner.", stored.waiting),
        ("outcomes_waiting", "Outcomes that wait for their exposure.", stored.outcomes),
        ("experiment_rows", "Units, requests and outcomes of all experiments.", stored.experiment_rows),
    ):
        Gauge(f"sluice_collector_{name}", text, registry=page).set(value)
    return generate_latest(page)
