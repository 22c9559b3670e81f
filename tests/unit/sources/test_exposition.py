"""Reading counts out of a metrics page; an unreadable page is said to be one, never read as zero."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sluice.analysis.cells import EDGES
from sluice.core.observation import Counters
from sluice.sources.exposition import MalformedError, parse

START = "sluice_server_start_time_seconds 1.7954700731e+09\n"
COUNTS = """\
# HELP sluice_requests_total Finished answers to prediction requests.
# TYPE sluice_requests_total counter
sluice_requests_total{assignment="random",outcome="ok"} 90.0
sluice_requests_total{assignment="random",outcome="client_error"} 7.0
sluice_requests_total{outcome="error",assignment="random"} 3.0
sluice_requests_total{assignment="targeted",outcome="error"} 1000.0
"""


def page(ok: object = 90, error: object = 3, start: str = START) -> str:
    return (
        f'{start}sluice_requests_total{{assignment="random",outcome="ok"}} {ok}\n'
        f'sluice_requests_total{{assignment="random",outcome="error"}} {error}\n'
    )


LE = (*map(repr, EDGES), "+Inf")


def cells(*counts: object, assignment: str = "random") -> str:
    """Cells of the page: the last count holds for the rest."""
    padded = [*counts, *[counts[-1]] * (len(LE) - len(counts))]
    name = f'sluice_request_duration_seconds_bucket{{assignment="{assignment}"'
    return "".join(f'{name},le="{edge}"}} {count}\n' for edge, count in zip(LE, padded, strict=True))


def test_only_what_was_assigned_at_random_counts() -> None:
    found = parse(COUNTS + START)
    assert (found.start, found.requests, found.errors) == ("1795470073.1", 100, 3)


def test_what_was_targeted_is_counted_apart() -> None:
    text = COUNTS + START + 'sluice_requests_total{assignment="targeted",outcome="ok"} 5\n'
    assert parse(text) == Counters("1795470073.1", 100, 3, targeted_requests=1005, targeted_errors=1000)


USERS = """\
sluice_users_total{outcome="failed"} 4.0
sluice_users_total{outcome="seen"} 60.0
"""


def test_users_are_counted_beside_requests() -> None:
    text = COUNTS + USERS + START + cells(0.0, 2.0, 90.0) + cells(1.0, 5.0, assignment="user")
    found = parse(text)
    assert (found.requests, found.users, found.users_failed) == (100, 60, 4)
    assert found.durations == (0, 2, *[90] * (len(EDGES) - 1))
    assert found.user_durations == (1, *[5] * len(EDGES))


def test_a_server_that_knows_no_users_has_none() -> None:
    found = parse(COUNTS + cells(5.0) + START)
    assert (found.users, found.users_failed, found.user_durations) == (0, 0, None)
    assert (found.with_id, found.without_id) == (None, None)


def test_requests_of_users_are_told_apart_by_whether_an_id_came_with_them() -> None:
    requests = 'sluice_user_requests_total{id="missing"} 7.0\nsluice_user_requests_total{id="sent"} 93.0\n'
    found = parse(COUNTS + USERS + requests + START)
    assert (found.with_id, found.without_id, found.users) == (93, 7, 60)
    with pytest.raises(MalformedError, match="garbage: sluice_user_requests_total"):
        parse(COUNTS + requests.replace("7.0", "7.5") + START)


def test_a_page_that_was_read_while_a_user_failed_does_not_say_that_more_failed_than_there_are() -> None:
    text = COUNTS + USERS.replace("60.0", "3.0") + START
    assert (parse(text).users, parse(text).users_failed) == (3, 3)


@pytest.mark.parametrize("count", ["-1", "0.5", "NaN", "+Inf", "many"])
def test_users_that_make_no_sense_are_garbage(count: str) -> None:
    with pytest.raises(MalformedError, match="garbage"):
        parse(COUNTS + USERS.replace("4.0", count) + START)


def test_cells_of_users_that_are_not_ours_leave_those_of_requests() -> None:
    found = parse(COUNTS + cells(5.0) + cells(5.0, assignment="user").partition("\n")[2] + START)
    assert found.durations is not None
    assert found.user_durations is None


def test_other_families_and_labels_do_not_matter() -> None:
    other = 'python_info{version="3.11"} 1\nsluice_requests_in_progress{assignment="random"} 5\n'
    labelled = COUNTS.replace("{", '{pod="x",', 1)
    assert parse(other + labelled + START).requests == 100


def test_no_request_at_random_yet_is_zero() -> None:
    text = START + 'sluice_requests_total{assignment="probe",outcome="ok"} 4\n'
    assert parse(text) == Counters(start="1795470073.1", requests=0, errors=0)


@given(st.integers(0, 2**53 - 1), st.integers(0, 1000))
def test_counts_are_exact(ok: int, error: int) -> None:
    found = parse(page(float(ok), float(error)))
    assert (found.requests, found.errors) == (ok + error, error)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no sluice_server_start_time_seconds"),
        (COUNTS, "no sluice_server_start_time_seconds"),
        (START, "no sluice_requests_total"),
        (COUNTS + START + START.replace("_seconds", '_seconds{pid="1"}'), "garbage: 2 x"),
        (page(ok=-1), "garbage"),
        (page(ok="NaN"), "garbage"),
        (page(error="+Inf"), "garbage"),
        (page(ok=0.5), "garbage"),
        (page(ok="many"), "garbage"),
        ("<html><body>hello</body></html>", "garbage"),
        ('sluice_requests_total{assignment="random', "garbage"),
        ("{", "garbage"),
        ('{"json": true}', "garbage"),
    ],
)
def test_a_page_that_is_not_ours_is_refused_in_a_few_words(text: str, words: str) -> None:
    with pytest.raises(MalformedError, match=words) as problem:
        parse(text)
    assert len(str(problem.value)) < 80


pieces = st.sampled_from([*COUNTS.splitlines(keepends=True), *page().splitlines(keepends=True), cells(1, 2), USERS])
mangled = st.lists(pieces | st.text(alphabet='# {}=,"\\\n\t.0123456789eE+-aTYPE', max_size=30), max_size=8).map("".join)


@given(mangled | st.text())
def test_no_text_raises_anything_else(text: str) -> None:
    try:
        found = parse(text)
    except MalformedError:
        return
    assert found.requests >= found.errors >= 0
    assert found.users >= found.users_failed >= 0


def test_durations_are_counts_up_to_each_edge() -> None:
    found = parse(COUNTS + cells(0.0, 2.0, 90.0) + START + cells(7.0, assignment="probe"))
    assert found.durations == (0, 2, *[90] * (len(EDGES) - 1))
    assert (found.requests, found.errors) == (100, 3)


@pytest.mark.parametrize(
    "text",
    [
        "",
        cells(5.0, assignment="probe"),
        cells(5.0).partition("\n")[2],
        cells(5.0) + cells(5.0),
        cells(5.0).replace('le="1.0"', 'le="1.1"'),
        cells(5.0).replace("random", 'random", x="'),
        cells(5.0).replace(" 5.0", ""),
    ],
    ids=["none", "others", "one missing", "twice", "another edge", "another label", "no counts"],
)
def test_a_server_without_our_cells_still_has_its_errors_counted(text: str) -> None:
    found = parse(COUNTS + text + START)
    assert (found.requests, found.errors, found.durations) == (100, 3, None)


@pytest.mark.parametrize("counts", [(-1.0, 5.0), (0.5, 5.0), ("NaN",), ("many",), (5.0, 4.0), ("+Inf",)], ids=str)
def test_cells_that_make_no_sense_are_garbage(counts: tuple[object, ...]) -> None:
    with pytest.raises(MalformedError, match="garbage") as problem:
        parse(COUNTS + cells(*counts) + START)
    assert len(str(problem.value)) < 80


def test_the_model_servers_own_page_is_read() -> None:
    """The real writer and the real reader, without a server between them."""
    from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
    from sluice_server import durations

    registry = CollectorRegistry()
    Gauge("sluice_server_start_time_seconds", "Start.", registry=registry).set(1795470073.5)
    counter = Counter("sluice_requests", "Answers.", ["assignment", "outcome"], registry=registry)
    counter.labels("random", "ok").inc(5)
    counter.labels("random", "error").inc(2)
    name = "sluice_request_duration_seconds"
    histogram = Histogram(name, "D.", ["assignment"], buckets=durations.EDGES, registry=registry)
    for seconds in (0.0001, 1.0, 1.01, 100.0):
        histogram.labels("random").observe(seconds)
    histogram.labels("user").observe(1.0)
    users = Counter("sluice_users", "Users.", ["outcome"], registry=registry)
    users.labels("seen").inc(3)
    users.labels("failed").inc()
    found = parse(generate_latest(registry).decode())
    assert (found.start, found.requests, found.errors) == ("1795470073.5", 7, 2)
    assert found.durations is not None
    up_to_a_second = EDGES.index(1.0)
    assert found.durations[up_to_a_second - 1 : up_to_a_second + 2] == (1, 2, 3)
    assert found.durations[-2:] == (3, 4)
    assert (found.users, found.users_failed) == (3, 1)
    assert found.user_durations == tuple(int(edge >= 1.0) for edge in (*EDGES, float("inf")))


def test_server_and_operator_know_the_same_cells() -> None:
    from sluice_server import durations

    assert durations.EDGES == EDGES
