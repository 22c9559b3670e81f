"""One strategy, from its first rollout to its last, on a cluster."""

from __future__ import annotations

import threading
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sluice.api.record import RolloutOutcome, RolloutRecord

from benchmarks.rollouts import ALIAS, BETTER, BROKEN, FIRST, NAME, NAMESPACE, Bench, last_sent_to
from benchmarks.strategies.clock import Clock, heard, of_this_machine
from benchmarks.strategies.feedback import Feedback
from benchmarks.strategies.figures import (
    above,
    all_back,
    answered_before_all,
    downtime,
    first_failure,
    flips,
    hurt,
    seen_by,
)
from benchmarks.strategies.specs import SUBJECTS
from hack.load import Answer, Load

REPLICAS = 2
SETTLED_SECONDS = 15.0
NOTICED_SECONDS = 60.0  # who has not rolled back by himself by then is told to
SPLIT_SECONDS = 30.0  # how long an A/B test without outcomes goes on


@dataclass
class Census:
    """Counts the pods of the ModelDeployment while it is open."""

    bench: Bench
    samples: list[tuple[float, int]] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Census:
        self._thread = threading.Thread(target=self._count, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _count(self) -> None:
        while not self._stop.wait(0.5):
            names = self.bench.stack.shell.kubectl("get", "pods", "-n", NAMESPACE, "-o", "name").split()
            self.samples.append((time.monotonic(), len(names)))

    @property
    def above_steady(self) -> float:
        """Pod-seconds beyond those of a version at rest."""
        return above(self.samples, REPLICAS)


@dataclass
class Trial:
    """The good version out and back, then the bad one; `feedback` is whether users' outcomes are told."""

    bench: Bench
    name: str
    load: Load
    feedback: bool = True
    _clock: Clock = field(default_factory=of_this_machine)

    def run(self) -> dict[str, Any]:
        """Measure; return a row of the result."""
        subject = SUBJECTS[self.name]
        result: dict[str, Any] = {
            "strategy": self.name, "fields": subject.written, "required": subject.required,
            "components": list(subject.components),
        }  # fmt: skip
        good, answers, record = self._good()
        command = self._back(BETTER)  # from here on the operator's clock is known
        good["flips"] = flips(answers, BETTER, self._clock.spans(record)).shown()
        return {**result, "good": good, "command": command, "bad": self._bad()}

    def _good(self) -> tuple[dict[str, Any], list[Answer], RolloutRecord]:
        since, began = len(self.load.answers), time.monotonic()
        by, told = "itself", self._outcomes()
        with Census(self.bench) as census, told as outcomes:
            self.bench.stack.move_alias(ALIAS, BETTER)
            if self._needs_person:
                by = "a person"
                self._promote()
            self.bench.until(lambda sight: sight.stable == str(BETTER) and not sight.candidate)
            seconds = time.monotonic() - began
            time.sleep(SETTLED_SECONDS)
        answers, record = self.load.answers[since:], self._record()
        pairs = record.status.evidence.pairs
        found = {
            "seconds": seconds, "requests": len(answers), "failed": sum(answer.failed for answer in answers),
            "downtime": downtime(answers), "tested_before": answered_before_all(answers, FIRST, BETTER),
            "copies": pairs.joined if pairs else 0, "pod_seconds": census.above_steady, "promoted_by": by,
        }  # fmt: skip
        if outcomes:
            found["feedback"] = {str(status): count for status, count in sorted(outcomes.answers.items())}
        return found, answers, record

    @property
    def _needs_person(self) -> bool:
        return self.name == "abTest" and not self.feedback

    def _outcomes(self) -> AbstractContextManager[Feedback | None]:
        if self.name != "abTest" or not self.feedback:
            return nullcontext()
        return Feedback(self.load, f"{self.bench.stack.gateway_url}/bench/feedback")

    def _promote(self) -> None:
        self.bench.until(lambda sight: sight.weight > 0)
        time.sleep(SPLIT_SECONDS)
        name = self.bench.watcher.look().status["rollout"]["revision"]["name"]
        self._annotate(f"sluice.dev/promote-full={name}")

    def _annotate(self, wish: str) -> None:
        self.bench.stack.shell.kubectl("annotate", "md", NAME, "-n", NAMESPACE, wish, "--overwrite")

    def _record(self) -> RolloutRecord:
        """Return the record of the present rollout, or of the last."""
        name = self.bench.watcher.look().status["record"]
        text = self.bench.stack.shell.kubectl("get", "rolloutrecords", name, "-n", NAMESPACE, "-o", "json")
        return RolloutRecord.model_validate_json(text)

    def _back(self, version: int) -> dict[str, Any]:
        """Go back by command: until the version gets no more requests, and until all of them are answered as before."""
        since = len(self.load.answers)
        status = self.bench.watcher.look().status
        earlier = next(entry for entry in status["retired"] if entry["revision"]["modelVersion"] == str(FIRST))
        began = time.monotonic()
        self._annotate(f"sluice.dev/rollback={earlier['revision']['name']}")
        written = time.monotonic()
        self.bench.until(lambda sight: sight.stable == str(FIRST) and not sight.candidate)
        dated = datetime.fromisoformat(self.bench.watcher.look().status["lastAction"]["at"])
        self._clock = heard(dated, written)
        time.sleep(SETTLED_SECONDS)
        answers = self.load.answers[since:]
        self.bench.stack.move_alias(ALIAS, FIRST)
        return {
            "off_seconds": max(0.0, last_sent_to(answers, version) - began),
            "back_seconds": max(0.0, (all_back(answers, FIRST) or began) - began),
            "failed": sum(answer.failed and answer.version != str(BROKEN) for answer in answers),
            "downtime": downtime(answers),
        }  # fmt: skip

    def _bad(self) -> dict[str, Any]:
        since = len(self.load.answers)
        self.bench.stack.move_alias(ALIAS, BROKEN)
        self.bench.until(lambda sight: bool(sight.candidate))
        found: dict[str, Any] = {"noticed": self._noticed()}
        decided = None
        if found["noticed"]:
            decided = self._decided()
        else:
            found["command"] = self._back(BROKEN)
        time.sleep(SETTLED_SECONDS)
        answers = self.load.answers[since:]
        found |= {
            "seen": seen_by(answers, BROKEN), "hurt": hurt(answers), "downtime": downtime(answers),
            "failed_elsewhere": sum(answer.failed and answer.version != str(BROKEN) for answer in answers),
        }  # fmt: skip
        end = all_back(answers, FIRST)
        for name, start in (("decided_to_back", decided), ("failure_to_back", first_failure(answers))):
            found[name] = None if start is None or end is None else max(0.0, end - start)
        return found

    def _decided(self) -> float | None:
        """Return when it was decided to roll back, as the record dates it; never after it was seen here."""
        seen, status = time.monotonic(), self._record().status
        if status.outcome is not RolloutOutcome.ROLLED_BACK or status.finished_at is None:
            return None
        return min(seen, self._clock.at(status.finished_at))

    def _noticed(self) -> bool:
        """Whether the broken version is rolled back by itself."""
        end = time.monotonic() + NOTICED_SECONDS
        while time.monotonic() < end:
            if self.bench.watcher.look().rejected == str(BROKEN):
                return True
            time.sleep(0.05)
        return False
