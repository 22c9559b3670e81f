"""Each user and each outcome counts exactly once, on both databases, in any order."""

from __future__ import annotations

import itertools
import os
import random
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sluice_collector.experiments.exposures import Exposure
from sluice_collector.experiments.ledger import Experiments, Exposed, Fed, Limits
from sluice_collector.experiments.outcomes import Outcome
from sluice_collector.experiments.sums import Aggregate, Results, Version

from tests.unit.sluice_collector.experiments.histories import (
    METRIC,
    NAME,
    OTHER,
    News,
    Timed,
    close,
    comparable,
    exposure,
    history,
    of_request,
    of_user,
    oracle,
)
from tests.unit.sluice_collector.test_ledger import DiedError, dying_at
from tests.unit.sluice_collector.worlds import World

WINDOW = 600.0


def results(
    experiments: Experiments, aggregate: Aggregate = "sum", window: float = WINDOW, name: str = NAME
) -> Results:
    return experiments.results(name, METRIC, aggregate, window)


def tell(experiments: Experiments, news: Sequence[News], *, outcomes_first: bool = True) -> int:
    """Send both kinds, each in its order; returns how many were new."""
    exposures = [one for one in news if isinstance(one, Exposure)]
    outcomes = [one for one in news if isinstance(one, Outcome)]
    fed = experiments.feed(outcomes) if outcomes_first else None
    exposed = experiments.expose(exposures)
    fed = fed or experiments.feed(outcomes)
    return exposed.accepted + fed.accepted + fed.unknown


def test_a_users_outcomes_are_summed_when_his_time_has_passed(world: World) -> None:
    experiments = world.experiments()
    assert experiments.expose([exposure("r1", "ann"), exposure("r2", "bob")]) == Exposed(2, 0)
    assert experiments.feed([of_request("r1", 2.0), of_user("ann", 3.0)]) == Fed(2, 0, 0)
    world.clock.now += WINDOW
    assert results(experiments).versions == {"blue": Version(2, 0)}  # more of this moment may come
    world.clock.now += 1
    assert results(experiments) == Results({"blue": Version(2, 2, 5.0, 25.0)})
    assert results(experiments, "mean").versions == {"blue": Version(2, 1, 2.5, 6.25)}


def test_an_outcome_counts_up_to_the_end_of_the_users_time_and_not_after_it(world: World) -> None:
    experiments = world.experiments()
    experiments.expose([exposure("r1", "ann"), exposure("r2", "bob", "green")])
    world.clock.now += WINDOW
    experiments.feed([of_request("r1", 4.0)])
    world.clock.now += 0.001
    experiments.feed([of_request("r2", 4.0)])
    assert results(experiments).versions == {"blue": Version(1, 1, 4.0, 16.0), "green": Version(1, 1)}


def test_time_begins_with_the_first_exposure_whatever_comes_later(world: World) -> None:
    experiments = world.experiments()
    experiments.expose([exposure("r1", "ann")])
    world.clock.now += WINDOW - 1
    experiments.expose([exposure("r2", "ann")])
    world.clock.now += 2
    experiments.feed([of_request("r2")])
    assert results(experiments).versions == {"blue": Version(1, 1)}


@pytest.mark.parametrize("first", [of_request("r1", 7.0), of_user("ann", 7.0)])
def test_an_outcome_that_comes_before_its_exposure_is_joined(world: World, first: Outcome) -> None:
    experiments = world.experiments()
    assert experiments.feed([first]) == Fed(0, 0, 1)
    assert experiments.feed([first]) == Fed(0, 1, 0)
    assert results(experiments) == Results()
    world.clock.now += 30
    assert world.retention().waiting() == 1
    experiments.expose([exposure("r1", "ann")])
    assert world.retention().waiting() == 0
    assert experiments.feed([replace(first, value=9.0)]) == Fed(0, 1, 0)
    world.clock.now += WINDOW + 1
    assert results(experiments).versions == {"blue": Version(1, 1, 7.0, 49.0)}


