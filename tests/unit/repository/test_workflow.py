"""The GitHub workflow, as far as it can be tested without GitHub."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[3]
WORKFLOW: dict[Any, Any] = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())
STEPS: list[dict[str, Any]] = [step for job in WORKFLOW["jobs"].values() for step in job["steps"]]
TARGETS = set(re.findall(r"^([a-z0-9-]+)(?: [a-z0-9-]+)*:", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_it_may_read_the_repository_and_nothing_else() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert all("permissions" not in job for job in WORKFLOW["jobs"].values())
    assert True in WORKFLOW, "`on` is read as true by YAML 1.1"
    assert "pull_request_target" not in WORKFLOW[True]


@pytest.mark.parametrize("command", [step["run"] for step in STEPS if "run" in step])
def test_it_runs_only_make_targets_that_exist(command: str) -> None:
    program, *words = command.split()
    assert program == "make"
    targets = [word for word in words if "=" not in word]
    assert targets
    assert set(targets) <= TARGETS


def test_actions_are_pinned_and_are_githubs_own() -> None:
    for step in STEPS:
        if "uses" in step:
            assert re.fullmatch(r"actions/[a-z-]+@(v\d+|[0-9a-f]{40})", step["uses"])
        if step.get("uses", "").startswith("actions/checkout"):
            assert step["with"]["persist-credentials"] is False


def test_every_python_that_is_promised_is_tested() -> None:
    promised = re.search(r'requires-python = ">=3\.(\d+),<3\.(\d+)"', (ROOT / "pyproject.toml").read_text())
    assert promised
    matrix = WORKFLOW["jobs"]["unit"]["strategy"]["matrix"]["python"]
    assert matrix == [f"3.{minor}" for minor in range(int(promised[1]), int(promised[2]))]


def test_no_expression_reaches_a_shell() -> None:
    assert not [step["run"] for step in STEPS if "${{" in step.get("run", "")]
