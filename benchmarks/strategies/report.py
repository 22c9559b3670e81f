"""The result as a page of Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from benchmarks.strategies.figures import TAKEN_UP_SECONDS
from benchmarks.strategies.grades import COLUMNS, TEXTBOOK, Disagreement, Grade, Level, disagreements, grades
from benchmarks.strategies.results import Result, Row
from benchmarks.strategies.specs import SUBJECTS
from benchmarks.strategies.sticking import Assigned

Cell = Callable[[Row, Result], str]
UNMEASURED = "–"


def _number(value: float | None, digits: int = 1) -> str:
    return UNMEASURED if value is None else f"{value:.{digits}f}"


def _count(value: int | None) -> str:
    return UNMEASURED if value is None else f"{value:,}"


def _flips(which: str) -> Cell:
    return lambda row, _: _count(getattr(row.good.flips, which, None))


def _back(pick: Callable[[Row], float | None]) -> Cell:
    """Say how long something took to end where somebody has met the bad version."""

    def cell(row: Row, _: Result) -> str:
        nobody = row.bad.hurt == 0 and row.bad.seen.requests == 0
        return "nobody met it" if nobody else _number(pick(row))

    return cell


LINES: Sequence[tuple[str, Cell]] = (
    ("fields written here; that have to be, beyond the name", lambda row, _: f"{row.fields}; {_count(row.required)}"),
    ("needs beside the operator", lambda row, _: ", ".join(row.components) or "nothing"),
    ("**good version:** failed requests", lambda row, _: f"{row.good.failed:,} of {row.good.requests:,}"),
    ("seconds in which nobody served", lambda row, _: _number(row.good.downtime)),
    ("seconds until it was promoted", lambda row, _: _number(row.good.seconds, 0)),
    ("promoted by", lambda row, _: row.good.promoted_by or UNMEASURED),
    (
        "real requests that it answered before everybody got it; copies",
        lambda row, _: f"{row.good.tested_before:,}; {_count(row.good.copies)}",
    ),
    ("users who had it while others had the old one", _flips("split")),
    ("users who went back to the old one after it", _flips("back")),
    ("users who switched while the split stayed", _flips("constant")),
    ("pod-seconds above the steady state", lambda row, _: _number(row.good.pod_seconds, 0)),
    ("**command to go back:** seconds until all traffic is back", lambda row, _: _number(row.command.back_seconds)),
    ("seconds until the version got its last request", lambda row, _: _number(row.command.off_seconds)),
    ("failed requests on the way", lambda row, _: _count(row.command.failed)),
    ("**bad version:** noticed", lambda row, _: "by itself" if row.bad.noticed else "by a person"),
    ("requests that met it", lambda row, _: _count(row.bad.seen.requests)),
    ("users who met it", lambda row, result: f"{row.bad.seen.users} of {result.users}"),
    ("users with a failed request", lambda row, _: _count(row.bad.hurt)),
    ("seconds in which nobody served", lambda row, _: _number(row.bad.downtime)),
    ("seconds from the decision until all traffic is back", _back(lambda row: row.bad.decided_to_back)),
    ("seconds from the first failed answer until then", _back(lambda row: row.bad.failure_to_back)),
)

NOTES = (
    "All figures are of the clients' log, but for pods (counted twice a second), and for when a rollback was decided "
    "and when a weight was set, which the RolloutRecord says. The operator's clock follows the API server's, in "
    "whole seconds; it was corrected by the time that it gave the person's command just before, to about 0.1 s.",
    "Real requests before everybody got it: answered by the new version before the old one got its last; copies are "
    "those whose two answers the collector has joined.",
    "A user switches when two answers in a row that have a version come from different ones. While the split stayed: "
    "both requests were sent within one period of the RolloutRecord, which has one weight, without its first "
    f"{TAKEN_UP_SECONDS:.0f} s. Each user sends every n-th request.",
    "Pod-seconds are those of the good rollout and of 15 s after its promotion.",
    "All traffic is back when the last request was sent that the old version has not answered well. Where a person had "
    "to notice, the seconds from the first failed answer hold the 60 s that he was given.",
)
OWN_OUTCOMES = (
    "The winner of the A/B test follows from outcomes that the benchmark itself sends (users convert far more often "
    "with the good version): its time says how fast a clear winner is found, not how long a real test takes."
)
STICKING = (
    "A rollout of its own, of the good version with `traffic.sticky`, which stays at one weight. Meanwhile a pod of "
    "each version is deleted, and the operator restarted. Beside the error is the standard deviation of the share, "
    "were each user drawn by himself. A canary's share falls to what its ready pods can carry, so that some of its "
    "users go back while a pod is replaced; an A/B test keeps them. Who went back is counted from the rollout's "
    "begin, while the share grew, too."
)
LEVELS = (
    "Grades follow from the figures by these rules. Against a largest value: none up to a twentieth of it, low up to a "
    "third, medium up to two thirds, high above."
)


def page(result: Result, plot: str) -> str:
    """Return the page; `plot` is the file name of the picture beside it."""
    rows = result.strategies
    parts = [
        "# Strategies, measured",
        f"Written by `make bench-strategies`; don't edit. {_where(result)} A good version is rolled out and taken back "
        "by command; then one that answers 500 to everything is rolled out.",
        f"![The figures as bars]({plot})",
        _table(
            ["", *(row.strategy for row in rows)],
            ([title, *(cell(row, result) for row in rows)] for title, cell in LINES),
        ),
        *_other_runs(result),
        _list(*NOTES, *([OWN_OUTCOMES] if any(row.strategy == "abTest" for row in rows) else [])),
        *_sticking(result),
        "## Beside the textbook",
        "What textbooks say, and in brackets what follows from the figures where that is something else "
        f"({UNMEASURED}: it was not measured).",
        _compared(result),
        LEVELS,
        _list(*(f"{column.name}: {column.rule}." for column in COLUMNS)),
        *_told(result),
    ]
    return "\n\n".join(parts) + "\n"


def _where(result: Result) -> str:
    machine = result.machine
    return (
        f"{result.replicas} replicas, {result.rate:g} requests a second from {result.users} users, the embedded "
        f"cluster on {machine.cores} cores ({machine.cpu}), {machine.date}, commit {machine.commit}."
    )


def _other_runs(result: Result) -> list[str]:
    """Say when rows were measured that are not of the last run."""
    others = [
        f"{row.strategy} on {row.date} (commit {row.commit})"
        for row in result.strategies
        if row.date and (row.date, row.commit) != (result.machine.date, result.machine.commit)
    ]
    return [f"Of other runs: {', '.join(others)}."] if others else []


def _sticking(result: Result) -> list[str]:
    """Show whether users stick to a version, where that was measured."""
    rows = []
    for row in result.strategies:
        held = SUBJECTS[row.strategy].held if row.strategy in SUBJECTS else None
        if held is None or row.sticking is None:
            continue
        found = Assigned(**dict(row.sticking))
        share = f"{found.candidate} of {found.users}, wanted {found.weight} %"
        rows.append([
            held.title, str(found.replicas), share, f"{100 * found.error:.1f} ± {100 * found.noise:.1f}",
            str(found.both), str(found.back),
        ])  # fmt: skip
    if not rows:
        return []
    head = [
        "", "replicas", "users at the new version", "off by, percentage points",
        "users who met both versions meanwhile",
        "users who went back to the old one",
    ]  # fmt: skip
    return ["## Users who stick", STICKING, _table(head, rows)]


def _told(result: Result) -> list[str]:
    found = disagreements(result)
    if not found:
        return ["The measurement agrees with the textbook in all that was measured."]
    return ["Where the measurement disagrees:", _list(*(_sentence(one) for one in found))]


def _sentence(one: Disagreement) -> str:
    said, found = word(one.said), word(one.measured)
    return f"{one.strategy}, {one.column}: the textbook says {said}, measured {found} ({one.figure})."


def _compared(result: Result) -> str:
    measured = grades(result)
    rows = []
    for row in result.strategies:
        said = TEXTBOOK.get(row.strategy, (None,) * len(COLUMNS))
        cells = (_both(book, found) for book, found in zip(said, measured[row.strategy], strict=True))
        rows.append([row.strategy, *cells])
    return _table(["", *(column.name for column in COLUMNS)], rows)


def _both(said: Grade, found: Grade) -> str:
    return word(said) if said == found else f"{word(said)} [{word(found)}]"


def word(grade: Grade) -> str:
    """Return a grade as one word."""
    if isinstance(grade, Level):
        return grade.name.lower()
    return UNMEASURED if grade is None else ("yes" if grade else "no")


def _list(*items: str) -> str:
    return "\n".join(f"- {item}" for item in items)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
