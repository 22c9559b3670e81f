"""Tells the collector who was answered by which version in an A/B test.

Every answered request of an experiment is told, whatever its status: an outcome that is fed back later may name it.
"""

from dataclasses import dataclass
from typing import Final

from prometheus_client import Counter

from sluice_server.sender import Channel
from sluice_server.units import Unit

_told = Counter("sluice_exposures", "Exposures for the collector, by what became of them.", ["fate"], registry=None)

# Of an exposure that is dropped, an outcome by its request's id is lost: more of them may wait than of other things.
CHANNEL: Final = Channel("/v1/exposures", "exposures", _told, capacity=10_000, batch=1000)


@dataclass(frozen=True)
class Exposure:
    """A request of a unit that this revision has answered."""

    unit: Unit
    revision: str
    request: str

    def told(self) -> dict[str, str]:
        """Return what the collector is told: of the user a hash only."""
        return {
            "experiment": self.unit.experiment, "unit": self.unit.name, "revision": self.revision,
            "request": self.request,
        }  # fmt: skip
