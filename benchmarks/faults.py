"""Random schedules of faults on the real cluster, by seeds: `make bench-faults`.

Each schedule is a rollout of a good or a bad version under load, with one to three faults at random moments. Some
run side by side, each with a ModelDeployment of its own, so that faults of the cluster hit all of them at once. What
must hold is read off the clients' log and the API:

- no request fails that is not owed to a fault that took the candidate's only pod, or answered by a bad version;
- a bad version is never promoted; the route's weights sum to the whole and lead to nobody else;
- the end is a promotion, a rollback, or a wait that says what it waits for;
- pods of the version that stays stable are the same as before.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from sluice.traffic.slots import WHOLE
from sluice_training.data import request_rows

from benchmarks.fault_actions import BAD, FAULTS, GOOD, Fault, Life, Stage
from benchmarks.machine import RESULTS, described, here
from hack.load import Answer, Load
from hack.stack.commands import StackError
from hack.stack.install import bring_up
from tests.e2e.faults import rejection
from tests.e2e.subject import STEPS, Status, Subject, candidate, stable

RATE = 15.0
SPAN_SECONDS = 20.0
# What was killed several times waits up to five minutes until the kubelet starts it again, be it the operator or the
# gateway's controller.
PATIENCE_SECONDS = 480.0


@dataclass
class Record:
    """One schedule: what happened, and what broke."""

    seed: int
    version: str
    faults: list[str]
    ended: str = ""
    seconds: float = 0.0
    requests: int = 0
    failed: int = 0
    owed: int = 0
    broken: list[str] = field(default_factory=list)


def live_through(life: Life, seed: int) -> Record:
    """Live through one schedule, from a quiet state to a quiet state."""
    rng, subject = random.Random(seed), life.subject
    before = stable(subject.status())
    good = rng.random() < 0.7
    life.wanted, life.aborted = (next(v for v in GOOD if v != before) if good else rng.choice(BAD)), False
    life.rollouts = subject.status()["rollouts"]
    faults = rng.sample(FAULTS, rng.randint(1, 3))
    moments = sorted(rng.uniform(0, SPAN_SECONDS) for _ in faults)
    record = Record(seed, f"{life.wanted} over {before}", [])
    pods = pods_of(subject, before)
    rows = request_rows()
    with Load(f"{life.stage.stack.gateway_url}/{subject.namespace}/invocations", rows, RATE) as load:
        began = time.monotonic()
        move_alias(life)
        begin(life)
        windows = []
        for moment, fault in zip(moments, faults, strict=True):
            watch(life, record, began + moment)
            if over(life):
                break
            record.faults.append(f"{fault.name} at {time.monotonic() - began:.0f} s")
            windows.append(happen(life, fault, rng))
        watch(life, record, began + PATIENCE_SECONDS, until_over=True)
        record.seconds = round(time.monotonic() - began, 1)
        time.sleep(3)
    status = subject.status()
    record.ended = ending(life, status)
    if not record.ended:
        record.broken.append(f"no end: {status.get('message')}")
    if stable(status) == before and not pods <= pods_of(subject, before):
        record.broken.append("pods of stable were started again")
    judge(record, load.answers, windows, began)
    return record


def move_alias(life: Life) -> None:
    """Let the alias name the version that is wanted; again, while another lane's fault has MLflow."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return life.subject.alias_to(life.wanted)
        except (OSError, StackError):
            if time.monotonic() > end:
                raise
            time.sleep(1)


def begin(life: Life) -> None:
    """Wait until the rollout has begun; a version that an earlier schedule has rejected is asked for again."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        with suppress(StackError):  # another lane may have taken the API server down
            status = life.subject.status()
            if begun(status, life):
                return
            for rejected in status.get("rejected", ()):
                if int(rejected["revision"]["modelVersion"]) == life.wanted:
                    retry = f"sluice.dev/retry={rejected['revision']['name']}"
                    life.subject.kubectl("annotate", "md", life.subject.name, retry, "--overwrite")
        time.sleep(1)


def begun(status: Status, life: Life) -> bool:
    """Whether this schedule's rollout has begun."""
    return bool(status["rollouts"] > life.rollouts)


def happen(life: Life, fault: Fault, rng: random.Random) -> tuple[float, float]:
    """Let a fault happen; return from when to when requests may fail for it."""
    began = time.monotonic()
    if fault.shared:
        with life.stage.lock:
            fault.act(life, rng)
            life.stage.happened.append((began, time.monotonic(), fault.name))
    else:
        with suppress(StackError, OSError):  # the API server or MLflow may be down: then this fault did not happen
            fault.act(life, rng)
    return (began, time.monotonic() + fault.owed) if fault.owed else (0.0, 0.0)


def watch(life: Life, record: Record, end: float, *, until_over: bool = False) -> None:
    """Look at status and route until a moment, or until the rollout has ended."""
    while time.monotonic() < end:
        with suppress(StackError, KeyError, IndexError):
            status = life.subject.status()
            if stable(status) in BAD:
                record.broken.append(f"version {stable(status)} was promoted")
            if until_over and ending(life, status):
                return
        time.sleep(0.7)


