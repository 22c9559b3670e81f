"""The real process, killed in the middle of an experiment."""

from __future__ import annotations

import http.client
import itertools
import random
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sluice_collector.experiments.exposures import Exposure
from sluice_collector.experiments.sums import Aggregate

from tests.unit.sluice_collector.experiments.histories import (
    METRIC,
    NAME,
    OTHER,
    News,
    close,
    comparable,
    exposure,
    history,
    of_request,
    oracle,
)
from tests.unit.sluice_collector.running import Running, until
from tests.unit.sluice_collector.worlds import Clock, World

AGGREGATES: tuple[Aggregate, ...] = ("sum", "mean")

Call = tuple[str, list[dict[str, Any]]]


@pytest.fixture
def collector(new_url: Callable[[], str], tmp_path: Path) -> Iterator[Running]:
    running = Running(new_url(), tmp_path)
    running.start()
    yield running
    running.kill()


def as_sent(news: News) -> dict[str, Any]:
    if isinstance(news, Exposure):
        return dict(vars(news))
    kind, name = news.subject
    return {"experiment": news.experiment, "metric": news.metric, "value": news.value, kind: name, "key": news.key}


def in_calls(news: Sequence[News], size: int) -> list[Call]:
    made: list[Call] = []
    for what in ("exposures", "outcomes"):
        items = [as_sent(one) for one in news if isinstance(one, Exposure) == (what == "exposures")]
        made += [(what, items[at : at + size]) for at in range(0, len(items), size)]
    return made


def unambiguous(news: Sequence[News]) -> list[News]:
    """One user's exposures at one version, and one value of each key: then the order does not matter."""
    alike: dict[tuple[object, ...], News] = {}
    revisions: dict[tuple[str, str], str] = {}
    for one in news:
        if isinstance(one, Exposure):
            revision = revisions.setdefault((one.experiment, one.unit), one.revision)
            if one.revision == revision:
                alike[one.experiment, one.request] = one
        else:
            alike[one.experiment, *one.told_by] = one
    return list(alike.values())


def send_all(collector: Running, calls: Sequence[Call], kill_after: int | None = None) -> int:
    """Sends from four threads; returns how many items were new, as far as anybody knows.

    After so many answers the collector is killed, with the other threads' calls on their way.
    """
    left = itertools.count(kill_after - 1, -1) if kill_after else itertools.repeat(-1)

    def one(call: Call) -> int:
        what, items = call
        try:
            status, said = collector.ask("POST", f"/v1/{what}", {what: items})
        except (OSError, http.client.HTTPException):
            return 0  # it was killed: nobody knows whether it is in
        assert status == 200, said
        if next(left) == 0:
            collector.kill()
        return int(said["accepted"]) + int(said.get("unknown", 0))

    with ThreadPoolExecutor(4) as pool:
        return sum(pool.map(one, calls))


def results(collector: Running, name: str = NAME) -> dict[str, Any]:
    status, found = collector.ask("GET", f"/v1/experiments/{name}?metric={METRIC}&aggregate=sum&window=600")
    assert status == 200, found
    return dict(found)


def as_the_oracle_says(collector: Running, made: Sequence[News]) -> None:
    """Asked in a month, with a window of a month: the real clock must not decide what counts."""
    month = 30 * 86_400.0
    with closing(World(collector.url, clock=Clock(time.time() + 2 * month))) as later:
        experiments = later.experiments()
        for name in (NAME, OTHER):
            units = {revision: one["units"] for revision, one in results(collector, name)["versions"].items()}
            for aggregate in AGGREGATES:
                found = comparable(experiments.results(name, METRIC, aggregate, month))
                heard = [(0.0, one) for one in made]
                expected = oracle(heard, 1.0, window=0.0, experiment=name, mean=aggregate == "mean")
                assert close(found, expected), (found, expected)
                assert units == {revision: one[0] for revision, one in expected.items()}


def test_two_workers_count_news_that_come_twice_at_once(collector: Running) -> None:
    made = unambiguous(history(2, users=60, requests=200))
    calls = in_calls(made, 23)
    twice = random.Random(0).sample(calls * 2, 2 * len(calls))
    assert send_all(collector, twice) == len(made)
    as_the_oracle_says(collector, made)


def test_killed_in_the_middle_and_sent_everything_again_it_counts_the_same(collector: Running) -> None:
    chance = random.Random(3)
    made = unambiguous(history(3, users=100, requests=400))
    calls = in_calls(made, 17)
    for kill_after in (1, 20, 50):
        assert send_all(collector, chance.sample(calls, len(calls)), kill_after) < len(made)
        collector.start()
    send_all(collector, chance.sample(calls, len(calls)))
    assert send_all(collector, chance.sample(calls, len(calls))) == 0
    as_the_oracle_says(collector, made)


def test_the_sweeper_of_the_process_gives_up_outcomes_that_wait_too_long(
    new_url: Callable[[], str], tmp_path: Path
) -> None:
    settings = {"SLUICE_PARTNER_SECONDS": "0.1", "SLUICE_SWEEP_SECONDS": "0.1", "SLUICE_REMEMBER_SECONDS": "1"}
    running = Running(new_url(), tmp_path, settings)
    running.start()
    send_all(running, in_calls([exposure("r1"), of_request("r1"), of_request("unknown")], 10))

    def given_up() -> bool:
        page: str = running.ask("GET", "/metrics")[1]
        return 'sluice_collector_outcomes_dropped_total{reason="unknown"} 1.0' in page

    until(given_up, tmp_path / "log")
    assert results(running)["incomplete"] is False
    assert running.stop() == 0


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"SLUICE_MOST_ROWS": "1000000"}, "most_rows has to be at least most_units, most_requests and most_outcomes"),
        ({"SLUICE_EXPERIMENT_DAYS": "0.001"}, "experiment_days has to be longer than remember_seconds"),
        ({"SLUICE_MOST_UNITS": "0"}, "greater than or equal to 1"),
    ],
)
def test_settings_that_make_no_sense_are_a_sentence(settings: dict[str, str], sentence: str, tmp_path: Path) -> None:
    running = Running("sqlite:////tmp/x.db", tmp_path, settings)
    with pytest.raises(AssertionError):
        running.start()
    assert sentence in (tmp_path / "log").read_text()
