"""Nothing is kept for longer than it can count, nothing grows without end, and what was lost is no result."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sluice_collector.experiments.ledger import Experiments, Exposed, Fed, Limits
from sluice_collector.experiments.missing import EARLY_SECONDS
from sluice_collector.experiments.retention import Given, Retention
from sluice_collector.experiments.sums import Results, Version
from sqlalchemy import text

from tests.unit.sluice_collector.experiments.histories import METRIC, NAME, OTHER, exposure, of_request, of_user
from tests.unit.sluice_collector.worlds import World

WINDOW = 1000.0


def results(experiments: Experiments, name: str = NAME, window: float = WINDOW) -> Results:
    return experiments.results(name, METRIC, "sum", window)


def stored(world: World, table: str) -> int:
    with world._databases[0].reading() as connection:
        return int(connection.scalar(text(f"SELECT count(*) FROM experiment_{table}")) or 0)


def counted(world: World) -> None:
    """The counts of rows are true."""
    tables = sum(stored(world, table) for table in ("units", "requests", "outcomes"))
    assert world.retention().rows() == tables


def test_requests_are_forgotten_when_an_outcome_of_them_could_not_count(world: World) -> None:
    experiments, retention = world.experiments(), world.retention()
    experiments.expose([exposure("r1", "ann"), exposure("r2", "bob", "green")])
    world.clock.now += 10_000
    retention.forget()
    assert stored(world, "requests") == 2  # nobody has asked: any window may come
    assert not results(experiments, window=10_001).incomplete
    retention.forget()
    assert stored(world, "requests") == 2
    world.clock.now += 2
    retention.forget()
    assert stored(world, "requests") == 0
    assert results(experiments, window=10_001).versions == {"blue": Version(1, 1), "green": Version(1, 1)}
    counted(world)


def test_requests_are_remembered_as_long_as_copies_of_them_may_come(world: World) -> None:
    experiments, retention = world.experiments(), world.retention()
    experiments.expose([exposure()])
    results(experiments, window=1)
    world.clock.now += world.bounds.remember - 1
    retention.forget()
    assert experiments.expose([exposure(), exposure("r2")]) == Exposed(1, 1)
    world.clock.now += 2
    retention.forget()
    assert experiments.expose([exposure(), exposure("r2")]) == Exposed(1, 1)
    assert results(experiments, window=1).versions == {"blue": Version(1, 1)}  # and the user is no new one


def test_an_outcome_after_its_users_time_is_not_even_kept(world: World) -> None:
    experiments = world.experiments()
    experiments.expose([exposure()])
    results(experiments)
    world.clock.now += WINDOW + 1
    assert experiments.feed([of_request(), of_user()]) == Fed(2, 0, 0, late=2)
    assert stored(world, "outcomes") == 0
    assert results(experiments) == Results({"blue": Version(1, 1)})


def test_a_longer_window_is_fine_until_something_was_let_go_for_the_shorter_one(world: World) -> None:
    experiments = world.experiments()
    experiments.expose([exposure()])
    assert not results(experiments, window=100).incomplete
    world.clock.now += 100
    assert not results(experiments, window=200).incomplete
    world.clock.now += 101
    assert not results(experiments, window=100).incomplete
    assert results(experiments, window=201).incomplete
    assert results(experiments, window=100).incomplete


def test_when_there_is_no_room_further_users_stay_outside_and_those_inside_count(world: World) -> None:
    world.bounds = Limits(units=2)
    experiments = world.experiments()
    came = [exposure("r1", "ann"), exposure("r2", "bob", "green"), exposure("r3", "cid")]
    assert experiments.expose(came) == Exposed(3, 0, full=1)
    assert experiments.expose([exposure("r4", "cid"), exposure("r5", "ann")]) == Exposed(2, 0, full=1)
    assert experiments.expose(came) == Exposed(0, 3)
    inside = [of_request("r1"), of_request("r5"), of_user("bob")]
    assert experiments.feed([*inside, of_request("r3"), of_user("cid"), of_user("dan")]) == Fed(6, 0, 0, full=3)
    assert experiments.feed([of_request("r6")]).unknown == 1  # it may be one of ann's
    experiments.expose([exposure("r6", "eve")])
    world.clock.now += WINDOW + 1
    expected = {"blue": Version(1, 1, 2.0, 4.0), "green": Version(1, 1, 1.0, 1.0)}
    assert results(experiments) == Results(expected)
    counted(world)


def test_when_there_is_no_room_for_an_outcome_the_experiment_is_incomplete_and_closed(world: World) -> None:
    world.bounds = Limits(outcomes=2)
    experiments = world.experiments()
    experiments.expose([exposure("r1", "ann")])
    sent = [of_user("ann", key=key) for key in "abc"]
    assert experiments.feed(sent) == Fed(3, 0, 0, full=1)
    assert results(experiments).incomplete
    assert experiments.feed(sent) == Fed(3, 0, 0, full=3)
    assert experiments.expose([exposure("r2", "bob")]) == Exposed(1, 0, full=1)
    assert results(experiments) == Results({"blue": Version(1, 0)}, incomplete=True)
    counted(world)


def trimmed(world: World, *, joined: int) -> tuple[Experiments, Retention]:
    """An experiment that had to let its oldest requests go, and has so many outcomes of later ones."""
    world.bounds = Limits(requests=100)
    experiments, retention = world.experiments(), world.retention()
    for number in range(110):
        experiments.expose([exposure(f"r{number}", number % 7)])
        retention.trim()
        world.clock.now += 0.01
    assert 95 <= stored(world, "requests") <= 100
    assert experiments.feed([of_user(3, key=str(number)) for number in range(joined)]) == Fed(joined, 0, 0)
    return experiments, retention


@pytest.mark.parametrize("sweeps", [True, False])
@pytest.mark.parametrize(
    ("joined", "missed", "incomplete"), [(0, 1, False), (0, 2, True), (40, 2, False), (90, 3, False), (90, 4, True)]
)
def test_requests_that_were_let_go_harm_where_more_outcomes_name_them_than_chance_would_move(
    world: World, joined: int, missed: int, incomplete: bool, sweeps: bool
) -> None:
    experiments, retention = trimmed(world, joined=joined)
    experiments.feed([of_request(f"r{number}") for number in range(missed)])
    world.clock.now += world.bounds.remember + 1
    if sweeps:
        assert retention.expire() == Given(unknown=missed)
    found = results(experiments)
    assert (found.missed, found.incomplete) == (missed, incomplete)
    assert retention.expire() == Given(unknown=0 if sweeps else missed), "each is given up once"
    assert results(experiments).missed == missed, "and stays counted"
    assert experiments.feed([of_request(f"r{number}") for number in range(missed)]) == Fed(0, missed, 0)
    counted(world)


def test_an_outcome_that_comes_a_little_before_its_exposure_is_not_missed(world: World) -> None:
    experiments, _ = trimmed(world, joined=0)
    early = [f"s{number}" for number in range(20)]
    experiments.feed([of_request(request) for request in early])
    world.clock.now += EARLY_SECONDS - 1
    assert results(experiments) == replace(results(experiments), incomplete=False, missed=0)
    experiments.expose([exposure(request, "ann") for request in early])
    world.clock.now += WINDOW + 1
    assert results(experiments) == replace(results(experiments), incomplete=False, missed=0)
    assert results(experiments).versions["blue"].total == 20.0


def test_outcomes_that_are_missed_are_those_of_their_metric_and_of_requests(world: World) -> None:
    experiments, retention = trimmed(world, joined=0)
    experiments.feed([of_request(f"r{number}", metric="clicks") for number in range(9)])
    experiments.feed([of_user(f"nobody-{number}") for number in range(9)])  # whoever was exposed is still known
    world.clock.now += world.bounds.remember + 1
    assert retention.expire() == Given(unknown=18)
    assert (results(experiments).missed, results(experiments).incomplete) == (0, False)
    assert experiments.results(NAME, "clicks", "sum", WINDOW).incomplete


def test_nothing_is_missed_where_no_request_was_let_go(world: World) -> None:
    experiments, retention = world.experiments(), world.retention()
    experiments.feed([of_request(f"r{number}") for number in range(50)])
    world.clock.now += world.bounds.remember + 1
    assert results(experiments) == Results()
    retention.expire()
    assert (results(experiments), stored(world, "outcomes")) == (Results(), 0)


def test_requests_whose_time_is_over_are_not_too_many(world: World) -> None:
    world.bounds = Limits(requests=100)
    experiments, retention = world.experiments(), world.retention()
    experiments.expose([exposure(f"r{number}", number) for number in range(90)])
    results(experiments)
    world.clock.now += WINDOW + 1
    experiments.expose([exposure(f"s{number}", number) for number in range(20)])
    retention.trim()
    assert stored(world, "requests") == 20
    experiments.feed([of_request("r0")])
    assert not results(experiments).incomplete


def test_when_too_many_wait_the_oldest_go_and_their_experiments_are_incomplete(world: World) -> None:
    world.bounds = Limits(waiting=100)
    experiments, retention = world.experiments(), world.retention()
    for number in range(100):
        experiments.feed([of_request(f"r{number}", experiment=OTHER)])
        world.clock.now += 0.01
    assert retention.trim() == Given()
    experiments.feed([of_user()])
    assert retention.trim() == Given(full=11)
    assert retention.waiting() == 90
    assert (results(experiments, OTHER).incomplete, results(experiments).incomplete) == (True, False)
    counted(world)


def test_an_outcome_whose_exposure_never_comes_is_given_up_and_nothing_is_lost(world: World) -> None:
    experiments, retention = world.experiments(), world.retention()
    experiments.feed([of_user(), of_request()])
    world.clock.now += world.bounds.remember - 1
    assert retention.expire() == Given()
    world.clock.now += 2
    assert retention.expire() == Given(unknown=2)
    assert results(experiments) == Results()
    counted(world)


def test_the_oldest_experiments_go_first_and_say_so(world: World) -> None:
    world.bounds = Limits(rows=100)
    experiments, retention = world.experiments(), world.retention()
    names = [f"team-a/test-{number}" for number in range(5)]
    for name in names:
        experiments.expose([exposure(f"r{number}", number, experiment=name) for number in range(9)])  # 18 rows
        experiments.feed([of_request("r1", experiment=name)])
        world.clock.now += 1
        retention.trim()
    assert retention.rows() == 95
    experiments.expose([exposure("late", "ann", experiment=names[0])])
    experiments.expose([exposure(f"s{number}", number + 100, experiment=names[4]) for number in range(3)])
    retention.trim()
    assert [results(experiments, name).incomplete for name in names] == [False, True, False, False, False]
    assert results(experiments, names[1]) == Results({}, incomplete=True)
    assert results(experiments, names[0]).versions == {"blue": Version(10, 0)}
    experiments.expose([exposure(experiment=names[1])])
    assert results(experiments, names[1]) == Results({}, incomplete=True)
    counted(world)


@pytest.mark.parametrize("lost", [False, True])
def test_an_experiment_without_news_is_forgotten(world: World, lost: bool) -> None:
    world.bounds = Limits(keep=5000, outcomes=1)
    experiments, retention = world.experiments(), world.retention()
    experiments.expose([exposure()])
    experiments.feed([of_user("ann", key=key) for key in ("ab" if lost else "a")])
    world.clock.now += 4000
    experiments.expose([exposure("r2")])
    world.clock.now += 4000
    retention.forget()
    assert results(experiments).incomplete is lost
    assert stored(world, "units") == 1
    world.clock.now += 1001
    retention.forget()
    assert retention.rows() == stored(world, "units") == stored(world, "requests") == stored(world, "outcomes") == 0
    assert results(experiments) == Results()
