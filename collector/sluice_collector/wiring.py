"""Puts the parts of one process together."""

from flask import Flask

from sluice_collector import sweeper
from sluice_collector.app import create_app
from sluice_collector.database import Database
from sluice_collector.experiments.ledger import Experiments
from sluice_collector.experiments.ledger import Limits as ExperimentLimits
from sluice_collector.experiments.retention import Retention
from sluice_collector.ledger import Ledger, Limits
from sluice_collector.metrics import Metrics
from sluice_collector.settings import Settings


def application(settings: Settings) -> Flask:
    """The application with its database, and a thread that sweeps."""
    limits = Limits(
        partner=settings.partner_seconds,
        remember=settings.remember_seconds,
        keep=settings.keep_days * 86_400,
        waiting=settings.most_waiting,
    )
    database = Database(
        settings.database_url.get_secret_value(),
        connections=settings.threads + 1,
        patience=settings.database_timeout_seconds,
    )
    ledger = Ledger(database, limits)
    bounds = ExperimentLimits(
        remember=settings.remember_seconds,
        keep=settings.experiment_days * 86_400,
        units=settings.most_units,
        requests=settings.most_requests,
        outcomes=settings.most_outcomes,
        waiting=settings.most_waiting,
        rows=settings.most_rows,
    )
    experiments, retention = Experiments(database, bounds), Retention(database, bounds)
    metrics = Metrics()
    sweeper.start(ledger, retention, metrics, seconds=settings.sweep_seconds)
    return create_app(ledger, experiments, retention, metrics)
