"""What users do after an answer, told to the model server: the outcomes of the A/B test."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import dataclass, field

from benchmarks.rollouts import BETTER
from benchmarks.strategies.figures import user_of
from benchmarks.strategies.specs import METRIC, USER_HEADER
from hack.load import Load

LIKELY, UNLIKELY = 0.8, 0.3  # share of users who convert, with the good version and with any other
TAKEN, NO_EXPERIMENT = 202, 409
NOBODY_ANSWERS = 0


def name_of(user: int) -> str:
    """Return the id that a user sends."""
    return f"user-{user}"


def converts(user: int, version: str) -> bool:
    """Whether a user converts, having been answered by a version: always the same, and shares spread evenly."""
    return user * 37 % 100 < 100 * (LIKELY if version == str(BETTER) else UNLIKELY)


@dataclass
class Feedback:
    """Tells one outcome of each user while it is open, once an experiment takes it."""

    load: Load
    url: str
    answers: Counter[int] = field(default_factory=Counter)
    told: set[int] = field(default_factory=set)
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Feedback:
        self._thread = threading.Thread(target=self._run, name="feedback", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        position = self._begun(len(self.load.answers))
        while not self._stop.wait(0.1):
            seen, position = self.load.answers[position:], len(self.load.answers)
            for answer in seen:
                user = user_of(answer)
                if user in self.told or answer.failed or not answer.version or self._stop.is_set():
                    continue
                status = self._tell(user, converts(user, answer.version))
                self.answers.update([status])
                if status == TAKEN:
                    self.told.add(user)
                elif status == NO_EXPERIMENT:
                    # What was answered before the experiment is no part of it: only newer answers are told.
                    self._stop.wait(0.5)
                    position = len(self.load.answers)
                    break

    def _begun(self, position: int) -> int:
        """Wait until users meet the good version; who acts on an answer from before has not been in the test.

        Returns:
            How many answers there were then.
        """
        while not any(answer.version == str(BETTER) for answer in self.load.answers[position:]):
            if self._stop.wait(0.1):
                break
        return len(self.load.answers)

    def _tell(self, user: int, converted: bool) -> int:
        body = json.dumps({"outcomes": [{"metric": METRIC, "value": float(converted)}]}).encode()
        headers = {"Content-Type": "application/json", USER_HEADER: name_of(user)}
        request = urllib.request.Request(self.url, body, headers)
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as refused:
            refused.close()
            return refused.code
        except OSError:
            return NOBODY_ANSWERS
