"""Measures the strategies, and writes the result down, as a page and as a picture: `make bench-strategies`.

For each strategy the same two versions and the same load: a good version is rolled out, and taken back by a person's
command; then a version that answers 500 to everything is rolled out. All figures are from the clients' log; pods are
counted in the API server's list, twice a second. Each of the users sends every n-th request. Where users can stick to a
version, another rollout shows whether they do, while pods and the operator are restarted.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.machine import RESULTS, described, here
from benchmarks.rollouts import NAME, NAMESPACE, Bench
from benchmarks.strategies.feedback import name_of
from benchmarks.strategies.figures import USERS
from benchmarks.strategies.plot import svg
from benchmarks.strategies.report import page
from benchmarks.strategies.results import Result, merged
from benchmarks.strategies.specs import SUBJECTS, USER_HEADER, Held
from benchmarks.strategies.sticking import Sticking
from benchmarks.strategies.trial import REPLICAS, Trial
from hack.demo.watching import Watcher
from hack.load import Load
from hack.stack.commands import StackError
from hack.stack.install import bring_up

RATE = 40.0
WARM_SECONDS = 30  # in which a person may go back
STORED = RESULTS / "strategies.json"
DOCS = RESULTS.parents[1] / "docs"
PAGE, PLOT = "strategies-measured.md", "strategies-measured.svg"


def names(text: str) -> list[str]:
    """Read names of strategies, with commas between them."""
    found = [name for name in text.split(",") if name]
    if unknown := [name for name in found if name not in SUBJECTS]:
        raise argparse.ArgumentTypeError(f"no such strategy: {', '.join(unknown)}; there are {', '.join(SUBJECTS)}")
    return found


def headers_of(number: int) -> Mapping[str, str]:
    """Say whose request this is."""
    return {USER_HEADER: name_of(number % USERS)}


def measure(cluster: str, wanted: Sequence[str], *, feedback: bool) -> list[str]:
    """Measure strategies one after the other, storing each when it is done; return those that could not be measured."""
    stack = bring_up(cluster, print)
    bench = Bench(stack, Watcher(NAMESPACE, NAME, stack.shell.env["KUBECONFIG"]))
    missed = []
    for name in wanted:
        try:
            row = measured(bench, name, feedback=feedback)
        except (StackError, TimeoutError) as problem:  # the others can be measured all the same
            print(f"{name} could not be measured: {problem}", file=sys.stderr, flush=True)
            missed.append(name)
            continue
        print(json.dumps(row), flush=True)
        store(row)
    stack.shell.kubectl("delete", "md", NAME, "-n", NAMESPACE, "--ignore-not-found", "--timeout=90s")
    return missed


def measured(bench: Bench, name: str, *, feedback: bool) -> dict[str, Any]:
    """Measure one strategy, from nothing."""
    subject = SUBJECTS[name]
    bench.install(
        subject.strategy,
        warm_seconds=WARM_SECONDS,
        replicas=REPLICAS,
        traffic=subject.traffic,
        analysis=subject.analysis,
    )
    with bench.load(RATE, headers_of) as load:
        time.sleep(5)
        row = Trial(bench, name, load, feedback).run()
        return {**row, "sticking": stuck(bench, subject.held, load)} if subject.held else row


def stuck(bench: Bench, held: Held, load: Load) -> dict[str, Any] | None:
    """Measure whether users stick; what else was measured of the strategy stays when that fails."""
    try:
        return Sticking(bench, held, load).run()
    except (StackError, TimeoutError) as problem:
        print(f"whether users stick ({held.title}) could not be measured: {problem}", file=sys.stderr, flush=True)
        return None


def store(row: dict[str, Any]) -> None:
    """Put a row in the place of what was measured of its strategy before."""
    machine = described(here())
    before = json.loads(STORED.read_text())["strategies"] if STORED.exists() else []
    rows = merged(before, [{**row, "date": machine["date"], "commit": machine["commit"]}])
    result = {"machine": machine, "rate": RATE, "users": USERS, "replicas": REPLICAS, "strategies": rows}
    STORED.write_text(json.dumps(result, indent=1) + "\n")


def render(stored: Path, directory: Path) -> None:
    """Write the page and the picture of a stored result."""
    result = Result.model_validate_json(stored.read_text())
    (directory / PAGE).write_text(page(result, PLOT))
    (directory / PLOT).write_text(svg(result))


def main() -> int:
    """Measure and write the result down."""
    parser = argparse.ArgumentParser(prog="benchmarks.strategies", description=__doc__)
    parser.add_argument("--cluster", default="sluice")
    parser.add_argument("--only", type=names, help="strategies with commas between them; the others keep their figures")
    parser.add_argument(
        "--without-feedback", action="store_true", help="tell no outcomes; promote the A/B test by hand"
    )
    parser.add_argument("--render", action="store_true", help="measure nothing; only write the page and the picture")
    options = parser.parse_args()
    missed: list[str] = []
    if not options.render:
        wanted = options.only or list(SUBJECTS)
        missed = measure(options.cluster, wanted, feedback=not options.without_feedback)
    render(STORED, DOCS)
    print(f"written: {', '.join(f'docs/{name}' for name in (PAGE, PLOT))}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
