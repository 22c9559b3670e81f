"""Counts of an experiment's users: how many were answered, and how many saw the server fail, each once in this pod.

Requests are no fair sample where a user stays with one version: one whose rows always fail puts all of these errors on
one side. So here each user counts once, whichever worker answers, and once more if any of the answers is a 5xx. A
request without a user's id is a user of its own; it counts each time that the gateway tries it here.

Whose request a dying worker leaves unanswered counts as failed: the worker notes it beforehand. Not noted is who
arrives while 1,024 requests of experiments wait in that worker. Not counted is whose byte another has taken (`seen`).
"""

import logging
import os
import threading
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import Counter

from sluice_server.seen import Seen, key_of
from sluice_server.unanswered import Unanswered, Waiting, left_by
from sluice_server.units import Unit

OUTCOMES = ("seen", "failed")
IDS = ("sent", "missing")

log = logging.getLogger(__name__)

_users = Counter(
    "sluice_users", "Users of an experiment that this server answered, or failed.", ["outcome"], registry=None
)
_requests = Counter(
    "sluice_user_requests", "Requests of an experiment, by whether a user's id came with them.", ["id"], registry=None
)


@dataclass(frozen=True)
class Asked:
    """A request of a unit that waits for its answer."""

    unit: Unit
    waiting: Waiting
    place: int | None


class Users:
    """The counts, kept by each worker for all of the pod in files of `directory`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._seen = Seen(directory)
        self._starting = threading.Lock()
        self._unanswered: Unanswered | None = None
        self._broken = False

    def begin(self, unit: Unit) -> Asked:
        """A request of this unit has arrived."""
        waiting = Waiting(key_of(unit.experiment), int(unit.name[:16], 16), unit.of_user)
        table = self._unanswered or self._start()
        return Asked(unit, waiting, table.begin(waiting) if table else None)

    def answered(self, asked: Asked, *, failed: bool, timed: bool) -> bool:
        """It is answered; return whether its duration is the first of its user that counts.

        Args:
            asked: what `begin` has returned.
            failed: whether the answer was a 5xx.
            timed: whether its duration counts at all.
        """
        first_timed = self._count(asked.waiting, failed=failed, timed=timed)
        if self._unanswered and asked.place is not None:
            self._unanswered.end(asked.place)
        return first_timed

    def worker_died(self, pid: int) -> None:
        """In the master: count those whom a worker took with it, as failed."""
        path = self._table_of(pid)
        try:
            for waiting in left_by(path):
                self._count(waiting, failed=True, timed=False)
            path.unlink()
        except FileNotFoundError:
            pass  # no request of an experiment came to it
        except OSError as problem:
            log.warning("whom worker %d has left unanswered can't be read: %s", pid, problem)
        finally:
            self._seen.close()

    def _count(self, waiting: Waiting, *, failed: bool, timed: bool) -> bool:
        _requests.labels("sent" if waiting.of_user else "missing").inc()
        if not waiting.of_user:
            first, first_failed, first_timed = True, failed, timed
        else:
            first, first_failed, first_timed = self._seen.mark(waiting.key, waiting.unit, failed=failed, timed=timed)
        if first:
            _users.labels("seen").inc()
        if first_failed:
            _users.labels("failed").inc()
        return first_timed

    def _start(self) -> Unanswered | None:
        """Make this process's table at its first request: the process that was forked from has none."""
        with self._starting:
            if self._unanswered is None and not self._broken:
                try:
                    self._unanswered = Unanswered(self._table_of(os.getpid()))
                except OSError as problem:
                    self._broken = True
                    log.warning("unanswered users can't be noted: %s", problem)
            return self._unanswered

    def _table_of(self, pid: int) -> Path:
        return self._directory / f"unanswered_{pid}"


def create_series() -> None:
    """All series exist from the start."""
    for outcome in OUTCOMES:
        _users.labels(outcome)
    for known in IDS:
        _requests.labels(known)