@pytest.mark.parametrize("sweeps", [True, False])
def test_an_exposure_that_comes_too_late_finds_no_outcome_whether_or_not_somebody_swept(
    world: World, sweeps: bool
) -> None:
    experiments = world.experiments()
    experiments.feed([of_request("r1"), of_user("ann")])
    world.clock.now += world.bounds.remember + 1
    if sweeps:
        assert world.retention().expire().unknown == 2
    experiments.expose([exposure("r1", "ann")])
    world.clock.now += WINDOW + 1
    assert results(experiments) == Results({"blue": Version(1, 1)})


def test_the_first_value_stays_and_keys_tell_a_users_outcomes_apart(world: World) -> None:
    experiments = world.experiments()
    experiments.expose([exposure()])
    sent = [of_user("ann", 1.0, "a"), of_user("ann", 2.0, "b"), of_user("ann", 4.0, "a"), of_request("r1", 8.0)]
    assert experiments.feed(sent) == Fed(3, 1, 0)
    again = replace(of_request("r1", 16.0), key="other")  # a request has one outcome of each metric
    assert experiments.feed([again, of_request("r1", 32.0, "revenue")]) == Fed(1, 1, 0)
    world.clock.now += WINDOW + 1
    assert results(experiments).versions == {"blue": Version(1, 1, 11.0, 121.0)}
    assert experiments.results(NAME, "revenue", "sum", WINDOW).versions["blue"].total == 32.0


def test_a_user_who_crosses_stays_with_the_first_version(world: World) -> None:
    experiments = world.experiments()
    experiments.expose([exposure("r1", "ann"), exposure("r2", "ann", "green"), exposure("r3", "bob", "green")])
    experiments.expose([exposure("r3", "bob", "blue")])  # a copy of a request, that the gateway tried elsewhere
    experiments.feed([of_request("r2", 3.0)])
    world.clock.now += WINDOW + 1
    expected = {"blue": Version(1, 1, 3.0, 9.0, crossed=1), "green": Version(1, 1)}
    assert results(experiments).versions == expected
    experiments.expose([exposure("r4", "bob", "blue")])
    assert results(experiments).versions["green"].crossed == 1


def test_one_user_and_one_request_in_two_experiments_are_two(world: World) -> None:
    experiments = world.experiments()
    experiments.expose([exposure(), exposure(revision="green", experiment=OTHER)])
    experiments.feed([of_request(value=1.0), of_request(value=2.0, experiment=OTHER)])
    world.clock.now += WINDOW + 1
    assert results(experiments).versions == {"blue": Version(1, 1, 1.0, 1.0)}
    assert results(experiments, name=OTHER).versions == {"green": Version(1, 1, 2.0, 4.0)}


def test_nothing_heard_is_nothing_and_asking_begins_nothing(world: World) -> None:
    experiments = world.experiments()
    assert results(experiments, name="nobody/nothing") == Results()
    assert world.retention().rows() == 0


def test_large_and_small_values_lose_nothing(world: World) -> None:
    experiments = world.experiments()
    values = [1e12, 1.0, -1e12, 1e-6]
    experiments.expose([exposure(f"r{number}", number) for number in range(4)])
    experiments.feed([of_request(f"r{number}", value) for number, value in enumerate(values)])
    experiments.feed([of_user(3, value, key=str(value)) for value in (1e12, -1e12)])
    world.clock.now += WINDOW + 1
    assert results(experiments).versions["blue"].total == 1.000001


def test_a_batch_is_taken_in_whole_or_not_at_all_wherever_the_process_dies(world: World) -> None:
    experiments = world.experiments()
    experiments.feed([of_request("r1", 2.0)])
    came = [
        exposure("r1", "ann"),
        exposure("r2", "ann", "green"),
        exposure("r3", "bob"),
        exposure("r4", experiment=OTHER),
    ]
    fed = [of_request("r3", 4.0), of_user("cid"), of_user("ann", experiment=OTHER)]
    calls: list[tuple[Callable[[], object], int]] = [
        (lambda: experiments.expose(came), 10),
        (lambda: experiments.feed(fed), 8),
    ]
    for call, most in calls:
        before = world.retention().rows()
        for statement in itertools.count():
            try:
                with dying_at(statement):
                    call()
                break
            except DiedError:
                assert world.retention().rows() == before
        assert statement >= most
    world.clock.now += WINDOW + 1
    assert results(experiments).versions == {"blue": Version(2, 2, 6.0, 20.0, crossed=1)}
    assert tell(experiments, [*came, *fed]) == 0


