"""How the answers of two versions to the same requests compare, as the collector counts them."""

from __future__ import annotations

from typing import Annotated, Self
from urllib.parse import quote

import aiohttp
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator
from pydantic.alias_generators import to_camel

from sluice.api.pairs import LONGEST_LABEL, MOST_FLIPS, Classes, Duration, Durations, Flip, Numbers, Pairs
from sluice.core.observation import Silent
from sluice.sources.asking import ask

NOT_INSTALLED = Silent(
    "there is no collector, which joins the answers of both versions: install it (collector.enabled)"
)
# The place of all labels that are too many, in the collector's words.
OTHER = "…other"

Count = Annotated[int, Field(ge=0, le=2**53)]
Size = Annotated[FiniteFloat, Field(ge=0)]


class Answered(BaseModel):
    """A part of what is answered."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel)


class ClassCount(Answered):
    """How often stable said one label and the candidate the other."""

    stable: str
    candidate: str
    count: Count


class Numeric(Answered):
    """Differences of numbers, candidate minus stable."""

    count: Count
    mean_delta: FiniteFloat
    mean_abs_delta: Size
    max_abs_delta: Size


class Latency(Answered):
    """Of one side, in seconds, where both succeeded."""

    count: Count
    mean: Size
    p50: Size
    p99: Size


class Latencies(Answered):
    """Of both sides."""

    stable: Latency
    candidate: Latency


class Counts(Answered):
    """What `GET /v1/comparisons/NAMESPACE/RECORD` answers, as far as it is used here."""

    pairs: Count
    disagreements: Count
    candidate_errors: Count
    stable_errors: Count
    both_failed: Count
    classes: tuple[ClassCount, ...]
    numeric: Numeric
    latency: Latencies

    @model_validator(mode="after")
    def _are_parts(self) -> Self:
        if max(self.disagreements, self.candidate_errors, self.stable_errors) > self.pairs:
            raise ValueError("there are more of some pairs than pairs")
        return self


def comparison(namespace: str, record: str) -> str:
    """Return the name by which the collector knows a rollout; it never comes again."""
    return f"{namespace}/{record}"


async def counts(
    session: aiohttp.ClientSession,
    url: str,
    name: str,
    timeout: float,  # noqa: ASYNC109 - of the one request
) -> Pairs | Silent:
    """Ask for the counts of a comparison; all since the rollout began. Nothing is raised: it may be away.

    Args:
        url: the collector's; empty when there is none.
        name: see `comparison`.
        timeout: seconds.
    """
    if not url:
        return NOT_INSTALLED
    address = f"{url.rstrip('/')}/v1/comparisons/{quote(name)}"
    found = await ask(session, address, Counts, timeout)
    if isinstance(found, Silent):
        return found
    return Pairs(
        joined=found.pairs,
        different=found.disagreements,
        candidate_failed=max(0, found.candidate_errors - found.both_failed),
        stable_failed=max(0, found.stable_errors - found.both_failed),
        both_failed=found.both_failed,
        classes=_classes(found.classes),
        numbers=_numbers(found.numeric),
        durations=_durations(found.latency),
    )


def _classes(seen: tuple[ClassCount, ...]) -> Classes | None:
    """Return the largest changes. Under `OTHER` each side has labels of its own, so that nothing is known of these."""
    known = [one for one in seen if OTHER not in (one.stable, one.candidate)]
    changes = sorted(
        (one for one in known if one.stable != one.candidate), key=lambda one: (-one.count, one.stable, one.candidate)
    )
    rows = sum(one.count for one in seen)
    if not rows:
        return None
    return Classes(
        rows=rows,
        changed=sum(one.count for one in changes),
        unknown=rows - sum(one.count for one in known),
        flips=tuple(
            Flip(stable=_label(one.stable), candidate=_label(one.candidate), count=one.count)
            for one in changes[:MOST_FLIPS]
        ),
    )


def _label(text: str) -> str:
    """Return a label as it may stand in a status and a terminal: nothing that moves the cursor, and not too long."""
    shown = "".join(sign if sign.isprintable() else "\N{REPLACEMENT CHARACTER}" for sign in text[: LONGEST_LABEL + 1])
    return (shown or "(empty)") if len(shown) <= LONGEST_LABEL else f"{shown[: LONGEST_LABEL - 1]}…"


def _numbers(seen: Numeric) -> Numbers | None:
    if not seen.count:
        return None
    return Numbers(rows=seen.count, mean=seen.mean_delta, mean_size=seen.mean_abs_delta, largest=seen.max_abs_delta)


def _durations(seen: Latencies) -> Durations | None:
    requests = min(seen.stable.count, seen.candidate.count)
    return (
        Durations(requests=requests, stable=_side(seen.stable), candidate=_side(seen.candidate)) if requests else None
    )


def _side(seen: Latency) -> Duration:
    return Duration(mean=seen.mean, p50=seen.p50, p99=seen.p99)
