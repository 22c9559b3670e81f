"""Asks the collector for what it counts; it may be away, and nothing is raised for that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeVar

import aiohttp
from pydantic import BaseModel, ValidationError

from sluice.core.observation import Silent

MAX_BYTES: Final = 1024 * 1024

Answer = TypeVar("Answer", bound=BaseModel)


async def ask(
    session: aiohttp.ClientSession,
    address: str,
    answer: type[Answer],
    timeout: float,  # noqa: ASYNC109 - of the one request
    query: Mapping[str, str] | None = None,
) -> Answer | Silent:
    """Return what is answered, or why there is nothing to be had.

    Args:
        session: to ask with.
        address: whole, without the query.
        answer: what has to come.
        timeout: seconds.
        query: what follows the address.
    """
    limit = aiohttp.ClientTimeout(total=timeout)
    try:
        async with session.get(address, params=query, allow_redirects=False, timeout=limit) as response:
            if response.status != 200:
                return Silent(f"the collector answers HTTP {response.status}")
            body = bytearray()
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > MAX_BYTES:
                    return Silent(f"the collector answers more than {MAX_BYTES} bytes")
            return answer.model_validate_json(body)
    except TimeoutError:
        return Silent("the collector does not answer in time")
    except (aiohttp.ClientError, OSError) as problem:
        return Silent(f"the collector can't be reached ({problem})")
    except ValidationError:
        return Silent("the collector answers something else than what was asked for")
