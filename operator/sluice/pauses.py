"""Keeps the pauses short that Python's garbage collector makes: nothing else runs in them, the election included.

A full collection walks everything that lives: with 10,000 ModelDeployments two seconds, again and again while they
come, and two such pauses in a row can cost the Lease. So whatever has survived one is set aside (`gc.freeze`) and not
walked again; it is still freed when nobody refers to it. Only what has become a cycle of garbage since stays, until
from time to time all of it is taken back into account, at the price of one long pause.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

THAW_SECONDS = 3600.0
FULL = 2


@dataclass
class ShortPauses:
    """A callback of the collector; `clock` gives seconds that only grow."""

    clock: Callable[[], float] = time.monotonic
    freeze: Callable[[], None] = gc.freeze
    thaw: Callable[[], None] = gc.unfreeze

    def __post_init__(self) -> None:
        self._thawed_at = self.clock()

    def __call__(self, phase: str, about: Mapping[str, int]) -> None:
        """Set aside what has survived a full collection, or have the next one walk all of it."""
        if phase != "stop" or about["generation"] != FULL:
            return
        if self.clock() - self._thawed_at < THAW_SECONDS:
            self.freeze()
        else:
            self._thawed_at = self.clock()
            self.thaw()


def keep_pauses_short() -> None:
    """Begin, for the life of this process."""
    gc.callbacks.append(ShortPauses())
