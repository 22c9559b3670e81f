"""How the answers of two versions to the same requests compare, as the collector counts them."""

from __future__ import annotations

from typing import Final
from urllib.parse import quote

import aiohttp
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, ValidationError

from sluice.api.status import Pairs
from sluice.core.observation import Silent

MAX_BYTES: Final = 1024 * 1024
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
    limit = aiohttp.ClientTimeout(total=timeout)
    try:
        async with session.get(address, allow_redirects=False, timeout=limit) as response:
            if response.status != 200:
                return Silent(f"the collector answers HTTP {response.status}")
            found = Counts.model_validate_json(await response.content.read(MAX_BYTES))
    except TimeoutError:
        return Silent("the collector does not answer in time")
    except (aiohttp.ClientError, OSError) as problem:
        return Silent(f"the collector can't be reached ({problem})")
    except ValidationError:
        return Silent("the collector answers something else than counts")
    return Pairs(
        joined=found.pairs,
        different=found.disagreements,
        candidate_failed=max(0, found.candidate_errors - found.both_failed),
        stable_failed=max(0, found.stable_errors - found.both_failed),
    )
