"""The digest is the same for the same files, and different for any other."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sluice_server import digest as module
from sluice_server.digest import UnsafeFileError, digest, digest_directory

SHA = hashlib.sha256(b"x").hexdigest()
FILES = st.lists(
    st.tuples(st.text(min_size=1, max_size=8), st.integers(0, 2**40), st.binary(max_size=8).map(lambda b: b.hex())),
    unique_by=lambda file: file[0],
)


def test_it_is_the_hash_of_sorted_lines() -> None:
    lines = f"{SHA}  1  B\n{SHA}  1  a/b\n{SHA}  1  ä\n"
    expected = "sha256:" + hashlib.sha256(lines.encode()).hexdigest()
    assert digest([("ä", 1, SHA), ("a/b", 1, SHA), ("B", 1, SHA)]) == expected


@given(files=FILES, seed=st.randoms())
def test_order_does_not_matter(files: list[tuple[str, int, str]], seed: object) -> None:
    shuffled = list(files)
    seed.shuffle(shuffled)  # type: ignore[attr-defined]
    assert digest(shuffled) == digest(files)


def test_every_part_of_a_file_matters() -> None:
    one = digest([("a", 1, SHA)])
    others = [digest([("b", 1, SHA)]), digest([("a", 2, SHA)]), digest([("a", 1, SHA[::-1])]), digest([])]
    assert len({one, *others}) == 5


def test_the_note_of_mlflows_client_does_not_count() -> None:
    assert digest([("a", 1, SHA), ("registered_model_meta", 9, SHA)]) == digest([("a", 1, SHA)])


def test_a_directory_has_the_digest_of_its_files(tmp_path: Path) -> None:
    (tmp_path / "sub" / "empty").mkdir(parents=True)
    (tmp_path / "sub" / "x").write_bytes(b"x")
    assert digest_directory(tmp_path) == digest([("sub/x", 1, SHA)])


def test_a_link_out_of_the_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "passwd").symlink_to("/etc/passwd")
    with pytest.raises(UnsafeFileError, match="leaves"):
        digest_directory(tmp_path / "model")


def test_a_linked_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "again").symlink_to("real")
    with pytest.raises(UnsafeFileError, match="link to a directory"):
        digest_directory(tmp_path)


def test_a_link_to_nowhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken").symlink_to("nothing")
    with pytest.raises(UnsafeFileError, match="nowhere"):
        digest_directory(tmp_path)


def test_a_pipe_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnsafeFileError, match="regular"):
        digest_directory(tmp_path)


@pytest.mark.parametrize("name", [b"two\nlines", b"no-utf-8-\xff"])
def test_a_name_that_is_not_one_line_of_text_is_refused(tmp_path: Path, name: bytes) -> None:
    (tmp_path / os.fsdecode(name)).touch()
    with pytest.raises(UnsafeFileError, match="all systems"):
        digest_directory(tmp_path)


def test_it_needs_only_the_standard_library() -> None:
    """The operator's image has this file and none of the server's packages."""
    package = Path(module.__file__).parents[1]
    code = f"import sys; sys.path = [{str(package)!r}] + sys.path; import sluice_server.digest"
    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True)
