"""What is known already of those who are named in a batch."""

from collections.abc import Set

from sqlalchemy import Connection, select

from sluice_collector.experiments.outcomes import KINDS, Key, Place, Subject
from sluice_collector.experiments.tables import outcomes, requests, units


def known_requests(connection: Connection, row: int, names: Set[str]) -> set[str]:
    """Those of the requests that an experiment has."""
    wanted = select(requests.c.request).where(requests.c.experiment == row, requests.c.request.in_(names))
    return set(connection.scalars(wanted))


def revisions(connection: Connection, row: int, names: Set[str]) -> dict[str, str]:
    """To which revision units came first."""
    wanted = select(units.c.unit, units.c.revision).where(units.c.experiment == row, units.c.unit.in_(names))
    return dict(connection.execute(wanted).all())


def known_outcomes(connection: Connection, row: int, subjects: Set[Subject]) -> set[Key]:
    """Outcomes that an experiment has of the same subjects, and maybe more."""
    wanted = select(outcomes.c.metric, outcomes.c.kind, outcomes.c.subject, outcomes.c.key).where(
        outcomes.c.experiment == row, outcomes.c.subject.in_({name for _, name in subjects})
    )
    return {Key(metric, KINDS[kind], subject, key) for metric, kind, subject, key in connection.execute(wanted)}


def places(connection: Connection, row: int, subjects: Set[Subject]) -> dict[Subject, Place]:
    """Where subjects lead whose exposure is known."""
    of_request = (
        select(requests.c.request, requests.c.unit, units.c.first)
        .join_from(
            requests,
            units,
            (requests.c.experiment == units.c.experiment) & (requests.c.unit == units.c.unit),
            isouter=True,
        )
        .where(
            requests.c.experiment == row, requests.c.request.in_([name for kind, name in subjects if kind == "request"])
        )
    )
    of_unit = select(units.c.unit, units.c.first).where(
        units.c.experiment == row, units.c.unit.in_([name for kind, name in subjects if kind == "unit"])
    )
    found: dict[Subject, Place] = {
        ("request", request): Place(unit, first) for request, unit, first in connection.execute(of_request)
    }
    return found | {("unit", unit): Place(unit, first) for unit, first in connection.execute(of_unit)}
