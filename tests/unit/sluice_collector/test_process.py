"""The real process, with gunicorn's workers, killed in the middle of its work."""

from __future__ import annotations

import http.client
import itertools
import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sluice_collector.answers import Answer

from tests.unit.sluice_collector.running import Running
from tests.unit.sluice_collector.worlds import NAME, answer, comparable, in_batches, oracle, stream

OTHER = "team-b/other"


@pytest.fixture
def collector(new_url: Callable[[], str], tmp_path: Path) -> Iterator[Running]:
    running = Running(new_url(), tmp_path)
    running.start()
    yield running
    running.kill()


def send_all(collector: Running, batches: Sequence[Sequence[Answer]], kill_after: int | None = None) -> int:
    """Sends batches from four threads; returns how many answers were accepted, as far as anybody knows.

    After so many answers to batches the collector is killed, with the other threads' batches on their way.
    """
    left = itertools.count(kill_after - 1, -1) if kill_after else itertools.repeat(-1)

    def one(batch: Sequence[Answer]) -> int:
        try:
            status, said = collector.send(batch)
        except (OSError, http.client.HTTPException):
            return 0  # it was killed: nobody knows whether the batch is in
        assert status == 200, said
        if next(left) == 0:
            collector.kill()
        return int(said["accepted"])

    with ThreadPoolExecutor(4) as pool:
        return sum(pool.map(one, batches))


def test_two_workers_count_batches_that_come_twice_at_once(collector: Running) -> None:
    made = stream(seed=2, requests=300)
    batches = list(in_batches(made, 23))
    twice = random.Random(0).sample(batches * 2, 2 * len(batches))
    assert send_all(collector, twice) == len(made)
    for name in (NAME, OTHER):
        assert comparable(collector.counts(name)) == oracle(made, name)


def test_killed_in_the_middle_and_sent_everything_again_it_counts_the_same(collector: Running) -> None:
    chance = random.Random(3)
    made = stream(seed=3, requests=600)
    batches = list(in_batches(made, 17))
    for kill_after in (1, 20, 50):
        assert send_all(collector, chance.sample(batches, len(batches)), kill_after) < len(made)
        collector.start()
    send_all(collector, chance.sample(batches, len(batches)))
    assert send_all(collector, chance.sample(batches, len(batches))) == 0
    for name in (NAME, OTHER):
        assert comparable(collector.counts(name)) == oracle(made, name)


def test_one_page_counts_for_all_workers(collector: Running) -> None:
    for number in range(20):
        collector.send([answer(f"r{number}", "stable"), answer(f"r{number}", "candidate")])
    for _ in range(5):
        status, page = collector.ask("GET", "/metrics")
        assert status == 200
        assert 'sluice_collector_pairs_total{verdict="agree"} 20.0' in page
        assert "sluice_collector_waiting 0.0" in page


def test_the_sweeper_of_the_process_gives_up_what_waits_too_long(new_url: Callable[[], str], tmp_path: Path) -> None:
    settings = {"SLUICE_PARTNER_SECONDS": "0.1", "SLUICE_SWEEP_SECONDS": "0.1", "SLUICE_REMEMBER_SECONDS": "1"}
    running = Running(new_url(), tmp_path, settings)
    running.start()
    running.send([answer("r1", "stable"), answer("r2", "stable")])
    while running.counts(NAME)["unpaired"] != {"stable": 2, "candidate": 0}:
        pass
    assert running.stop() == 0


def test_it_ends_when_it_is_told_to_and_says_nothing_of_what_it_was_sent(collector: Running) -> None:
    collector.send([answer("secret-id", "stable", "secret-label")])
    assert collector.stop() == 0
    text = (collector.directory / "log").read_text()
    assert "secret" not in text
    collector.start()
    assert collector.counts(NAME)["pairs"] == 0


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"SLUICE_DATABASE_URL": "mysql://user:hunter2@host/x"}, "write sqlite:///FILE or postgresql://"),
        ({"SLUICE_DATABASE_URL": "sqlite:///"}, "write sqlite:///FILE or postgresql://"),
        ({"SLUICE_REMEMBER_SECONDS": "60"}, "remember_seconds has to be more than partner_seconds"),
        ({"SLUICE_KEEP_DAYS": "0.001"}, "keep_days has to be longer than remember_seconds"),
        ({"SLUICE_MOST_WAITING": "0"}, "greater than or equal to 1"),
    ],
)
def test_settings_that_make_no_sense_are_a_sentence_without_secrets(
    settings: dict[str, str], sentence: str, tmp_path: Path
) -> None:
    running = Running("sqlite:////tmp/x.db", tmp_path, settings)
    with pytest.raises(AssertionError):
        running.start()
    text = (tmp_path / "log").read_text()
    assert running.process is not None
    assert running.process.returncode == 2
    assert sentence in text
    assert "hunter2" not in text
