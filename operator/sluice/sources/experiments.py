"""What became of the users of an A/B test, as the collector knows it."""

from __future__ import annotations

from urllib.parse import quote

import aiohttp
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, NonNegativeFloat, NonNegativeInt

from sluice.core.observation import Silent, TestResults, Units
from sluice.sources.asking import ask

NOT_INSTALLED = Silent(
    "there is no collector, which knows what became of the users of both versions: install it (collector.enabled)"
)


class Version(BaseModel):
    """The users that came first to one revision."""

    model_config = ConfigDict(frozen=True)

    units: NonNegativeInt
    matured: NonNegativeInt
    total: FiniteFloat
    squares: NonNegativeFloat = Field(allow_inf_nan=False)
    crossed: NonNegativeInt


class Answer(BaseModel):
    """What `GET /v1/experiments/NAMESPACE/RECORD` answers."""

    model_config = ConfigDict(frozen=True)

    versions: dict[str, Version]
    incomplete: bool = False


async def results(  # noqa: PLR0917 - what a question is made of
    session: aiohttp.ClientSession,
    url: str,
    name: str,
    metric: str,
    aggregate: str,
    window: float,
    timeout: float,  # noqa: ASYNC109 - of the one request
) -> TestResults | Silent:
    """Ask what an experiment has shown since it began. Nothing is raised: the collector may be away.

    Args:
        session: to ask with.
        url: the collector's; empty when there is none.
        name: namespace and name of the rollout's record, see `collector.comparison`.
        metric: of the outcomes that count.
        aggregate: what one user's outcomes make: `sum` or `mean`.
        window: seconds from a user's first request in which his outcomes count, and after which he does.
        timeout: seconds.
    """
    if not url:
        return NOT_INSTALLED
    address = f"{url.rstrip('/')}/v1/experiments/{quote(name)}"
    query = {"metric": metric, "aggregate": aggregate, "window": str(window)}
    found = await ask(session, address, Answer, timeout, query)
    if isinstance(found, Silent):
        return found
    versions = {revision: Units(**dict(version)) for revision, version in found.versions.items()}
    return TestResults(versions, found.incomplete)
