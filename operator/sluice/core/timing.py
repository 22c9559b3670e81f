"""How soon to look again, in seconds. Changes of pods and routes wake the controller before."""

from __future__ import annotations

from datetime import timedelta

ANALYSIS_SECONDS = 1.0
READY_SECONDS = 1.0
IDLE_SECONDS = 300.0
PARKED_SECONDS = 1800.0  # without pods, and without anything that could be late
RETRY_SECONDS = 5.0

ROUNDING = 0.05  # so that a look that waits for a moment does not come just before it

# After its traffic is off, a revision that was given up keeps its pods this long: requests under way end in peace.
DRAIN = timedelta(seconds=10)


# So long after that, a write of an operator who hung while another took over may still come to pass.
LATE = timedelta(seconds=20)


def seconds(number: float) -> timedelta:
    """Return a span of time."""
    return timedelta(seconds=number)
