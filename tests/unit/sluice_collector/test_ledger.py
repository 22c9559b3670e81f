"""Each answer counts exactly once, on both databases, and nothing is kept for longer than it has to be."""

from __future__ import annotations

import itertools
import os
import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sluice_collector.answers import Answer
from sluice_collector.join import join
from sluice_collector.ledger import Ledger, Limits
from sluice_collector.protocol import shown
from sluice_collector.tally import Tally
from sqlalchemy import Engine, event, text
from sqlalchemy.exc import OperationalError

from tests.unit.sluice_collector.worlds import NAME, World, answer, both, comparable, in_batches, oracle, stream


def counted(ledger: Ledger, name: str = NAME) -> dict[str, object]:
    return comparable(shown(ledger.counts(name)).model_dump(by_alias=True))


def stored(ledger: Ledger) -> list[str | None]:
    with ledger._database.reading() as connection:
        return list(connection.scalars(text("SELECT answer FROM answers")))


def test_a_pair_counts_when_its_second_side_arrives_and_what_it_said_is_deleted(world: World) -> None:
    ledger = world.open()
    assert ledger.record([answer("r1", "stable", "Adelie")]).accepted == 1
    assert ledger.counts(NAME).pairs == 0
    assert ledger.waiting() == 1
    ledger.record([answer("r1", "candidate", "Gentoo")])
    tally = ledger.counts(NAME)
    assert (tally.pairs, tally.disagreements, ledger.waiting()) == (1, 1, 0)
    assert stored(ledger) == [None, None]


def test_both_sides_in_one_batch_are_a_pair(world: World) -> None:
    ledger = world.open()
    done = ledger.record(both("r1", "Adelie", "Adelie"))
    assert (done.accepted, done.duplicates, len(done.pairs)) == (2, 0, 1)
    assert stored(ledger) == [None, None]


def test_a_batch_that_is_sent_again_changes_nothing_also_after_a_restart(world: World) -> None:
    batch = [*both("r1", "Adelie", "Gentoo"), answer("r2", "stable")]
    ledger = world.open()
    ledger.record(batch)
    before = ledger.counts(NAME)
    for again in (ledger, world.open()):
        done = again.record(batch)
        assert (done.accepted, done.duplicates) == (0, 3)
        assert again.counts(NAME) == before


def test_of_two_answers_with_one_key_the_first_counts(world: World) -> None:
    ledger = world.open()
    done = ledger.record([answer("r1", "stable", "Adelie"), answer("r1", "stable", "Gentoo")])
    assert (done.accepted, done.duplicates) == (1, 1)
    ledger.record([answer("r1", "candidate", "Adelie")])
    assert ledger.counts(NAME).disagreements == 0


def test_the_same_request_in_two_comparisons_is_two(world: World) -> None:
    ledger = world.open()
    ledger.record([answer("r1", "stable"), answer("r1", "candidate", comparison="team-b/other")])
    assert ledger.waiting() == 2
    ledger.record([answer("r1", "stable", comparison="team-b/other")])
    assert (ledger.counts(NAME).pairs, ledger.counts("team-b/other").pairs) == (0, 1)


def test_nothing_heard_is_zeros(world: World) -> None:
    assert world.open().counts("nobody/nothing") == Tally()


def test_an_answer_whose_partner_does_not_come_in_time_is_given_up(world: World) -> None:
    world.limits = Limits(partner=120)
    ledger = world.open()
    ledger.record([answer("r1", "stable"), answer("r2", "candidate"), answer("r3", "candidate")])
    world.clock.now += 119
    assert sum(ledger.expire().counts.values()) == 0
    world.clock.now += 1
    assert ledger.expire().counts == {"stable": 1, "candidate": 2}
    tally = ledger.counts(NAME)
    assert (tally.stable_unpaired, tally.candidate_unpaired, tally.pairs) == (1, 2, 0)
    assert stored(ledger) == [None, None, None]
    assert sum(ledger.expire().counts.values()) == 0


@pytest.mark.parametrize("sweeps", [True, False])
def test_a_partner_that_is_late_makes_no_pair_whether_or_not_somebody_swept(world: World, sweeps: bool) -> None:
    world.limits = Limits(partner=120)
    ledger = world.open()
    ledger.record([answer("r1", "stable")])
    world.clock.now += 121
    if sweeps:
        ledger.expire()
    ledger.record([answer("r1", "candidate")])
    world.clock.now += 121
    ledger.expire()
    tally = ledger.counts(NAME)
    assert (tally.pairs, tally.stable_unpaired, tally.candidate_unpaired) == (0, 1, 1)


def test_keys_are_remembered_for_a_while_and_then_forgotten(world: World) -> None:
    world.limits = Limits(remember=600)
    ledger = world.open()
    ledger.record(both("r1", "Adelie", "Adelie"))
    world.clock.now += 599
    ledger.forget()
    assert ledger.record(both("r1", "Adelie", "Adelie")).duplicates == 2
    world.clock.now += 2
    ledger.forget()
    assert stored(ledger) == []
    assert ledger.counts(NAME).pairs == 1


