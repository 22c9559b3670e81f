"""What is told in the background, and what becomes of it when the collector is slow, away or refuses it."""

from dataclasses import dataclass, replace
from typing import Any

import pytest
from prometheus_client import Counter
from sluice_server.sender import Channel, Sender, create_series, finish

from tests.unit.sluice_server.collecting import Collector, free_port
from tests.unit.sluice_server.running import until


@dataclass
class Told:
    request: str

    def told(self) -> dict[str, Any]:
        return {"request": self.request}


class Odd(Told):
    def told(self) -> dict[str, Any]:
        raise ValueError("no")


def channel(**changes: Any) -> Channel:
    fates = Counter("told", "Told.", ["fate"], registry=None)
    create_series(fates)
    return replace(Channel("/v1/answers", "answers", fates), **changes)


def fates(channel: Channel) -> dict[str, float]:
    (family,) = channel.fates.collect()
    found = {sample.labels["fate"]: sample.value for sample in family.samples if sample.name.endswith("_total")}
    return {fate: count for fate, count in found.items() if count}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sluice_server.sender.RETRY_SECONDS", 0.01)
    monkeypatch.setattr("sluice_server.sender.PAUSE_SECONDS", 0.0)


def requests(collector: Collector) -> list[str]:
    return [told["request"] for told in collector.told]


def test_it_waits_for_a_collector_that_fails_and_nothing_is_lost(collector: Collector) -> None:
    collector.statuses = [503, 500, 429]
    used = channel()
    sender = Sender(collector.url, used)
    for number in range(3):
        sender.offer(Told(f"r{number}"))
    until(lambda: fates(used) == {"sent": 3})
    assert sorted(requests(collector)) == ["r0", "r1", "r2"]


def test_a_batch_that_nobody_takes_for_too_long_makes_room(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sluice_server.sender.PATIENCE_SECONDS", 0.0)
    collector.statuses = [503]
    used = channel()
    sender = Sender(collector.url, used)
    sender.offer(Told("r1"))
    until(lambda: fates(used) == {"dropped": 1})
    sender.offer(Told("r2"))
    until(lambda: fates(used) == {"dropped": 1, "sent": 1})
    assert requests(collector) == ["r2"]


def test_what_does_not_fit_is_dropped_and_counted_and_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sluice_server.sender.RETRY_SECONDS", 60)
    used = channel(capacity=10, batch=5)
    sender = Sender(f"http://127.0.0.1:{free_port()}", used)
    for number in range(1000):
        sender.offer(Told(f"r{number}"))
    assert sender._waiting.qsize() <= 10
    assert fates(used)["dropped"] >= 1000 - 10 - 5


def test_a_full_batch_is_followed_by_the_next_at_once(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sluice_server.sender.PAUSE_SECONDS", 3600)
    sender = Sender(collector.url, channel(batch=1))
    for number in range(5):
        sender.offer(Told(f"r{number}"))
    until(lambda: len(collector.told) == 5)


def test_at_the_end_all_that_waits_is_sent_without_a_pause(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PAUSE_SECONDS", "RETRY_SECONDS"):
        monkeypatch.setattr(f"sluice_server.sender.{name}", 3600)
    collector.statuses = [200, 503]
    used = channel(batch=4, capacity=10)
    sender = Sender(collector.url, used)
    sender.offer(Told("first"))
    until(lambda: fates(used) == {"sent": 1})  # and now it pauses
    for number in range(10):
        sender.offer(Told(f"r{number}"))
    finish([sender, Sender(collector.url, channel())], 30)
    assert fates(used) == {"sent": 11}
    assert requests(collector) == ["first", *(f"r{number}" for number in range(10))]


def test_the_end_of_a_sender_that_waits_for_nothing_is_at_once(collector: Collector) -> None:
    used = channel()
    sender = Sender(collector.url, used)
    sender.offer(Told("r1"))
    until(lambda: fates(used) == {"sent": 1})
    finish([sender], 3600)  # a wait would never end
    assert not sender._thread or not sender._thread.is_alive()


@pytest.mark.parametrize("hangs", [True, False])
def test_nobody_waits_long_for_a_collector_that_is_away(collector: Collector, hangs: bool) -> None:
    if hangs:
        collector.hold.clear()
    sender = Sender(collector.url if hangs else f"http://127.0.0.1:{free_port()}", channel())
    sender.offer(Told("r1"))
    finish([sender] * 3, 0.3)  # comes back, although nothing was taken


def test_what_is_refused_or_cannot_be_told_stops_nothing(collector: Collector) -> None:
    used = channel()
    sender = Sender(collector.url, used)
    sender.offer(Odd("r1"))
    collector.statuses = [400]
    until(lambda: fates(used) == {"refused": 1})
    sender.offer(Told("r2"))
    until(lambda: fates(used) == {"refused": 2})
    sender.offer(Told("r3"))
    until(lambda: fates(used) == {"refused": 2, "sent": 1})
    assert requests(collector) == ["r3"]
