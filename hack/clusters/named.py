"""Which cluster a name means."""

from hack.clusters.base import Provider
from hack.clusters.current import Current
from hack.clusters.embedded import Embedded
from hack.clusters.kind import Kind


def named(name: str) -> Provider:
    """Return the cluster of a name: `kind`, `current` (the user's own), or an embedded one of that name."""
    if name == "kind":
        return Kind()
    return Current() if name == "current" else Embedded(name)
