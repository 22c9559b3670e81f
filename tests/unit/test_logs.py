"""One line of JSON each, without secrets."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sluice import logs


@pytest.fixture
def lines() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.JsonLines())
    logger = logging.getLogger("sluice.test")
    logger.addHandler(handler)
    logger.propagate = False
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logger.removeHandler(handler)
    logger.propagate = True


log = logging.getLogger("sluice.test")
Lines = Callable[[], list[dict[str, Any]]]


def test_a_line_says_when_how_grave_and_about_what(lines: Lines) -> None:
    log.warning("no %s", "pods", extra=logs.about("shop", "penguins"))
    (line,) = lines()
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "warning", "logger": "sluice.test", "namespace": "shop", "name": "penguins", "message": "no pods",
    }  # fmt: skip


def test_a_line_about_nothing_in_particular_names_nothing(lines: Lines) -> None:
    log.error("x")
    assert {"namespace", "name"} & lines()[0].keys() == set()


def test_kopfs_object_is_named_like_ours(lines: Lines) -> None:
    log.warning("x", extra={"k8s_ref": {"namespace": "shop", "name": "penguins", "uid": "1"}, "k8s_skip": True})
    assert (lines()[0]["namespace"], lines()[0]["name"]) == ("shop", "penguins")
    assert "uid" not in lines()[0]


def test_a_traceback_stays_in_its_line(lines: Lines) -> None:
    try:
        raise RuntimeError("http://me:hunter2@mlflow")
    except RuntimeError:
        log.exception("a bug\nin two lines")
    (line,) = lines()
    assert line["message"] == "a bug\nin two lines"
    assert "RuntimeError: http://***@mlflow" in line["exception"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("at http://me:hunter2@mlflow:5000/api", "at http://***@mlflow:5000/api"),
        ("'https://me@host'", "'https://***@host'"),
        ("models:/penguins@champion", "models:/penguins@champion"),
        ("http://mlflow/x?a=b@c", "http://mlflow/x?a=b@c"),
        ("Authorization: Bearer abc.DEF-1_2==", "Authorization: Bearer ***"),
    ],
)
def test_secrets_are_not_shown(lines: Lines, text: str, shown: str) -> None:
    log.warning("%s", text)
    assert lines()[0]["message"] == shown