def test_news_sent_twice_by_many_threads_at_once_count_once(world: World) -> None:
    made = history(1, users=40, requests=200)
    batches = [made[at : at + 29] for at in range(0, len(made), 29)]
    processes = [world.experiments() for _ in range(3)]  # nothing in common but the database
    errors: list[BaseException] = []
    new: list[int] = []

    def send(worker: int) -> None:
        try:
            new.extend(
                tell(processes[worker % 3], batch) for batch in random.Random(worker).sample(batches, len(batches))
            )
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=send, args=(worker,)) for worker in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert sum(new) == len({(one.experiment, *_key(one)) for one in made})
    world.clock.now += WINDOW + 1
    for name in (NAME, OTHER):
        # Which revision was first depends on the threads, and so does the first value: all else does not.
        expected = oracle([(0.0, one) for one in made], 1e9, window=WINDOW, experiment=name)
        found = comparable(results(processes[0], name=name))
        for place in (0, 1):
            assert sum(one[place] for one in found.values()) == sum(one[place] for one in expected.values())
    assert world.retention().rows() > 0


def _key(news: News) -> tuple[object, ...]:
    return (news.request,) if isinstance(news, Exposure) else news.told_by


@settings(
    max_examples=int(os.environ.get("SLUICE_COLLECTOR_EXAMPLES", "25")),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
)
@given(data=st.data(), seed=st.integers(0, 100_000), window=st.sampled_from([5.0, 60.0, 500.0]), sweeps=st.booleans())
def test_results_are_those_of_a_plain_join_at_every_moment(
    world: World, data: st.DataObject, seed: int, window: float, sweeps: bool
) -> None:
    """Whatever the order, the batches, the copies and the pauses; also when everything that may go has gone."""
    patience = 100.0 if sweeps else 1e12
    rest = history(seed, users=5, requests=9)
    heard: list[Timed] = []
    with closing(World(world.url, bounds=Limits(remember=patience))) as emptied:
        experiments, retention = emptied.experiments(), emptied.retention()
        emptied.clear()
        for _ in range(1000):
            if sweeps:
                retention.expire()
                retention.forget()
            for name, aggregate in itertools.product((NAME, OTHER), ("sum", "mean")):
                found = experiments.results(name, METRIC, aggregate, window)  # type: ignore[arg-type]
                expected = oracle(
                    heard,
                    emptied.clock.now,
                    window=window,
                    experiment=name,
                    mean=aggregate == "mean",
                    patience=patience,
                )
                assert close(comparable(found), expected), (found, expected)
                assert not found.incomplete
            if not rest:
                break
            size = data.draw(st.integers(1, len(rest)))
            heard += [(emptied.clock.now, one) for one in rest[:size]]
            tell(experiments, rest[:size], outcomes_first=data.draw(st.booleans()))
            rest = rest[size:]
            emptied.clock.now += data.draw(st.sampled_from([0.0, 0.5, 4.0, 5.0, 60.0, 99.0, 600.0]))


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.data(), seed=st.integers(0, 100_000))
def test_sums_depend_on_no_order_to_the_last_bit(world: World, data: st.DataObject, seed: int) -> None:
    made = history(seed, users=4, requests=8, experiments=[NAME])
    stable = [one for one in dict.fromkeys(made) if not (isinstance(one, Exposure) and one.revision == "green")]
    once = list({(type(one), *_key(one)): one for one in stable}.values())
    found = []
    for order in (once, data.draw(st.permutations(once))):
        with closing(World(world.url)) as emptied:
            experiments = emptied.experiments()
            emptied.clear()
            tell(experiments, order)
            emptied.clock.now += WINDOW + 1
            found.append([results(experiments, aggregate).versions for aggregate in ("sum", "mean")])
    assert found[0] == found[1]
