"""Small words: spans of time, versions, numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any


def moment(text: str | None) -> datetime | None:
    """Read a time of the API."""
    return datetime.fromisoformat(text) if text else None


def span(length: timedelta) -> str:
    """Write a length of time as kubectl does: 45s, 12m, 3h5m, 2d4h."""
    total = max(0, int(length.total_seconds()))
    for limit, first, second in ((3600 * 24, "d", "h"), (3600, "h", "m"), (60, "m", "s")):
        if total >= limit:
            smaller = {"d": 3600, "h": 60, "m": 1}[first]
            rest = total % limit // smaller
            return f"{total // limit}{first}" + (f"{rest}{second}" if rest and total < 10 * limit else "")
    return f"{total}s"


def since(text: str | None, now: datetime) -> str:
    """Say how long ago a time of the API was; empty when there is none."""
    then = moment(text)
    return span(now - then) if then else ""


def seconds(duration: str) -> float:
    """Read a duration such as 1h30m, 45s, 90 or 2.5 (seconds).

    Raises:
        ValueError: it is none.
    """
    found = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", duration)
    if duration and found:
        hours, minutes, rest = (int(part or 0) for part in found.groups())
        return 3600 * hours + 60 * minutes + rest
    return float(duration)


def version(revision: Mapping[str, Any] | None) -> str:
    """Name a revision as people know it, for example `penguins/7`."""
    return f"{revision['modelName']}/{revision['modelVersion']}" if revision else "–"


def rate(errors: int, requests: int) -> str:
    """Write a share of errors in percent."""
    if not requests:
        return "–"
    share = 100 * errors / requests
    return f"{share:.2f} %" if 0 < share < 10 else f"{share:.0f} %"


def whole(share: float) -> str:
    """Write a share of a proof in percent; only a whole proof is 100 %."""
    return f"{min(100, int(100 * share))} %"
