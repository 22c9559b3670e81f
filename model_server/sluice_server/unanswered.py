"""Units whose requests a worker has not answered yet, in a file: when it dies, others can read whom it has failed."""

import struct
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from sluice_server.seen import SharedBytes

PLACES: Final = 1024  # more than a worker has threads for
_FORM: Final = struct.Struct("<8sQ?B")  # the last byte says that the rest is written
_TAKEN: Final = 1


class Waiting(NamedTuple):
    """A unit that waits for an answer: `key` is its experiment's, `unit` 64 bits of its hash."""

    key: str
    unit: int
    of_user: bool


class Unanswered:
    """The places of one worker. A request that finds none free is not noted: only its worker's death would tell."""

    def __init__(self, path: Path) -> None:
        """Begin with none.

        Raises:
            OSError: the file can't be written, or does not fit.
        """
        path.unlink(missing_ok=True)
        self._shared = SharedBytes(path, PLACES * _FORM.size)
        self._free = deque(range(PLACES))

    def begin(self, waiting: Waiting) -> int | None:
        """Note a request; return its place."""
        try:
            place = self._free.pop()
        except IndexError:
            return None
        said = bytes.fromhex(waiting.key), waiting.unit, waiting.of_user, _TAKEN
        _FORM.pack_into(self._shared.bytes, place * _FORM.size, *said)
        return place

    def end(self, place: int) -> None:
        """It is answered."""
        self._shared.bytes[(place + 1) * _FORM.size - 1] = 0
        self._free.append(place)


def left_by(path: Path) -> Iterator[Waiting]:
    """Yield the units whose requests a dead worker has left unanswered.

    Raises:
        OSError: the file can't be read; FileNotFoundError if the worker had no request of an experiment.
    """
    for key, unit, of_user, taken in _FORM.iter_unpack(path.read_bytes()):
        if taken:
            yield Waiting(key.hex(), unit, of_user)
