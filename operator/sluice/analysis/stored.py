"""Writing evidence as JSON and reading it back. Anything unexpected is a ValueError that names the field."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sluice.analysis.counts import Arm
from sluice.analysis.mixture import CEILING, DIGITS, FLOOR, Logs

Json = dict[str, Any]

_MOST = 10**15  # more of anything was never counted; keeps arithmetic with floats exact


def write_arms(stable: Arm, canary: Arm) -> list[int]:
    """[stable requests, stable errors, canary requests, canary errors]."""
    return [stable.requests, stable.errors, canary.requests, canary.errors]


@dataclass(frozen=True)
class Fields:
    """The fields of a stored object. JSON that passed through Kubernetes may hold 1 where 1.0 was written."""

    data: Mapping[str, object]
    owner: str

    @classmethod
    def of(cls, data: object, owner: str) -> Fields:
        """The fields of `data`, which is called `owner` in messages."""
        if not isinstance(data, Mapping):
            raise ValueError(f"stored evidence: {owner} must be an object, got {type(data).__name__}")
        return cls(data=data, owner=owner)

    def check_format(self, expected: str) -> None:
        """Refuse what another version wrote."""
        if self.get("format") != expected:
            raise self._error("format", f"is {self.get('format')!r}, this version reads {expected!r}")

    def get(self, name: str) -> object:
        """A field as it is; None when missing."""
        return self.data.get(name)

    def number(self, name: str) -> float:
        """A finite number."""
        return self._finite(name, self.get(name))

    def count(self, name: str) -> int:
        """An integer >= 0."""
        return self._count(name, self.get(name))

    def logs(self, name: str, length: int) -> Logs:
        """The log wealth of `length` components."""
        values = tuple(self._finite(name, value) for value in self._items(name, length))
        if any(not FLOOR <= value <= CEILING or round(value, DIGITS) != value for value in values):
            raise self._error(name, "holds values that were never written")
        return values

    def arms(self, name: str) -> tuple[Arm, Arm]:
        """Stable and canary, as `write_arms` wrote them."""
        values = [self._count(name, value) for value in self._items(name, 4)]
        try:
            return Arm(values[0], values[1]), Arm(values[2], values[3])
        except ValueError as error:
            raise self._error(name, str(error)) from error

    def objects(self, name: str) -> list[object]:
        """A list, of anything."""
        values = self.get(name)
        if not isinstance(values, list | tuple):
            raise self._error(name, f"must be a list, got {type(values).__name__}")
        return list(values)

    def _items(self, name: str, length: int) -> list[object]:
        values = self.get(name)
        if not isinstance(values, list | tuple) or len(values) != length:
            raise self._error(name, f"must be a list of {length} numbers, got {values!r}")
        return list(values)

    def _finite(self, name: str, value: object) -> float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < math.inf:
            raise self._error(name, f"must hold finite numbers, got {value!r}")
        return float(value)

    def _count(self, name: str, value: object) -> int:
        if type(value) is not int or not 0 <= value <= _MOST:
            raise self._error(name, f"must hold integers from 0 to {_MOST}, got {value!r}")
        return value

    def _error(self, name: str, message: str) -> ValueError:
        return ValueError(f"stored evidence: {self.owner}.{name} {message}")