def over(life: Life) -> bool:
    """Whether the rollout has ended."""
    with suppress(StackError):
        return bool(ending(life, life.subject.status()))
    return False


def ending(life: Life, status: Status) -> str:
    """Say how a rollout has ended, empty while it has not."""
    if not begun(status, life):
        return ""
    if candidate(status):
        return "held, and says why" if status.get("verdict") == "Inconclusive" and status.get("message") else ""
    if stable(status) == life.wanted:
        return "promoted"
    last = rejection(status)
    if last and int(last["revision"]["modelVersion"]) == life.wanted:
        return f"rolled back: {last['reason']}"
    return ""


def judge(record: Record, answers: list[Answer], windows: list[tuple[float, float]], began: float) -> None:
    """Tell failed requests that are owed to a fault, or to a bad version, from those that nothing excuses."""
    bad = {str(version) for version in BAD}
    failed = [answer for answer in answers if answer.failed and answer.version not in bad]
    owed = [answer for answer in failed if any(begin <= answer.done and answer.sent <= end for begin, end in windows)]
    record.requests, record.failed, record.owed = len(answers), len(failed), len(owed)
    if len(failed) > len(owed):
        first = next(answer for answer in failed if answer not in owed)
        record.broken.append(
            f"{len(failed) - len(owed)} requests failed, first one sent after {first.sent - began:.1f} s, "
            f"{first.status} {first.error} of version {first.version or 'nobody'}"
        )


def pods_of(subject: Subject, version: int) -> set[str]:
    """Return the pods that serve a version."""
    return {
        pod["metadata"]["uid"]
        for pod in subject.get("pods")
        if pod["metadata"]["annotations"]["sluice.dev/model"] == f"penguins/{version}"
        and "deletionTimestamp" not in pod["metadata"]
    }


def settle(life: Life, record: Record) -> None:
    """Come to rest: what is held is aborted, the alias names what is stable, the route is whole."""
    subject = life.subject
    status = subject.status()
    if candidate(status):
        subject.annotate("abort")
        status = subject.until(lambda s: not candidate(s), "it is aborted")
    life.wanted = stable(status)
    move_alias(life)
    subject.patch({"strategy": {"canary": {"steps": STEPS}}})
    subject.until(lambda s: not candidate(s) and s["model"] == f"penguins/{life.wanted}" and rested(s), "it rests")
    # What is warm would return at once, without a rollout.
    subject.until(lambda _: len(subject.get("pods")) == len(pods_of(subject, life.wanted)), "nothing else is warm")
    (route,) = subject.get("httproutes")
    backends = route["spec"]["rules"][0]["backendRefs"]
    shares = [backend["weight"] for backend in backends]
    if not all(backend["name"].startswith(subject.name) for backend in backends) or not any(shares):
        record.broken.append(f"the route leads elsewhere: {backends}")
    if sum(shares) != WHOLE:
        record.broken.append(f"the route's weights sum to {sum(shares)}")


def rested(status: Status) -> bool:
    """Whether nothing is wrong and nothing is going on."""
    return any(c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions", ()))


def lane(stage: Stage, number: int, seeds: list[int]) -> list[Record]:
    """Go through schedules one after the other, with a ModelDeployment of its own."""
    subject = Subject(stage.stack, f"faults-{number}")
    subject.create_namespace()
    subject.install(GOOD[0], progressDeadlineSeconds=60)
    life, records = Life(stage, subject), []
    for seed in seeds:
        record = live_through(life, seed)
        settle(life, record)
        records.append(record)
        print(json.dumps(vars(record)), flush=True)
    subject.kubectl("delete", "md", "--all", f"--timeout={PATIENCE_SECONDS:.0f}s")
    subject.remove()
    return records


def main() -> int:
    """Run the schedules and write the result down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cluster", default="sluice")
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--schedules", type=int, default=50)
    parser.add_argument("--lanes", type=int, default=3)
    parser.add_argument("--add", action="store_true", help="add to the schedules that were recorded before")
    options = parser.parse_args()
    stage = Stage(bring_up(options.cluster, print), options.cluster)
    seeds = list(range(options.first, options.first + options.schedules))
    with ThreadPoolExecutor(options.lanes) as pool:
        lanes = [pool.submit(lane, stage, n, seeds[n :: options.lanes]) for n in range(options.lanes)]
        records = sorted((record for done in lanes for record in done.result()), key=lambda record: record.seed)
    target = RESULTS / "faults.json"
    rows: list[dict[str, Any]] = json.loads(target.read_text())["rows"] if options.add and target.exists() else []
    rows = [row for row in rows if row["seed"] not in seeds] + [vars(record) for record in records]
    broken = sum(bool(row["broken"]) for row in rows)
    requests = sum(row["requests"] for row in rows)
    summary = {"schedules": len(rows), "broken": broken, "lanes": options.lanes, "requests": requests}
    target.write_text(json.dumps({"machine": described(here())} | summary | {"rows": rows}, indent=1) + "\n")
    print(f"{len(rows)} schedules, {broken} broken, {requests} requests")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
