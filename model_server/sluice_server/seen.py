"""Which units of an experiment this pod has answered: a byte for each, in a file that all workers of the pod share.

A unit's hash chooses one of 2^20 bytes, and six bits that tell it from others there. A unit whose byte is another's is
not counted at all, neither as seen nor as failed: which ones these are has nothing to do with what they are answered,
so shares stay fair. Of 100,000 users of a pod it is one in twenty, of a million one in three; one in 63 of these is
taken for the other.

Each byte is written by one worker at a time: the kernel holds the lock, and lets go of it when the worker dies. Nobody
waits for it: who holds it at the same moment counts the same unit, or one that has taken the byte. Each experiment has
a file of its own, so there is nothing to reset when another begins; old ones are removed.
"""

import fcntl
import hashlib
import logging
import mmap
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final

BYTES: Final = 2**20
FAILED: Final = 0x40
TIMED: Final = 0x80
_WHO: Final = 0x3F
_TRIES: Final = 20  # of a microsecond each: then the other one is frozen
KEPT: Final = 3  # files; requests of the experiment before may still be under way

log = logging.getLogger(__name__)


def key_of(experiment: str) -> str:
    """Return what an experiment's file is called by: 16 hex digits."""
    return hashlib.sha256(experiment.encode()).hexdigest()[:16]


class SharedBytes:
    """A file of bytes that begin at zero, and are there: a full disk is an error here, not a signal later."""

    def __init__(self, path: Path, size: int) -> None:
        """Open or create the file.

        Raises:
            OSError: it can't be written, or does not fit.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        self.file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(self.file, 0, size)
            os.utime(self.file)
            self.bytes = mmap.mmap(self.file, size)
        except BaseException:
            os.close(self.file)
            raise

    def close(self) -> None:
        """Let go of it; the locks that this process holds on the file go too."""
        self.bytes.close()
        os.close(self.file)


class Seen:
    """Marks units, for all threads of this process."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._open: dict[str, SharedBytes | None] = {}

    def mark(self, key: str, unit: int, *, failed: bool = False, timed: bool = False) -> tuple[bool, bool, bool]:
        """Note an answer to a unit; return what is new of it: that it was seen, has failed, and was timed.

        Args:
            key: which experiment, as `key_of` says.
            unit: at least 32 bits of the unit's hash.
            failed: whether the answer is one that counts against the server.
            timed: whether its duration counts.
        """
        who = unit // BYTES % _WHO + 1
        wanted = who | (FAILED if failed else 0) | (TIMED if timed else 0)
        with self._lock:
            shared = self._shared(key)
            new = _marked(shared, unit % BYTES, wanted) if shared else 0
        return bool(new & _WHO), bool(new & FAILED), bool(new & TIMED)

    def close(self) -> None:
        """Let go of all files."""
        with self._lock:
            while self._open:
                self._forget_oldest()

    def _shared(self, key: str) -> SharedBytes | None:
        """Return an experiment's bytes; None if they can't be had, which is tried once only."""
        if key in self._open:
            return self._open[key]
        try:
            shared = SharedBytes(self._directory / f"users_{key}", BYTES)
        except OSError as problem:
            log.warning("the users of an experiment can't be counted: %s", problem)
            shared = None
        self._open[key] = shared
        if len(self._open) > KEPT:
            self._forget_oldest()
        self._tidy()
        return shared

    def _forget_oldest(self) -> None:
        shared = self._open.pop(next(iter(self._open)))
        if shared:
            shared.close()

    def _tidy(self) -> None:
        """Remove the files of old experiments; who still has one open goes on in it alone."""
        with suppress(OSError):  # another worker was faster
            files = sorted(self._directory.glob("users_*"), key=lambda path: path.stat().st_mtime_ns)
            for old in files[:-KEPT]:
                old.unlink()


def _marked(shared: SharedBytes, place: int, wanted: int) -> int:
    """Set bits of a byte, unless it is another unit's; return those that are new."""
    for _ in range(_TRIES):
        if not _new(shared.bytes[place], wanted):
            return 0
        try:
            fcntl.lockf(shared.file, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
        except OSError:
            continue
        try:
            had = shared.bytes[place]
            if new := _new(had, wanted):
                shared.bytes[place] = had | wanted
            return new
        finally:
            fcntl.lockf(shared.file, fcntl.LOCK_UN, 1, place)
    return 0


def _new(had: int, wanted: int) -> int:
    if not had:
        return wanted
    return wanted & ~had if had & _WHO == wanted & _WHO else 0
