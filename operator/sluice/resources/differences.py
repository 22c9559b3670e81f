"""Where a live object is not as desired, field by field."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def differences(path: str, desired: Any, live: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield the path, the live and the desired value of every field that differs; empty and absent are the same."""
    if isinstance(desired, dict) and isinstance(live, dict):
        for key in sorted(desired.keys() | live.keys()):
            yield from differences(f"{path}.{key}", desired.get(key), live.get(key))
    elif isinstance(desired, list) and isinstance(live, list) and len(desired) == len(live):
        for index, (mine, theirs) in enumerate(zip(desired, live, strict=True)):
            yield from differences(f"{path}[{index}]", mine, theirs)
    elif desired != live and (desired or live):
        yield path, live, desired
