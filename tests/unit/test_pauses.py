"""The garbage collector's long pauses come once in a while, not while thousands of objects arrive."""

from __future__ import annotations

from sluice.pauses import THAW_SECONDS, ShortPauses


class Collector:
    def __init__(self) -> None:
        self.now, self.calls = 0.0, list[str]()
        self.pauses = ShortPauses(
            clock=lambda: self.now, freeze=lambda: self.calls.append("freeze"), thaw=lambda: self.calls.append("thaw")
        )

    def collects(self, generation: int = 2) -> None:
        for phase in ("start", "stop"):
            self.pauses(phase, {"generation": generation})


def test_what_survives_a_full_collection_is_not_walked_again() -> None:
    collector = Collector()
    collector.collects()
    collector.collects()
    assert collector.calls == ["freeze", "freeze"]


def test_young_collections_change_nothing() -> None:
    collector = Collector()
    collector.collects(0)
    collector.collects(1)
    assert collector.calls == []


def test_from_time_to_time_all_of_it_is_walked() -> None:
    collector = Collector()
    collector.now = THAW_SECONDS
    collector.collects()
    collector.collects()
    collector.now = 1.9 * THAW_SECONDS
    collector.collects()
    collector.now = 2 * THAW_SECONDS
    collector.collects()
    assert collector.calls == ["thaw", "freeze", "freeze", "thaw"]
