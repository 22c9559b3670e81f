"""The metric families that Sluice reads, out of Prometheus' text format."""

from __future__ import annotations

import math
import re
from itertools import pairwise

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from sluice.analysis.cells import EDGES
from sluice.core.observation import Counters

REQUESTS = "sluice_requests_total"
USERS = "sluice_users_total"
USER_REQUESTS = "sluice_user_requests_total"
START = "sluice_server_start_time_seconds"
DURATION = "sluice_request_duration_seconds"

# Most lines of a page are cells, and the general parser needs 2 ms for them, every second and for every pod.
_CELL_LINES = re.compile(rf"^{DURATION}_bucket.*\n?", re.MULTILINE)
_CELL = re.compile(rf'^{DURATION}_bucket\{{assignment="(random|user)",le="([^"\\\n]*)"\}} (\S+)\s*$', re.MULTILINE)
_EDGES = {*EDGES, math.inf}


class MalformedError(Exception):
    """The pod answered, but not with its counters; the text is short enough for a status."""


def parse(text: str) -> Counters:
    """Count the requests that were assigned at random, apart from them those that were targeted, and users.

    Requests that somebody addressed to this revision on purpose are no evidence: who asks them is no random sample.
    A server without durations, or with other cells than ours, still has its errors counted; one without users has none.

    Raises:
        MalformedError: this is no metrics page, or a family makes no sense, or requests or the start are missing.
    """
    samples = _samples(_CELL_LINES.sub("", text))
    starts = [sample.value for sample in samples if sample.name == START]
    if not starts:
        raise MalformedError(f"no {START}")
    if len(starts) > 1:
        raise MalformedError(f"garbage: {len(starts)} x {START}")
    requests = [sample for sample in samples if sample.name == REQUESTS]
    if not requests:
        raise MalformedError(f"no {REQUESTS}")
    at_random, targeted = (_answered(requests, assignment) for assignment in ("random", "targeted"))
    cells: dict[str, list[tuple[str, str]]] = {"random": [], "user": []}
    for assignment, edge, count in _CELL.findall(text):
        cells[assignment].append((edge, count))
    random, user = map(_durations, cells.values())
    return Counters(str(starts[0]), *at_random, random, *targeted, *_users(samples), user, *_identified(samples))


def _answered(samples: list[Sample], assignment: str) -> tuple[int, int]:
    """Return the requests of one assignment, and the errors among them."""
    mine = [sample for sample in samples if sample.labels.get("assignment") == assignment]
    errors = sum(_count(sample) for sample in mine if sample.labels.get("outcome") == "error")
    return sum(_count(sample) for sample in mine), errors


def _users(samples: list[Sample]) -> tuple[int, int]:
    """Return the users, and those that a 5xx was seen by; a page is read while it is written to."""
    counts = {sample.labels.get("outcome"): _whole(USERS, sample.value) for sample in samples if sample.name == USERS}
    seen = counts.get("seen", 0)
    return seen, min(seen, counts.get("failed", 0))


def _identified(samples: list[Sample]) -> tuple[int | None, int | None]:
    """Return the requests with a user's id, and those without; None twice of a server that does not tell them apart."""
    mine = [sample for sample in samples if sample.name == USER_REQUESTS]
    counts = {sample.labels.get("id"): _whole(USER_REQUESTS, sample.value) for sample in mine}
    return counts.get("sent"), counts.get("missing")


def _samples(text: str) -> list[Sample]:
    try:
        return [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    except (ValueError, IndexError, KeyError, TypeError) as problem:
        raise MalformedError("garbage: not Prometheus' text format") from problem


def _count(sample: Sample) -> int:
    return _whole(REQUESTS, sample.value)


def _durations(found: list[tuple[str, str]]) -> tuple[int, ...] | None:
    """Read the cells of one assignment; None unless they are exactly those that evidence is made of."""
    try:
        cells = {float(edge): float(value) for edge, value in found}
    except ValueError as problem:
        raise MalformedError(f"garbage: cells of {DURATION}") from problem
    if len(cells) != len(found) or cells.keys() != _EDGES:
        return None
    counts = tuple(_whole(DURATION, cells[edge]) for edge in (*EDGES, math.inf))
    if any(low > high for low, high in pairwise(counts)):
        raise MalformedError(f"garbage: cells of {DURATION} do not add up")
    return counts


def _whole(name: str, value: float) -> int:
    if not (value >= 0 and float(value).is_integer()):
        raise MalformedError(f"garbage: {name} is {value}")
    return int(value)
