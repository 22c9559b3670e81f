"""What came of a gate. Beside the models, because the plugin reads it without pydantic."""

from __future__ import annotations

from enum import StrEnum


class GateOutcome(StrEnum):
    """The answer; without one the gate is still being asked."""

    PASSED = "Passed"
    FAILED = "Failed"
    UNDECIDED = "Undecided"
