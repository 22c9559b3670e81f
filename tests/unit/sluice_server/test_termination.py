"""What a container leaves behind when it gives up."""

from pathlib import Path

import pytest
from sluice_server.termination import GivingUpError, report


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SLUICE_TERMINATION_LOG", str(tmp_path / "log"))
    return tmp_path / "log"


def test_it_is_one_line_with_the_reason_first(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report(GivingUpError("DigestMismatch", "two\nlines")) == 1
    assert log.read_text() == "DigestMismatch: two lines"
    assert capsys.readouterr().err == "DigestMismatch: two lines\n"


def test_it_is_not_longer_than_kubernetes_keeps(log: Path) -> None:
    report(GivingUpError("ModelLoadFailed", "ä" * 5000))
    assert len(log.read_bytes()) == 4096


def test_without_a_termination_log_the_exit_code_is_the_same(log: Path) -> None:
    log.mkdir()
    assert report(GivingUpError("WarmUpFailed", "x")) == 1
