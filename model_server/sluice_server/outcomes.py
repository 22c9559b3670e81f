"""What clients feed back: outcomes of predictions, or of users, that an A/B test decides by."""

import math
import re
from typing import Any, Final

from sluice_server.errors import BadRequestError
from sluice_server.identities import LONGEST, identity
from sluice_server.protocols.mlflow import decode
from sluice_server.units import Unit

MOST_OUTCOMES: Final = 1000
LARGEST: Final = 1e12

_METRIC = re.compile(r"[-a-z0-9_.]{1,63}")
_FIELDS = frozenset(("metric", "value", "request", "key"))
_SHAPE = f'The body must be {{"outcomes": […]}} with 1 to {MOST_OUTCOMES} outcomes'


def parse(body: bytes, *, experiment: str, unit: Unit | None) -> list[dict[str, Any]]:
    """Return outcomes as the collector takes them.

    Args:
        body: the request's, JSON.
        experiment: the one that the request belongs to.
        unit: whose request it is, if anybody's.

    Raises:
        BadRequestError: a sentence that says which outcome is wrong, and what to write.
    """
    said = decode(body, _SHAPE)
    outcomes = said.get("outcomes")
    if said.keys() != {"outcomes"} or not isinstance(outcomes, list) or not outcomes:
        raise BadRequestError(f"{_SHAPE}, and nothing else.")
    if len(outcomes) > MOST_OUTCOMES:
        raise BadRequestError(f"The body has {len(outcomes)} outcomes: send at most {MOST_OUTCOMES} in a call.")
    of_user = unit.name if unit and unit.of_user else None
    return [
        {"experiment": experiment} | _outcome(f"outcomes[{number}]", outcome, of_user)
        for number, outcome in enumerate(outcomes)
    ]


def _outcome(where: str, said: Any, unit: str | None) -> dict[str, Any]:
    if not isinstance(said, dict):
        raise BadRequestError(f"{where}: write an object with metric, value, and request or key.")
    if unknown := sorted(said.keys() - _FIELDS):
        raise BadRequestError(f"{where}.{unknown[0][:64]}: there is no such field, leave it out.")
    metric, key = said.get("metric"), said.get("key")
    if not isinstance(metric, str) or not _METRIC.fullmatch(metric):
        raise BadRequestError(f"{where}.metric: write 1 to 63 of a-z, 0-9, '-', '_' and '.'.")
    if key not in (None, "") and (not isinstance(key, str) or identity(key) is None):
        raise BadRequestError(f"{where}.key: write at most {LONGEST} visible characters of ASCII, or leave it out.")
    value = _value(where, said.get("value"))
    return {"metric": metric, "value": value, "key": key or ""} | _whose(where, said.get("request"), unit)


def _value(where: str, value: Any) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not (abs(value) <= LARGEST) or not math.isfinite(value):
        raise BadRequestError(f"{where}.value: write a number from -1e12 to 1e12.")
    return float(value)


def _whose(where: str, request: Any, unit: str | None) -> dict[str, str]:
    """Return of which prediction the outcome is, or else of which user."""
    if request is not None:
        if not isinstance(request, str) or identity(request) is None:
            raise BadRequestError(f"{where}.request: write the x-request-id that the prediction's answer carried.")
        return {"request": request}
    if unit is None:
        raise BadRequestError(
            f"{where}.request: it is missing, and this request names no user: write the x-request-id that the "
            "prediction's answer carried, or send the header or cookie with the user's id."
        )
    return {"unit": unit}
