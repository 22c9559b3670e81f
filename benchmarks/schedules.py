"""Runs many random schedules of faults in simulation, and writes down which seeds broke an invariant: `make schedules`.

Each is one life of a ModelDeployment with the real controller on a simulated cluster (see `tests/simulation`). What may
happen depends on the seed: they are spread over all ranges, or from `--first` on.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
import time
from concurrent.futures import ProcessPoolExecutor

from benchmarks.machine import RESULTS, described, here
from tests.simulation.test_schedules import RANGES, TROUBLED_TICKS, live_through

SLICE = 100


def broken(seed: int) -> tuple[int, str] | None:
    """Live through one schedule; return its seed and what broke, None when all invariants held."""
    logging.disable(logging.CRITICAL)
    try:
        asyncio.run(live_through(seed))
    except Exception as error:  # whatever it is, it is a finding
        return seed, f"{type(error).__name__}: {error}"[:500]
    return None


def main() -> int:
    """Run them and write the result down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first", type=int, help="the first seed (default: some of each range)")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--record", action="store_true", help="write benchmarks/results/schedules.json")
    options = parser.parse_args()
    seeds = (
        spread(options.count) if options.first is None else list(range(options.first, options.first + options.count))
    )
    began, findings = time.monotonic(), []
    with ProcessPoolExecutor(options.processes) as pool:
        for done, found in enumerate(pool.map(broken, seeds, chunksize=20), 1):
            if found:
                findings.append(found)
                print(f"seed {found[0]}: {found[1]}", flush=True)
            if done % SLICE == 0 or done == options.count:
                seconds = round(time.monotonic() - began)
                print(f"{done} of {options.count} in {seconds} s, {len(findings)} broken", flush=True)
                if options.record:
                    record(seeds[:done], findings, seconds)
    return 1 if findings else 0


def spread(count: int) -> list[int]:
    """Return as many seeds of each range, one of each in turn, so that a run that is ended early has met them all."""
    firsts = list(RANGES)
    return [firsts[number % len(firsts)] + number // len(firsts) for number in range(count)]


def by_range(seeds: list[int]) -> dict[str, int]:
    """Count the seeds of each range, by what it is about."""
    named = [next(about for first, about in reversed(RANGES.items()) if seed >= first) for seed in seeds]
    return {about: named.count(about) for about in RANGES.values() if about in named}


def record(seeds: list[int], findings: list[tuple[int, str]], seconds: int) -> None:
    """Write down how far it has come: a run that is ended early counts as far as it came."""
    result = {
        "machine": described(here()),
        "schedules": len(seeds), "ranges": by_range(seeds), "first_seed": seeds[0], "last_seed": seeds[-1],
        "broken": [{"seed": seed, "what": what} for seed, what in findings],
        "troubled_ticks": TROUBLED_TICKS, "seconds": seconds,
    }  # fmt: skip
    (RESULTS / "schedules.json").write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
