"""Rows with labels are replayed as probes; what the answers are worth, and what nobody can tell."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sluice_server.checks.answer import CANT_TELL, FAILED, PASSED, Answer, CantTellError, answered
from sluice_server.checks.asking import Client, NoAnswer
from sluice_server.checks.golden import FOLDER, GoldenRows, read
from sluice_server.checks.golden_set import GoldenSettings, check
from sluice_server.checks.scores import accuracy, mean_absolute_error, plain

from tests.unit.sluice_server.models import ROWS, SPECIES
from tests.unit.sluice_server.running import Running

COLUMNS = tuple(ROWS.columns)
DATA = tuple(tuple(row) for row in ROWS.astype(object).where(ROWS.notna(), None).to_numpy().tolist())
GOLDEN = GoldenRows(COLUMNS, DATA, tuple(SPECIES))
UNKNOWN_ISLAND = (40.0, 4000.0, "Atlantis")


@pytest.fixture
def rows_dir(tmp_path: Path) -> Path:
    return written(tmp_path / "candidate", GOLDEN)


def written(model: Path, rows: GoldenRows) -> Path:
    (model / FOLDER).mkdir(parents=True)
    rows.write(model / FOLDER)
    return model


def url(server: Running) -> str:
    return f"http://127.0.0.1:{server.port}"


def settings(server: Running, rows_dir: Path, **wants: Any) -> GoldenSettings:
    here: dict[str, Any] = {"rows_dir": rows_dir, "candidate_url": url(server), "stable_url": url(server)}
    return GoldenSettings(**(here | wants))


def test_a_model_that_is_right_often_enough_passes_and_its_requests_are_probes(server: Running, rows_dir: Path) -> None:
    before = server.requests()
    answer = check(settings(server, rows_dir, min_accuracy=0.9))
    assert answer.code == PASSED
    assert answer.sentence == "accuracy 1.000 on 40 rows, at least 0.9 wanted"
    after = server.requests()
    assert {key[0] for key in after if after[key] != before[key]} == {"probe"}


def test_a_model_that_is_wrong_too_often_fails(server: Running, tmp_path: Path) -> None:
    wrong = replace(GOLDEN, labels=("Emu",) * 10 + GOLDEN.labels[10:])
    answer = check(settings(server, written(tmp_path / "candidate", wrong), min_accuracy=0.9))
    assert answer == Answer(FAILED, "accuracy 0.750 on 40 rows, at least 0.9 wanted")


def test_rows_without_an_answer_are_wrong_and_take_no_other_with_them(server: Running, tmp_path: Path) -> None:
    rows = replace(GOLDEN, data=(UNKNOWN_ISLAND, *GOLDEN.data[1:]))
    answer = check(settings(server, written(tmp_path / "candidate", rows), min_accuracy=0.99))
    assert answer.code == FAILED
    assert "accuracy 0.975 on 40 rows" in answer.sentence
    assert "1 rows without an answer (HTTP 500: The model failed" in answer.sentence


def test_only_so_many_rows_are_sent(server: Running, rows_dir: Path) -> None:
    assert "on 7 rows" in check(settings(server, rows_dir, min_accuracy=0.9, max_rows=7)).sentence


def test_stable_answers_the_same_rows(server: Running, rows_dir: Path) -> None:
    answer = check(settings(server, rows_dir, min_accuracy=0.5, margin_absolute=0.0))
    assert answer == Answer(
        PASSED, "accuracy 1.000 on 40 rows, at least 0.5 wanted; stable 1.000, at most 0 worse wanted"
    )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "has no golden set: add golden/golden.json"),
        ("[]", "can't be read"),
        ("{", "can't be read"),
        ('{"dataframe_split": {"columns": ["a"], "data": [[1]]}, "labels": []}', "has 1 rows and 0 labels"),
        ('{"dataframe_split": {"columns": ["a"], "data": []}, "labels": []}', "at least one row"),
    ],
)
def test_a_model_without_a_golden_set_is_not_judged(content: str | None, words: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / FOLDER).mkdir()
        (tmp_path / FOLDER / "golden.json").write_text(content)
    with pytest.raises(CantTellError, match=words):
        read(tmp_path, "the candidate version")


def test_what_was_written_is_read_again(rows_dir: Path) -> None:
    assert read(rows_dir, "it") == GOLDEN


def test_a_version_that_can_not_be_reached_is_not_judged_and_was_asked_again() -> None:
    waits: list[float] = []
    with pytest.raises(CantTellError, match="the candidate can't be reached at http"):
        Client("http://127.0.0.1:1", "the candidate", waits.append).predict(GOLDEN)
    assert waits == [1, 2, 4, 8, 16]


def test_rows_without_an_answer_have_no_error_to_take_the_mean_of() -> None:
    assert mean_absolute_error([1.0, NoAnswer("HTTP 500")], [1.0, 2.0]).value == float("inf")


def test_the_mean_absolute_error_is_that_of_all_rows() -> None:
    assert mean_absolute_error([1.0, {"y": 4}, [5.0]], [2, 2.0, 5]).value == pytest.approx(1.0)


def test_labels_are_no_numbers_and_tables_no_labels() -> None:
    with pytest.raises(CantTellError, match="use minAccuracy"):
        mean_absolute_error(["Adelie"], ["Adelie"])
    with pytest.raises(CantTellError, match="2 values for each row"):
        plain([0.1, 0.9])
    assert accuracy([{"species": "Adelie"}, ["Gentoo"]], ["Adelie", "Adelie"]).value == 0.5


@pytest.mark.parametrize("problem", [CantTellError("nobody there"), RuntimeError("a bug")])
def test_a_check_that_can_not_be_made_says_so(
    problem: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log"
    monkeypatch.setenv("SLUICE_TERMINATION_LOG", str(log))

    def broken() -> Answer:
        raise problem

    assert answered(broken) == CANT_TELL
    assert str(problem) in log.read_text()


def test_the_answer_is_the_exit_code_and_the_last_message(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "log"
    monkeypatch.setenv("SLUICE_TERMINATION_LOG", str(log))
    assert answered(lambda: Answer(FAILED, "accuracy 0.5,\n at least 0.9 wanted")) == FAILED
    assert log.read_text() == "accuracy 0.5, at least 0.9 wanted"
    assert json.dumps(log.read_text())
