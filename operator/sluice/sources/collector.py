"""How the answers of two versions to the same requests compare, as the collector counts them."""

from __future__ import annotations

from urllib.parse import quote

import aiohttp
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt

from sluice.api.status import Pairs
from sluice.core.observation import Silent
from sluice.sources.asking import ask

NOT_INSTALLED = Silent(
    "there is no collector, which joins the answers of both versions: install it (collector.enabled)"
)


class Counts(BaseModel):
    """What `GET /v1/comparisons/NAMESPACE/RECORD` answers, as far as it is used here."""

    model_config = ConfigDict(frozen=True)

    pairs: NonNegativeInt
    disagreements: NonNegativeInt
    candidate_errors: NonNegativeInt = Field(alias="candidateErrors")
    stable_errors: NonNegativeInt = Field(alias="stableErrors")
    both_failed: NonNegativeInt = Field(alias="bothFailed")


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
    )