def test_what_waits_is_not_forgotten_but_counted_first(world: World) -> None:
    world.limits = Limits(partner=120, remember=600)
    ledger = world.open()
    ledger.record([answer("r1", "stable")])
    world.clock.now += 10_000
    ledger.forget()
    assert ledger.waiting() == 1
    assert ledger.expire().counts["stable"] == 1


def test_counts_are_kept_until_nothing_new_came_for_long(world: World) -> None:
    world.limits = Limits(keep=1000)
    ledger = world.open()
    ledger.record(both("r1", "Adelie", "Adelie"))
    world.clock.now += 900
    ledger.record(both("r1", "Adelie", "Adelie"))  # copies are nothing new
    ledger.record(both("r2", "Adelie", "Adelie"))
    world.clock.now += 900
    ledger.forget()
    assert ledger.counts(NAME).pairs == 2
    world.clock.now += 101
    ledger.forget()
    assert ledger.counts(NAME) == Tally()
    ledger.record(both("r9", "Adelie", "Adelie"))
    assert ledger.counts(NAME).pairs == 1


def test_when_too_many_wait_the_oldest_go_and_are_counted(world: World) -> None:
    world.limits = Limits(waiting=100)
    ledger = world.open()
    for number in range(100):
        ledger.record([answer(f"r{number}", "stable", comparison="team-b/orphans")])
        world.clock.now += 0.01
    assert sum(ledger.trim().counts.values()) == 0
    ledger.record([answer("new", "candidate")])
    assert ledger.trim().counts == {"stable": 11, "candidate": 0}
    assert ledger.waiting() == 90
    assert ledger.counts("team-b/orphans").stable_unpaired == 11
    ledger.record([answer("new", "stable")])
    assert ledger.counts(NAME).pairs == 1


class DiedError(Exception):
    """The process ends here."""


@contextmanager
def dying_at(number: int) -> Iterator[None]:
    """Lets the process end before its statement of that number, counted from 0."""
    statements = iter(range(number))

    def before(*_: object) -> None:
        if next(statements, None) is None:
            raise DiedError

    event.listen(Engine, "before_cursor_execute", before)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", before)


def test_a_batch_is_taken_in_whole_or_not_at_all_wherever_the_process_dies(world: World) -> None:
    ledger = world.open()
    ledger.record([answer("r0", "stable")])
    batch = [*both("r1", "Adelie", "Adelie"), answer("r0", "candidate"), answer("r2", comparison="team-b/other")]
    for statement in itertools.count():
        try:
            with dying_at(statement):
                done = ledger.record(batch)
            break
        except DiedError:
            assert (ledger.counts(NAME).pairs, ledger.waiting()) == (0, 1)
    assert statement > 6
    assert (done.accepted, done.duplicates) == (4, 0)
    assert (ledger.counts(NAME).pairs, ledger.waiting()) == (2, 1)


def sent(ledger: Ledger, batch: Sequence[Answer]) -> int:
    """Send a batch as model servers do: again, when others held the database for too long."""
    while True:
        with suppress(OperationalError):
            return ledger.record(batch).accepted


def test_batches_sent_twice_by_many_threads_at_once_count_once(world: World) -> None:
    made = stream(seed=1, requests=400)
    batches = list(in_batches(made, 37))
    ledgers = [world.open() for _ in range(3)]  # as processes have them: nothing in common but the database
    errors: list[BaseException] = []
    accepted: list[int] = []

    def send(worker: int) -> None:
        mine = random.Random(worker).sample(batches, len(batches))
        try:
            for batch in mine:
                accepted.append(sent(ledgers[worker % 3], batch))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=send, args=(worker,)) for worker in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not errors
    assert sum(accepted) == len(made)
    for name in (NAME, "team-b/other"):
        assert counted(ledgers[0], name) == oracle(made, name)


@settings(
    max_examples=int(os.environ.get("SLUICE_COLLECTOR_EXAMPLES", "25")),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    deadline=None,
)
@given(data=st.data(), seed=st.integers(0, 10_000))
def test_counts_depend_on_no_order_no_copies_and_no_batches(world: World, data: st.DataObject, seed: int) -> None:
    made = stream(seed, requests=12)
    rest = data.draw(st.permutations(made + data.draw(st.lists(st.sampled_from(made), max_size=10))))
    with closing(World(world.url)) as emptied:
        ledger = emptied.open()
        emptied.clear()
        while rest:
            size = data.draw(st.integers(1, len(rest)))
            ledger.record(rest[:size])
            rest = rest[size:]
        for name in (NAME, "team-b/other"):
            assert counted(ledger, name) == oracle(made, name)
            at_once = join([one for one in made if one.comparison == name], set(), {})
            assert shown(ledger.counts(name)) == shown(Tally().plus(at_once.pairs))
