"""The two metric families that Sluice reads, out of Prometheus' text format."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from sluice.core.observation import Counters

REQUESTS = "sluice_requests_total"
START = "sluice_server_start_time_seconds"


class MalformedError(Exception):
    """The pod answered, but not with its counters; the text is short enough for a status."""


def parse(text: str) -> Counters:
    """Count the requests that were assigned at random.

    Requests that somebody addressed to this revision on purpose are no evidence: who asks them is no random sample.

    Raises:
        MalformedError: this is no metrics page, or one of the two families is missing or makes no sense.
    """
    samples = _samples(text)
    starts = [sample.value for sample in samples if sample.name == START]
    if not starts:
        raise MalformedError(f"no {START}")
    if len(starts) > 1:
        raise MalformedError(f"garbage: {len(starts)} x {START}")
    requests = [sample for sample in samples if sample.name == REQUESTS]
    if not requests:
        raise MalformedError(f"no {REQUESTS}")
    at_random = [sample for sample in requests if sample.labels.get("assignment") == "random"]
    return Counters(
        start=str(starts[0]),
        requests=sum(_count(sample) for sample in at_random),
        errors=sum(_count(sample) for sample in at_random if sample.labels.get("outcome") == "error"),
    )


def _samples(text: str) -> list[Sample]:
    try:
        return [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    except (ValueError, IndexError, KeyError, TypeError) as problem:
        raise MalformedError("garbage: not Prometheus' text format") from problem


def _count(sample: Sample) -> int:
    if not (sample.value >= 0 and float(sample.value).is_integer()):
        raise MalformedError(f"garbage: {REQUESTS} is {sample.value}")
    return int(sample.value)
