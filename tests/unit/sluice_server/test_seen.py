"""Each unit counts once, whatever the order, the thread, and the process."""

import hashlib
import os
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sluice_server.seen import BYTES, KEPT, Seen, key_of

KEY = key_of("team-a/penguins-7")


def bits(unit: int) -> int:
    """Of a hash, as units are: of a few hundred two may share a byte, of the first twenty none do."""
    return int(hashlib.sha256(str(unit).encode()).hexdigest()[:16], 16)


answers = st.tuples(st.sampled_from("ab"), st.integers(0, 20), st.booleans(), st.booleans(), st.integers(0, 2))


@given(st.lists(answers))
def test_it_says_what_a_set_would_say(told: list[tuple[str, int, bool, bool, int]]) -> None:
    """Of several processes, two experiments: what is new of a unit is new once."""
    known: set[tuple[str, int, str]] = set()
    with TemporaryDirectory() as directory:
        workers = [Seen(Path(directory)) for _ in range(3)]
        for experiment, unit, failed, timed, worker in told:
            marks = ("seen", True), ("failed", failed), ("timed", timed)
            expected = tuple(said and (experiment, unit, mark) not in known for mark, said in marks)
            found = workers[worker].mark(key_of(experiment), bits(unit), failed=failed, timed=timed)
            assert found == expected
            known |= {(experiment, unit, mark) for mark, said in marks if said}
        for one in workers:
            one.close()


# Between reading a byte and writing it another process may run: here it does.
WORKER = """
import hashlib, sys, time
from pathlib import Path
from sluice_server import seen as module
from sluice_server.seen import Seen, key_of
honest = module._new
module._new = lambda *bits: (honest(*bits), time.sleep(0.0001))[0]
seen, key = Seen(Path(sys.argv[1])), key_of("team-a/penguins-7")
sys.stdin.read(1)
counts = [0, 0, 0]
for unit in range(int(sys.argv[2])):
    bits = int(hashlib.sha256(str(unit).encode()).hexdigest()[:16], 16)
    new = seen.mark(key, bits, failed=unit % 3 == 0, timed=unit % 2 == 0)
    counts = [count + one for count, one in zip(counts, new)]
print(*counts)
"""


def test_processes_that_race_for_the_same_units_count_each_once(tmp_path: Path) -> None:
    units = 1000
    command = [sys.executable, "-c", WORKER, str(tmp_path), str(units)]
    workers = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    for worker in workers:
        assert worker.stdin
        worker.stdin.write("x")
        worker.stdin.flush()
    counts = [[int(count) for count in worker.communicate(timeout=60)[0].split()] for worker in workers]
    taken = {bits(unit) % BYTES for unit in range(units)}
    total = [sum(column) for column in zip(*counts, strict=True)]
    # Who shares a byte with somebody before him is not counted: a few of a thousand.
    assert len(taken) == total[0]
    assert units / 3 - 10 <= total[1] <= units / 3
    assert units / 2 - 10 <= total[2] <= units / 2


def test_threads_that_race_for_the_same_units_count_each_once(tmp_path: Path) -> None:
    seen = Seen(tmp_path)
    begin = threading.Barrier(8)

    def thread(_: int) -> int:
        begin.wait(30)
        return sum(seen.mark(KEY, bits(unit))[0] for unit in range(500))

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(thread, range(8))) == len({bits(unit) % BYTES for unit in range(500)})
    seen.close()


def test_a_unit_whose_byte_is_another_ones_is_not_counted(tmp_path: Path) -> None:
    seen = Seen(tmp_path)
    assert seen.mark(KEY, 5)[0]
    assert seen.mark(KEY, 5 + BYTES, failed=True, timed=True) == (False, False, False)
    assert seen.mark(KEY, 5, failed=True, timed=True) == (False, True, True)
    seen.close()


def test_who_dies_while_he_holds_a_byte_and_who_is_frozen_hold_up_nobody(tmp_path: Path) -> None:
    mine = Seen(tmp_path)
    assert mine.mark(KEY, 1)[0]
    code = (
        "import fcntl, sys, time; file = open(sys.argv[1], 'r+b'); "
        "fcntl.lockf(file, fcntl.LOCK_EX, 1, 5); print('held', flush=True); time.sleep(600)"
    )
    other = subprocess.Popen([sys.executable, "-c", code, str(tmp_path / f"users_{KEY}")], stdout=subprocess.PIPE)
    assert other.stdout
    assert other.stdout.readline() == b"held\n"
    os.kill(other.pid, signal.SIGSTOP)
    try:
        assert not mine.mark(KEY, 5)[0]
        assert mine.mark(KEY, 6)[0]
    finally:
        other.kill()
        other.wait(30)
        other.stdout.close()
    assert mine.mark(KEY, 5)[0]
    mine.close()


def test_another_experiment_begins_at_zero_and_old_files_go(tmp_path: Path) -> None:
    seen = Seen(tmp_path)
    for number in range(10):
        assert seen.mark(key_of(f"team-a/penguins-{number}"), 5) == (True, False, False)
        assert seen.mark(key_of(f"team-a/penguins-{number}"), 5) == (False, False, False)
    kept = {path.name for path in tmp_path.iterdir()}
    assert kept == {f"users_{key_of(f'team-a/penguins-{number}')}" for number in range(10 - KEPT, 10)}
    assert len(seen._open) == KEPT
    seen.close()


def test_requests_of_the_experiment_before_count_in_their_own(tmp_path: Path) -> None:
    one, other = Seen(tmp_path), Seen(tmp_path)
    before, after = key_of("a/1"), key_of("a/2")
    assert one.mark(before, 5)[0]
    assert other.mark(after, 5)[0]
    assert not other.mark(before, 5)[0]
    assert not one.mark(after, 5)[0]
    one.close()
    other.close()


def test_a_directory_that_cannot_be_written_costs_the_counts_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    before = len(os.listdir("/proc/self/fd"))
    users = Seen(tmp_path)
    for unit in range(100):
        assert users.mark(KEY, unit, failed=True) == (False, False, False)
    assert caplog.text.count("can't be counted") == 1
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_file_that_another_worker_has_removed_is_no_error(tmp_path: Path) -> None:
    users = Seen(tmp_path)
    users.mark(KEY, 5)
    (tmp_path / f"users_{KEY}").unlink()
    assert not users.mark(KEY, 5)[0]
    assert users.mark(KEY, 6)[0]
    users.close()
