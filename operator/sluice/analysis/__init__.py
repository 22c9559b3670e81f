"""Anytime-valid evidence for rollout decisions. Pure: no input or output, no clock, no randomness, no logging.

`ErrorEvidence` says whether a canary's error rate is proven harmful, proven safe, or neither yet, `LatencyEvidence` the
same of its durations; `harm_above` and `safe_below` say it against a fixed limit, and `bounds` between which limits a
share is; `SampleRatio` whether requests arrive in the configured proportion. How it works, and how to use it:
docs/statistics.md.
"""

from sluice.analysis.counts import Arm, Block, Margin
from sluice.analysis.errors import ErrorEvidence
from sluice.analysis.latency import Answers, LatencyEvidence, Slowness
from sluice.analysis.limit import Bounds, bounds, harm_above, safe_below
from sluice.analysis.mixture import combined, threshold
from sluice.analysis.planning import requests_for_safety
from sluice.analysis.sample_ratio import MISMATCH, SampleRatio

__all__ = [
    "MISMATCH",
    "Answers",
    "Arm",
    "Block",
    "Bounds",
    "ErrorEvidence",
    "LatencyEvidence",
    "Margin",
    "SampleRatio",
    "Slowness",
    "bounds",
    "combined",
    "harm_above",
    "requests_for_safety",
    "safe_below",
    "threshold",
]
